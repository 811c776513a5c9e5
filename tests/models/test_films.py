"""From what a video model makes to the file that was promised."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch

from support import films
from support.job import LocalJob
from unitask.kit.errors import EngineFailure
from unitask.runtime.films import Film, shoot
from unitask.spec.product import Recipe

FILM = Film(width=40, height=20, frames=6, fps=Fraction(12))


def job(folder: Path) -> LocalJob:
    """Open a job that no weights are named for."""
    return LocalJob(folder, Recipe("diffusers", "full", "film"))


def made(frames: int, height: int = 32, width: int = 48) -> torch.Tensor:
    """Make frames that grow brighter, with a black frame around 40 x 20 pixels."""
    light = torch.linspace(0.3, 1.2, frames)[:, None, None, None].expand(frames, 3, 20, 40)
    edges = ((width - 40) // 2, (width - 40 + 1) // 2, (height - 20) // 2, (height - 20 + 1) // 2)
    return torch.nn.functional.pad(light, edges)


def test_a_model_makes_at_least_what_was_promised() -> None:
    """Sides of 16, frames of one and a multiple of four."""
    assert (FILM.made_size, FILM.made_frames) == ((48, 32), 9)
    assert Film(48, 32, 9, Fraction(12)).made_frames == 9
    assert Film(48, 32, 1, Fraction(12)).made_frames == 1
    assert FILM.seconds == Fraction(1, 2)


def test_the_middle_of_the_first_frames_is_kept(tmp_path: Path) -> None:
    """Values above 1 are white, not black; progress rises to the end."""
    told = job(tmp_path)
    found = films.look(told.saved[shoot(told, FILM, made(9))])
    assert (found.size, len(found.frames), found.fps) == ((40, 20), 6, 12)
    lights = torch.linspace(0.3, 1.2, 9)[:6] * 255
    for frame, light in zip(found.frames, lights, strict=True):
        assert abs(frame.astype(float) - min(float(light), 255)).max() < 4
    bright = Film(40, 20, 9, Fraction(12))
    assert films.look(told.saved[shoot(told, bright, made(9))]).frames[-1].min() > 250
    assert told.fractions[:7] == sorted(told.fractions[:7])
    assert told.fractions[-1] == 1.0


@pytest.mark.parametrize("shape", [(5, 32, 48), (9, 16, 48), (9, 32, 32)])
def test_less_than_was_promised_is_no_result(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    """Neither fewer frames nor smaller ones."""
    frames, height, width = shape
    with pytest.raises(EngineFailure, match="in place of 6 of 40x20"):
        shoot(job(tmp_path), FILM, torch.zeros(frames, 3, height, width))
