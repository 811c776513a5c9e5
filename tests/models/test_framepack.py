"""Framepack from weights: tiny random ones, through the code that serves the real ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_hunyuan import shelve_framepack, shelve_hunyuan

from support.films import look
from support.previews import Made, Workshop
from unitask.kit.errors import Cancelled

QUICK: Final = {"limit_side_px": 64, "fps": 8, "steps": 2, "window": 2, "tokens": 640}
"""A section of two latent frames is eight frames; one more is made at the beginning."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with the model and what it leans on."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_hunyuan(folder)
    shelve_framepack(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def film(workshop: Workshop, **fields: Any) -> Made:
    """Order a second of video, from a picture of coloured squares if no other is given."""
    options = {**QUICK, **fields.pop("options", {})}
    fields = {"prompt": "a slow dance", "start_image": workshop.squares(), "duration": 1, **fields}
    return workshop.order("framepack", "img2video", **fields, options=options)


@pytest.mark.parametrize(("duration", "fps"), [(1, 8), (2, 8), (3, 8), (1, 30)])
def test_a_video_lasts_exactly_as_long_as_it_is_charged_for(workshop: Workshop, duration: int, fps: int) -> None:
    """Though the model makes whole sections."""
    made = film(workshop, duration=duration, options={"fps": fps})
    seen = look(made.path("video_url"))
    assert (len(seen.frames), seen.fps) == (duration * fps, fps)
    assert made.output.measures == {"second": duration}


@pytest.mark.parametrize(
    ("rows", "columns", "limit_px", "size"),
    [(6, 8, 64, (64, 48)), (5, 9, 64, (64, 36)), (9, 5, 50, (28, 50)), (4, 3, 720, (30, 40))],
)
def test_a_video_has_the_pictures_proportions_within_the_limit(
    workshop: Workshop, rows: int, columns: int, limit_px: int, size: tuple[int, int]
) -> None:
    """A small picture is not enlarged; sides are even, and no multiples of 16 need they be."""
    image = workshop.squares(size=(rows, columns))
    made = film(workshop, start_image=image, options={"limit_side_px": limit_px})
    assert look(made.path("video_url")).size == size


def test_no_more_sections_are_made_than_the_seconds_need(workshop: Workshop) -> None:
    """Seventeen frames are two sections; one frame more is a third. Each step of each is reported."""
    counts = [len(film(workshop, options={"fps": fps}).steps()) for fps in (9, 10, 17, 18)]
    assert counts == [2, 4, 4, 6]


def test_progress_goes_up_over_all_sections(workshop: Workshop) -> None:
    """The model begins to count anew with each; the client does not see that."""
    made = film(workshop, duration=3)
    assert made.job.fractions == sorted(made.job.fractions)
    assert made.job.fractions[-1] == 1
    assert np.diff(made.steps()) == pytest.approx([0.8 / 6] * 5)


def test_the_same_order_makes_the_same_file_and_any_change_another(workshop: Workshop) -> None:
    """Deterministic; and seed, words and pictures all matter."""
    first = film(workshop)
    assert film(workshop).content("video_url") == first.content("video_url")
    other = workshop.squares(seed=1)
    changes: tuple[dict[str, Any], ...] = (
        {"seed": 8},
        {"prompt": "a leap"},
        {"start_image": other},
        {"options": {"guidance": 1.0}},
    )
    for change in changes:
        assert not np.array_equal(film(workshop, **change).frames(), first.frames())


def test_the_last_picture_matters(workshop: Workshop) -> None:
    """It is read, not merely made room for."""
    one, other = (film(workshop, end_image=workshop.squares(seed=seed)) for seed in (1, 2))
    assert not np.array_equal(one.frames(), other.frames())


@pytest.mark.parametrize("ends", [False, True])
def test_what_is_too_much_is_cut_off_at_the_end_but_left_out_evenly_before_a_last_picture(
    workshop: Workshop, *, ends: bool
) -> None:
    """Seventeen frames are made for ten: the first stays the first, and a last picture stays the last."""
    order = {"end_image": workshop.squares(seed=1)} if ends else {}
    ten, all_ = (np.asarray(film(workshop, **order, options={"fps": fps}).frames(), float) for fps in (10, 17))
    chosen = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16] if ends else list(range(10))
    away = [np.abs(all_ - frame).mean(axis=(1, 2, 3)).argmin() for frame in ten]
    assert away == chosen


def test_a_negative_prompt_changes_nothing_and_is_warned_about(workshop: Workshop) -> None:
    """The client is told."""
    plain, away = film(workshop), film(workshop, negative_prompt="dogs")
    assert np.array_equal(plain.frames(), away.frames())
    assert plain.job.warnings == []
    assert "negative_prompt has no effect" in away.job.warnings[0]


def test_a_cancelled_task_stops_within_its_section_and_the_next_one_is_the_same_as_ever(workshop: Workshop) -> None:
    """No more steps are made; nothing of it is left in the model."""
    before = film(workshop).content("video_url")
    seen: list[float] = []

    def half_way(fraction: float) -> bool:
        seen.append(fraction)
        return fraction > 0.4

    with pytest.raises(Cancelled):
        film(workshop, duration=2, options={"steps": 4}, cancel_when=half_way)
    assert len([one for one in seen if one > 0.1]) == 4
    assert film(workshop).content("video_url") == before
