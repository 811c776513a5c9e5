"""Trellis: 3D models with colours from pictures or from words, by two flows (Xiang et al. 2024).

The first flow finds which voxels of a cube the thing fills, the second what is to be known of each; a decoder makes of
that a surface. A recipe's weights are those of Trellis, then those of what sees or reads for it. Its options:
`limit_faces` of the model; `size`, `frames` and `fps` of the film.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unitask.engines.networks.solid.flow import Told, among, flow
from unitask.engines.networks.solid.mesh import filled, glb, normals_of, simplified, upright
from unitask.engines.networks.solid.stored import NETWORKS, Stored
from unitask.engines.networks.solid.surface import Mesh, surface
from unitask.engines.networks.solid.views import cut_out, read, seen
from unitask.engines.networks.solid.voxels import Grid, Voxels
from unitask.kit.errors import EngineFailure
from unitask.kit.video import write_video
from unitask.runtime.films import REPORTS, Film
from unitask.runtime.pictures import fetch_picture, labels, save
from unitask.runtime.runtime import Runtime
from unitask.runtime.steps import Steps
from unitask.runtime.turntable import Body, portrait, turning
from unitask.spec.engine import Job, Output

LIMIT_VOXELS: Final = 65_536
"""So much of the cube may be filled: twice what the weights were trained with."""
_STRUCTURE_FLOW, _STRUCTURE_DECODER, _LATENT_FLOW, _MESH_DECODER = NETWORKS
_ELDER: Final = "made by Trellis, not by Trellis 2: coarser, with the colours of its surface and no other materials"
_ANOTHER: Final = "order again with another seed, or show the thing more clearly"


def image_to_3d(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Model the thing that one picture shows, or several views of it in turn.

    Raises:
        MediaFailure: a picture cannot be had or read, or shows nothing.
        EngineFailure: nothing took shape, or the weights are missing, damaged, or do not fit.

    """
    job.progress(0.02, "reading the pictures")
    if inputs.prompt.strip():
        job.warn("prompt has no effect here: this model sees the pictures alone")
    steps = min(inputs.ss_sampling_steps, inputs.slat_sampling_steps)
    if len(inputs.views) > steps:
        job.warn(f"each step follows one picture: the first {steps} of {len(inputs.views)} count throughout")
    names = [*(["image"] if inputs.image else []), *(f"images[{number}]" for number in range(len(inputs.images)))]
    cuts = [cut_out(fetch_picture(inputs, name, job), job) for name in names]
    with torch.no_grad():
        wanted = seen(cuts, job.recipe.weights[1], runtime)
        mesh = _modelled(inputs, Told(wanted, torch.zeros_like(wanted[0])), job, runtime)
    return _stored(mesh, cuts[0], job)


def image_to_3d_instead(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Do the same for those who ask for a later Trellis, and tell them; see `image_to_3d`."""
    job.warn(_ELDER)
    return image_to_3d(inputs, job, runtime)


def text_to_3d(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Model the thing that words describe; the picture without background is one of the model.

    Raises:
        EngineFailure: nothing took shape, or the weights are missing, damaged, or do not fit.

    """
    job.progress(0.02, "reading the prompt")
    with torch.no_grad():
        wanted, nothing = read(inputs.prompt, job.recipe.weights[1], job, runtime)
        mesh = _modelled(inputs, Told([wanted], nothing), job, runtime)
    return _stored(mesh, None, job)


@dataclass(frozen=True, slots=True)
class Modelling:
    """One order on its way through the networks; `chance` draws its noise, `done` is called after every step."""

    inputs: Any
    told: Told
    stored: Stored
    runtime: Runtime
    chance: torch.Generator
    done: Callable[[], None]

    def structure(self) -> Grid:
        """Find which voxels the thing fills.

        Raises:
            EngineFailure: none, or so many that it cannot be a thing.

        """
        network = self.placed(_STRUCTURE_FLOW)
        noise = self.noise(network.in_channels, *[network.resolution] * 3)
        plan = self.stored.arguments.sparse_structure_sampler.params
        steps, strength = self.inputs.ss_sampling_steps, self.inputs.ss_guidance_strength
        latents = flow(network, noise, self.told, plan, steps=steps, strength=strength, done=self.done)
        filled = self.placed(_STRUCTURE_DECODER)(latents)[0] > 0
        voxels = filled.nonzero()
        if not len(voxels):
            raise EngineFailure(f"nothing took shape; {_ANOTHER}")
        if len(voxels) > LIMIT_VOXELS:
            raise EngineFailure(f"the shape fills {len(voxels)} voxels, {LIMIT_VOXELS} can be worked on; {_ANOTHER}")
        return Grid(voxels, filled.shape[0])

    def latents(self, grid: Grid) -> Voxels:
        """Find what is to be known of each of these voxels."""
        network = self.placed(_LATENT_FLOW)
        noise = self.noise(len(grid.coordinates), network.in_channels)
        plan = self.stored.arguments.slat_sampler.params
        steps, strength = self.inputs.slat_sampling_steps, self.inputs.slat_guidance_strength
        change = among(network, Voxels(grid, noise))
        found = flow(change, noise, self.told, plan, steps=steps, strength=strength, done=self.done)
        numbers = self.stored.arguments.slat_normalization
        return Voxels(grid, found * found.new_tensor(numbers.std) + found.new_tensor(numbers.mean))

    def mesh(self, latents: Voxels) -> Mesh:
        """Find the surface, without hollows: what is deep inside is not known, and counts as outside.

        Raises:
            EngineFailure: there is none.

        """
        found = filled(surface(self.placed(_MESH_DECODER)(latents)))
        if not len(found.faces):
            raise EngineFailure(f"no surface was found; {_ANOTHER}")
        return found

    def placed(self, name: str) -> Any:
        """Have a network on the device."""
        part = self.stored.parts[name]
        return self.runtime.networks({name: part}, work_bytes=part.card.memory_bytes)[name]

    def noise(self, *shape: int) -> torch.Tensor:
        """Draw noise, the same for every device."""
        return torch.randn(shape, generator=self.chance).to(self.runtime.device)


def _modelled(inputs: Any, told: Told, job: Job, runtime: Runtime) -> Mesh:
    """Let both flows run and decode: a mesh, y up, of at most as many faces as the recipe allows."""
    job.progress(0.06, "loading the model")
    stored = Stored.on(runtime, job.recipe.weights[0])
    steps = Steps([job], inputs.ss_sampling_steps + inputs.slat_sampling_steps, low=0.1, high=0.75)

    def done() -> None:
        steps(None, 0, None, {})

    modelling = Modelling(inputs, told, stored, runtime, runtime.generators([job.seed])[0], done)
    latents = modelling.latents(modelling.structure())
    job.progress(0.77, "decoding")
    mesh = modelling.mesh(latents)
    job.progress(0.81, "simplifying")
    return upright(simplified(mesh, job.recipe.options["limit_faces"]))


def _stored(mesh: Mesh, cut: Image.Image | None, job: Job) -> Output:
    """Write the model, its film and the cut-out."""
    film = Film.of(None, job)
    body = Body(mesh.vertices, normals_of(mesh), mesh.faces, _paint(mesh))
    size = film.width, film.height
    picture = save(cut or Image.fromarray(portrait(body, size)), job, job.seed)
    model = job.save(glb(mesh, labels(job, job.seed)), "glb")
    path = job.scratch / "turning.mp4"
    write_video(path, _frames(body, film, job), fps=film.fps, size=size, labels=labels(job, job.seed))
    video = job.save(path, "mp4")
    job.progress(1.0)
    return Output({"model_file": model, "combined_video": video, "no_background_image": picture})


def _paint(mesh: Mesh) -> Callable[[NDArray[np.int64], NDArray[Any]], NDArray[Any]]:
    """Mix the colours of a face's corners."""
    colours = mesh.colours * 255
    return lambda corners, shares: np.einsum("nij,ni->nj", colours[corners], shares)


def _frames(body: Body, film: Film, job: Job) -> Iterator[NDArray[np.uint8]]:
    """Draw a whole turn, saying how far it is."""
    every = ceil(film.frames / REPORTS)
    for number, frame in enumerate(turning(body, film.frames, (film.width, film.height))):
        if number % every == 0:
            job.progress(0.85 + 0.14 * number / film.frames, f"drawing frame {number + 1} of {film.frames}")
        yield frame
