"""Skyreels from weights: tiny random ones, through the code that serves the real ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_hunyuan import shelve_hunyuan, shelve_skyreels

from support.films import look
from support.previews import Made, Workshop

SIZES: Final = {"16:9": [44, 36], "9:16": [36, 44], "1:1": [40, 40]}
QUICK: Final = {"sizes": SIZES, "frames": 6, "steps": 3, "tokens": 640}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with the model and what it leans on."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_hunyuan(folder)
    shelve_skyreels(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def film(workshop: Workshop, **fields: Any) -> Made:
    """Order a video, from a picture of coloured squares if no other is given."""
    options = {**QUICK, **fields.pop("options", {})}
    fields = {"prompt": "FPS-24, a smile", "image": workshop.squares(), **fields}
    return workshop.order("skyreels", "img2video", **fields, options=options)


@pytest.mark.parametrize("shape", SIZES)
def test_a_video_has_the_size_the_frames_and_the_rate_that_were_promised(workshop: Workshop, shape: str) -> None:
    """Though the model makes whole blocks of pixels and of frames."""
    seen = look(film(workshop, aspect_ratio=shape).path("video_url"))
    assert seen.size == tuple(SIZES[shape])
    assert (len(seen.frames), seen.fps) == (6, 24)


def test_the_same_order_makes_the_same_file_and_any_change_another(workshop: Workshop) -> None:
    """Deterministic; and seed, words, picture and guidance all matter."""
    first = film(workshop)
    assert film(workshop).content("video_url") == first.content("video_url")
    changes: tuple[dict[str, Any], ...] = (
        {"seed": 8},
        {"prompt": "FPS-24, a frown"},
        {"image": workshop.squares(seed=1)},
        {"guidance_scale": 9.0},
    )
    for change in changes:
        assert not np.array_equal(film(workshop, **change).frames(), first.frames())


def test_a_negative_prompt_pushes_away(workshop: Workshop) -> None:
    """Nothing to warn about."""
    away = film(workshop, negative_prompt="chaotic, morphing")
    assert not np.array_equal(away.frames(), film(workshop).frames())
    assert away.job.warnings == []


def test_without_guidance_a_negative_prompt_changes_nothing_and_is_warned_about(workshop: Workshop) -> None:
    """There is no second pass that could lead away from it."""
    plain, away = (film(workshop, guidance_scale=1.0, negative_prompt=words) for words in ("", "chaotic"))
    assert np.array_equal(plain.frames(), away.frames())
    assert plain.job.warnings == []
    assert "negative_prompt has no effect" in away.job.warnings[0]


def test_progress_goes_up_step_by_step(workshop: Workshop) -> None:
    """From nothing to all, with each step of the model in it."""
    fractions = film(workshop, options={"steps": 5}).job.fractions
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len([one for one in fractions if 0.1 < one <= 0.9]) == 5
