"""How often the demo model is right: it paints what it never saw together, and the judge looks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unitask.demo.judge import sight
from unitask.demo.scenes import SIDE_PX, Scene, caption, scenes
from unitask.demo.words import TOKENS

STEPS: Final = 12
ENOUGH: Final = 0.85
"""The share of held-out prompts that must be right for the model to be given to anybody."""
_AT_ONCE: Final = 72


@dataclass(frozen=True, slots=True)
class Marks:
    """Shares of prompts: all right (colour, shape and place), also with the background, and each by itself."""

    prompts: int
    right: float
    with_background: float
    colour: float
    shape: float
    place: float
    background: float

    def __str__(self) -> str:
        """Say it in a line."""
        each = ", ".join(f"{name} {getattr(self, name):.0%}" for name in ("colour", "shape", "place", "background"))
        return f"{self.right:.1%} of {self.prompts} prompts right, {self.with_background:.1%} with background; {each}"


def questions(count: int, seed: int) -> list[tuple[Scene, str]]:
    """Choose held-out scenes, each as often as any other, and say them in words."""
    chance = np.random.default_rng(seed)
    held = [scene for scene in scenes() if scene.held_out]
    order: list[int] = []
    while len(order) < count:
        order += chance.permutation(len(held)).tolist()
    return [(held[number], caption(held[number], chance)) for number in order[:count]]


def painted(pipe: Any, prompts: list[str], seed: int) -> Iterator[Any]:
    """Paint prompts, each by a seed of its own: RGB from 0 to 1."""
    import torch  # noqa: PLC0415 - what is asked and judged here needs none

    for start in range(0, len(prompts), _AT_ONCE):
        part = prompts[start : start + _AT_ONCE]
        yield from pipe(
            part,
            height=SIDE_PX,
            width=SIDE_PX,
            num_inference_steps=STEPS,
            max_sequence_length=TOKENS,
            generator=[torch.Generator().manual_seed(seed + start + number) for number in range(len(part))],
            output_type="np",
        ).images


def examine(pipe: Any, count: int, seed: int = 0) -> Marks:
    """Have a pipeline paint held-out scenes and count what is right."""
    asked = questions(count, seed)
    made = painted(pipe, [prompt for _, prompt in asked], seed)
    return marks(
        [
            (scene, sight(np.rint(picture * 255).astype(np.uint8)))
            for (scene, _), picture in zip(asked, made, strict=True)
        ]
    )


def marks(answers: list[tuple[Scene, Scene | None]]) -> Marks:
    """Count what is right of pairs: what was asked for, and what the judge sees."""
    parts = "colour", "shape", "place", "background"
    rows = np.array(
        [
            [seen is not None and getattr(seen, part) == getattr(asked, part) for part in parts]
            for asked, seen in answers
        ]
    )
    return Marks(
        len(answers),
        float(rows[:, :3].all(axis=1).mean()),
        float(rows.all(axis=1).mean()),
        *(float(share) for share in rows.mean(axis=0)),
    )
