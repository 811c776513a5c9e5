"""Wan with a camera that moves as told: what the camera sees becomes rays, and an adapter adds them to the network.

Source: Wan2.1-Fun V1.1 Control-Camera of Alibaba PAI. Its repository holds the transformer alone, in the layout in
which Wan was first published, and the adapter beside it under `control_adapter`; the rest is that of the card's base.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from diffusers import WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from safetensors.torch import load_file

from unitask.engines.diffusers.wan import FROM_PICTURES, asked, ready, rolled, words
from unitask.kit.camera import MOVES, STILL, Pose
from unitask.runtime.films import Film
from unitask.runtime.parts import Part
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output

RATE: Final = 16
"""Frames that are the unit of time of `MOVES`."""
FOCAL: Final = 0.532139961
"""Focal length in widths of a frame of 16:9; other shapes are cut out of such a frame. It is that of the training."""
SHAPE: Final = 16 / 9
GROUP: Final = 4
"""Frames that share a latent; the first frame has one to itself."""
UNSHUFFLED: Final = 8
ADAPTER: Final = "control_adapter"
_LATENTS: Final = 16
_MASK: Final = 4


def camera_move(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video that begins with `image`, seen by a camera that moves as `control_camera_settings` say."""
    film = Film.of(inputs, job)
    job.progress(0.02, "reading the picture")
    image = film.picture(inputs, "image", job)
    order = asked(inputs, runtime)
    told = words(order["prompt"], order["negative"], job, runtime)
    model = runtime.model(job.recipe.weights[0])
    plan = runtime.model(model.card.base).parts["transformer"]
    network = CameraPart.of(model.parts["transformer"], plan)
    moves = [(move.motion_type, move.motion_speed) for move in inputs.control_camera_settings]
    poses = [pose(moves, number) for number in range(film.made_frames)]
    with (
        ready(FROM_PICTURES, job, runtime, film=film, transformer=network) as pipe,
        controlled(pipe.transformer, poses, film.made_size, runtime.device),
    ):
        return rolled(pipe, job, runtime, film=film, image=image, **told)


def pose(moves: Iterable[tuple[str, float]], frame: int) -> Pose:
    """Say where the camera is at a frame; movements (name, speed) add up."""
    return reduce(Pose.and_then, (MOVES[name].times(speed * frame / RATE) for name, speed in moves), STILL)


def rays(seen_from: Pose, size: tuple[int, int]) -> torch.Tensor:
    """Give the ray of light that meets each pixel, in Pluecker's coordinates: (6, height, width).

    The last three are its direction d, of length 1; the first three its moment o x d, o being the camera's place.
    """
    width, height = size
    focal_px = FOCAL * max(width, height * SHAPE)
    across = (torch.arange(width, dtype=torch.float64) + 0.5 - width / 2) / focal_px
    down = (torch.arange(height, dtype=torch.float64) + 0.5 - height / 2) / focal_px
    y, x = torch.meshgrid(down, across, indexing="ij")
    direction = torch.stack((x, y, torch.ones_like(x)), dim=-1)
    direction = direction / direction.norm(dim=-1, keepdim=True) @ torch.from_numpy(seen_from.turn()).T
    origin = torch.tensor(seen_from[:3], dtype=torch.float64).expand_as(direction)
    moment = torch.linalg.cross(origin, direction)
    return torch.cat((moment, direction), dim=-1).permute(2, 0, 1).float()


class Adapter(torch.nn.Module):
    """Turns the rays of the frames of one latent into what is added to that latent's patches.

    Parameters are named as in the public weights.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(channels * UNSHUFFLED**2, width, 2, 2)
        self.residual_blocks = torch.nn.Sequential(*(Residual(width) for _ in range(blocks)))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Go from (latents, channels, height, width) to (latents, width of the network, height / 16, width / 16)."""
        unshuffled = torch.nn.functional.pixel_unshuffle(seen, UNSHUFFLED)
        added: torch.Tensor = self.residual_blocks(self.conv(unshuffled))
        return added

    @classmethod
    def of(cls, weights: dict[str, torch.Tensor]) -> "Adapter":
        """Build it from its own weights, which tell its size.

        Raises:
            KeyError, RuntimeError: some are missing, or do not fit together.

        """
        width, channels = weights["conv.weight"].shape[:2]
        numbers = {name.split(".")[1] for name in weights if name.startswith("residual_blocks.")}
        adapter = cls(channels // UNSHUFFLED**2, width, len(numbers))
        adapter.load_state_dict(weights)
        return adapter


class Residual(torch.nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(width, width, 3, padding=1)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep the shape (latents, width, height, width)."""
        added: torch.Tensor = self.conv2(torch.relu(self.conv1(given)))
        return given + added


@dataclass(frozen=True, slots=True)
class CameraPart(Part):
    """A transformer in Wan's first layout with the adapter beside it; `plan` is a network of the same build."""

    plan: Part

    @classmethod
    def of(cls, part: Part, plan: Part) -> "CameraPart":
        """Read a part so."""
        return cls(**{field.name: getattr(part, field.name) for field in fields(part)}, plan=plan)

    def read(self) -> Any:
        """Build the network as `plan` is, but for the channels that go in, and give it the adapter as a part."""
        weights: dict[str, torch.Tensor] = {}
        for path in sorted((self.root / self.name).glob("*.safetensors")):
            weights |= load_file(path)
        names = [name for name in weights if name.startswith(f"{ADAPTER}.")]
        adapter = Adapter.of({name.removeprefix(f"{ADAPTER}."): weights.pop(name) for name in names})
        config = WanTransformer3DModel.load_config(self.plan.root, subfolder=self.plan.name, local_files_only=True) | {
            "in_channels": weights["patch_embedding.weight"].shape[1]
        }
        with init_empty_weights():
            network = WanTransformer3DModel.from_config(config)
        kept = WanTransformer3DModel._keep_in_fp32_modules  # noqa: SLF001 - the library's own rule
        converted = {
            name: value.to(torch.float32 if set(kept) & set(name.split(".")) else self.dtype)
            for name, value in convert_wan_transformer_to_diffusers(weights).items()
        }
        network.load_state_dict(converted, assign=True)
        network.control_adapter = adapter.to(self.dtype)
        return network


@contextmanager
def controlled(network: Any, poses: list[Pose], size: tuple[int, int], device: torch.device) -> Iterator[None]:
    """Let a network see by these poses, one a frame; afterwards it is what it was."""
    added = torch.cat([network.control_adapter(group.to(device, network.dtype)) for group in groups(poses, size)])
    added = added.transpose(0, 1)[None]
    hooks = [network.patch_embedding.register_forward_hook(lambda _module, _given, made: made + added.to(made))]
    if network.config.in_channels == 2 * _LATENTS:
        hooks.append(network.patch_embedding.register_forward_pre_hook(lambda _module, given: (_unmasked(given[0]),)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def groups(poses: list[Pose], size: tuple[int, int]) -> Iterator[torch.Tensor]:
    """Give the rays of the frames of each latent, (1, 6 * 4, height, width): the first frame counts four times.

    Channels go by coordinate and then by frame.
    """
    padded = [poses[0]] * (GROUP - 1) + poses
    for start in range(0, len(padded), GROUP):
        seen = torch.stack([rays(one, size) for one in padded[start : start + GROUP]], dim=1)
        yield seen.flatten(0, 1)[None]


def _unmasked(given: torch.Tensor) -> torch.Tensor:
    """Give weights of 32 channels what they know: no mask, and a condition that is zero but for the first picture."""
    latents, condition = given[:, :_LATENTS], given[:, _LATENTS + _MASK :]
    only_first = torch.zeros_like(condition)
    only_first[:, :, :1] = condition[:, :, :1]
    return torch.cat((latents, only_first), dim=1)
