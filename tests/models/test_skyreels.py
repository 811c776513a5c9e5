"""Skyreels from weights: tiny random ones, through the code that serves the real ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_hunyuan import shelve_hunyuan, shelve_skyreels

from support.films import Frame, look
from support.previews import Made, Workshop
from unitask.kit.errors import Cancelled, EngineFailure

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
    fields = {"prompt": "FPS-24, a smile", "image": photo(workshop), **fields}
    return workshop.order("skyreels", "img2video", **fields, options=options)


def photo(workshop: Workshop, *, seed: int = 0) -> str:
    """Save a picture of large coloured squares."""
    squares = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return workshop.picture(f"photo-{seed}.png", np.kron(squares, np.ones((10, 10, 1), np.uint8)))


def frames(made: Made) -> list[Frame]:
    """Decode the video."""
    return look(made.path("video_url")).frames


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
        {"image": photo(workshop, seed=1)},
        {"guidance_scale": 9.0},
    )
    for change in changes:
        assert not np.array_equal(frames(film(workshop, **change)), frames(first))


def test_a_negative_prompt_pushes_away(workshop: Workshop) -> None:
    """Nothing to warn about."""
    away = film(workshop, negative_prompt="chaotic, morphing")
    assert not np.array_equal(frames(away), frames(film(workshop)))
    assert away.job.warnings == []


def test_without_guidance_a_negative_prompt_changes_nothing_and_is_warned_about(workshop: Workshop) -> None:
    """There is no second pass that could lead away from it."""
    plain, away = (film(workshop, guidance_scale=1.0, negative_prompt=words) for words in ("", "chaotic"))
    assert np.array_equal(frames(plain), frames(away))
    assert plain.job.warnings == []
    assert "negative_prompt has no effect" in away.job.warnings[0]


def test_progress_goes_up_step_by_step(workshop: Workshop) -> None:
    """From nothing to all, with each step of the model in it."""
    fractions = film(workshop, options={"steps": 5}).job.fractions
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len([one for one in fractions if 0.1 < one <= 0.9]) == 5


def test_a_cancelled_task_stops_at_its_step_and_the_next_one_is_the_same_as_ever(workshop: Workshop) -> None:
    """No more steps are made; nothing of it is left in the model."""
    before = film(workshop).content("video_url")
    seen: list[float] = []

    def half_way(fraction: float) -> bool:
        seen.append(fraction)
        return fraction > 0.4

    with pytest.raises(Cancelled):
        film(workshop, options={"steps": 8}, cancel_when=half_way)
    assert len([one for one in seen if one > 0.1]) == 4
    assert film(workshop).content("video_url") == before


@pytest.mark.parametrize("card", ["skyreels-v1-i2v", "hunyuan-video"])
def test_weights_that_are_not_there_are_named_with_their_command(tmp_path: Path, card: str) -> None:
    """Those that it leans on, too."""
    models = tmp_path / "models"
    shelve_hunyuan(models)
    shelve_skyreels(models)
    (models / card / "unitask.json").unlink()
    with pytest.raises(EngineFailure, match=f"unitask models pull {card}"):
        film(Workshop(tmp_path, "diffusers", models))


@pytest.mark.parametrize("name", ["config.json", "diffusion_pytorch_model.safetensors"])
def test_damaged_weights_fail_with_the_command_that_looks_for_the_damage(tmp_path: Path, name: str) -> None:
    """A file that was cut off does not take the process with it."""
    models = tmp_path / "models"
    shelve_hunyuan(models)
    shelve_skyreels(models)
    path = models / "skyreels-v1-i2v/transformer" / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EngineFailure, match="unitask models check skyreels-v1-i2v"):
        film(Workshop(tmp_path, "diffusers", models))
