"""What the demo model's networks are taught with: batches of drawn scenes, and how far an answer is off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from diffusers import FluxPipeline
from torch import nn
from torch.nn import functional

from unitask.demo.networks import FACTOR, LATENT, Networks
from unitask.demo.scenes import COLOURS, OUTLINES, PLACES, SIDE_PX, Scene, caption, drawn, scenes

PICTURES: Final = 10_000
VAE_BATCH: Final = 16
BATCH: Final = 32
_ENCODED_AT_ONCE: Final = 100
_SQUARES: Final = 0.5
_PLAIN: Final = 1e-3
"""How much it counts that latents are like noise."""
_TOLD: Final = 0.1
"""How much it counts that the pooled words name the scene."""
_NOISY: Final = 0.8
"""How far towards noise most lessons are; the mean of a logit-normal distribution."""


def trained_scenes() -> list[Scene]:
    """Give every scene that is not held out."""
    return [scene for scene in scenes() if not scene.held_out]


def pictures(shown: Sequence[Scene], chance: np.random.Generator) -> torch.Tensor:
    """Draw scenes: (scenes, 3, 64, 64) from -1 to 1."""
    stack = np.stack([drawn(scene, chance) for scene in shown])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last) / 127.5 - 1


def coding_loss(vae: Any, known: Sequence[Scene], seed: int, *, near: bool) -> torch.Tensor:
    """Tell how badly pictures survive their coding; `near` looks at twice as many, but only at the things in them."""
    chance = np.random.default_rng(seed)
    shown = [known[number] for number in chance.integers(len(known), size=2 * VAE_BATCH if near else VAE_BATCH)]
    given = pictures(shown, chance)
    if near:
        given = _near(given, shown)
    coded = vae.encode(given).latent_dist
    noise = torch.randn(coded.mean.shape, generator=torch.Generator().manual_seed(seed))
    back = vae.decode(coded.mean + coded.std * noise).sample
    numbers = coded.mean[0].numel()
    off = functional.l1_loss(back, given) + _SQUARES * functional.mse_loss(back, given)
    return off + _PLAIN * coded.kl().mean() / numbers


def _near(given: torch.Tensor, shown: Sequence[Scene]) -> torch.Tensor:
    """Cut the square of half the side round each thing out: (scenes, 3, 32, 32)."""
    half = SIDE_PX // 2
    corners = ([round(share * SIDE_PX) - half // 2 for share in PLACES[scene.place]] for scene in shown)
    cut = [one[:, top : top + half, left : left + half] for one, (left, top) in zip(given, corners, strict=True)]
    return torch.stack(cut).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Scenes as the transformer sees them: patches of latents (n, 16, 64), tokens of captions, and what they name."""

    patches: torch.Tensor
    clip: torch.Tensor
    t5: torch.Tensor
    names: torch.Tensor

    @classmethod
    def drawn(cls, networks: Networks, seed: int, count: int) -> "Lessons":
        """Draw scenes with captions and encode them; sets the coder's scale so that latents have a spread of 1."""
        chance, known = np.random.default_rng(seed), trained_scenes()
        shown = [known[number] for number in chance.integers(len(known), size=count)]
        vae, found = networks.vae, []
        with torch.no_grad():
            for start in range(0, count, _ENCODED_AT_ONCE):
                batch = pictures(shown[start : start + _ENCODED_AT_ONCE], chance)
                found.append(vae.encode(batch).latent_dist.mean)
        latents = torch.cat(found)
        vae.register_to_config(scaling_factor=float(1 / latents.std()), shift_factor=float(latents.mean()))
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        side = SIDE_PX // FACTOR
        patches = FluxPipeline._pack_latents(latents, count, LATENT, side, side)  # noqa: SLF001 - as it lays them out
        clip, t5 = networks.tokens([caption(scene, chance) for scene in shown])
        return cls(patches, clip, t5, torch.tensor([names(scene) for scene in shown]))


class Denoising(nn.Module):
    """The transformer with what reads the words, and heads that ask the pooled words what they name."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.parts = networks.denoising
        width = networks.text_encoder.config.hidden_size
        self.heads = nn.ModuleList(nn.Linear(width, len(of)) for of in (COLOURS, OUTLINES, PLACES, COLOURS))
        side = SIDE_PX // FACTOR // 2
        places = FluxPipeline._prepare_latent_image_ids(1, side, side, "cpu", torch.float32)  # noqa: SLF001 - as it counts them
        self.register_buffer("places", places, persistent=False)

    def forward(self, lessons: Lessons, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tell how far the flow is off, and how badly the words are understood."""
        chance = torch.Generator().manual_seed(seed)
        chosen = torch.randint(len(lessons.patches), (BATCH,), generator=chance)
        clean = lessons.patches[chosen]
        noise = torch.randn(clean.shape, generator=chance)
        time = torch.sigmoid(torch.randn(BATCH, generator=chance) + _NOISY)
        mixed = torch.lerp(clean, noise, time[:, None, None])
        pooled = self.parts["text_encoder"](lessons.clip[chosen]).pooler_output
        words = self.parts["text_encoder_2"](lessons.t5[chosen]).last_hidden_state
        (flow,) = self.parts["transformer"](
            hidden_states=mixed,
            timestep=time,
            pooled_projections=pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(words.shape[1], 3),
            img_ids=self.places,
            return_dict=False,
        )
        said = [head(pooled) for head in self.heads]
        wanted = lessons.names[chosen].T
        misread = torch.stack([functional.cross_entropy(*pair) for pair in zip(said, wanted, strict=True)]).mean()
        return functional.mse_loss(flow, noise - clean), misread

    def loss(self, lessons: Lessons, seed: int) -> torch.Tensor:
        """Put both together."""
        off, misread = self(lessons, seed)
        return off + _TOLD * misread


def names(scene: Scene) -> tuple[int, int, int, int]:
    """Give the numbers of what a scene shows."""
    colours = list(COLOURS)
    return (
        colours.index(scene.colour),
        list(OUTLINES).index(scene.shape),
        list(PLACES).index(scene.place),
        colours.index(scene.background),
    )
