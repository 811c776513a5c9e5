"""3D models from a picture or from words: GLB, a film of it turning, and the picture without its background."""

import io
from fractions import Fraction
from typing import Any, Final

import numpy as np
import trimesh
from PIL import Image

from unitask.engines.preview import cutout, words
from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.chance import dice
from unitask.engines.preview.relief import figure
from unitask.engines.preview.relief.solid import Solid, build
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import fetch, opaque, workable
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.film import Film, shoot
from unitask.runtime.turntable import turning
from unitask.spec.engine import Job, Output

_GUESSED: Final = "the back and the depth are guessed from the outline: this is a cushion with a picture on it"


def relief(inputs: Any, job: Job) -> Output:
    """Blow up the subject of the first picture."""
    job.progress(0.02, "reading the picture")
    picture = fetch(inputs, job, "image" if inputs.image else "images[0]")
    if len(inputs.views) > 1:
        job.warn(f"only the first of {len(inputs.views)} pictures was used")
    job.progress(0.03, "cutting out")
    alpha = cutout.subject(picture)
    if alpha is None:
        job.warn("no subject stands out from the background: the whole picture became the model")
        alpha = _whole(picture)
    return _made(job, picture, alpha, getattr(inputs, "prompt", ""))


def relief_from_text(inputs: Any, job: Job) -> Output:
    """Draw the thing that the words name, and blow it up."""
    job.progress(0.02, "drawing")
    wish = words.read(inputs.prompt)
    picture, alpha = figure.drawn(wish, inputs.prompt, job.seed)
    if not wish.wanted:
        job.warn("no thing that the prompt names can be drawn here: the model is a vase")
    return _made(job, picture, alpha, inputs.prompt)


def _whole(picture: Pixels) -> Floats:
    alpha = np.zeros(picture.shape[:2], np.float32)
    edge = max(1, min(alpha.shape) // 40)
    alpha[edge : -edge or None, edge : -edge or None] = 1
    return alpha if alpha.any() else np.ones(picture.shape[:2], np.float32)


def _made(job: Job, picture: Pixels, alpha: Floats, prompt: str) -> Output:
    options = job.recipe.options
    label = Label(prompt, job.seed, [picture])
    rgb = opaque(picture)
    job.progress(0.05, "saving the cut-out")
    clear = np.dstack([rgb, np.clip(alpha * 255 + 0.5, 0, 255).astype(np.uint8)])
    cut = store(job, clear, label, strip=False)
    job.progress(0.07, "modelling")
    depth = float(dice(job.seed, "depth").uniform(0.85, 1.15))
    small = workable(rgb)
    solid = build(small, _like(alpha, small), int(options["texture_px"]), depth)
    job.warn(_GUESSED)
    model = job.save(_glb(solid, label), "glb")
    table = options["turntable"]
    width, height = table["size"]
    film = Film(width, height, table["frames"], Fraction(table["fps"]))
    video, _ = shoot(job, film, turning(solid.body, film.frames, film.size), label)
    return Output({"model_file": model, "combined_video": video, "no_background_image": cut})


def _like(alpha: Floats, picture: Pixels) -> Floats:
    if alpha.shape == picture.shape[:2]:
        return alpha
    sized = Image.fromarray(alpha).resize((picture.shape[1], picture.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(sized, np.float32)


def _glb(solid: Solid, label: Label) -> bytes:
    """Write glTF 2.0 in one file, the label in the extras of its asset."""
    image = Image.fromarray(solid.texture)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    stream.seek(0)
    models: Any = trimesh
    material = models.visual.material.PBRMaterial(
        baseColorTexture=Image.open(stream), metallicFactor=0.0, roughnessFactor=0.75
    )
    mesh = models.Trimesh(
        solid.vertices,
        solid.faces,
        vertex_normals=solid.normals,
        visual=models.visual.TextureVisuals(uv=solid.uv, material=material),
        process=False,
    )

    def tell(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = "unitask"
        tree["asset"]["extras"] = {
            "unitask:engine": "preview",
            "unitask:level": "preview",
            "unitask:prompt": label.prompt.encode("utf-8", "replace").decode(),
            "unitask:seed": str(label.seed),
        }

    content: bytes = models.Scene([mesh]).export(file_type="glb", tree_postprocessor=tell, include_normals=True)
    return content
