"""Selecting by words with CLIPSeg, tiny and planted: what is red and what is blue is found, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_segmenter import shelve_segmenter

from support.previews import Made, Workshop
from support.selections import Box, overlap, place
from unitask.engines.networks import segment as engine
from unitask.kit.errors import Cancelled, EngineFailure, TaskFailure

SIZE = 240, 320
RED = 45, 40, 135, 160
BLUE = 120, 200, 195, 300
"""Top, left, bottom, right of what is planted: whole patches of what the network sees."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the network on a shelf."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_segmenter(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return workshop_of(tmp_path, models)


def workshop_of(folder: Path, models: Path) -> Workshop:
    """Let CLIPSeg make it, though better weights come first."""
    return Workshop(folder, "networks", models, make="segment")


def photo() -> NDArray[np.uint8]:
    """Paint a red and a blue box on grey."""
    picture = np.full((*SIZE, 3), 128, np.uint8)
    picture[boxed(RED)] = 220, 30, 30
    picture[boxed(BLUE)] = 30, 30, 220
    return picture


def selected(workshop: Workshop, prompt: str, **fields: Any) -> Made:
    """Order a selection."""
    image = workshop.picture("photo.png", photo())
    return workshop.order("image-toolkit", "segment", image=image, prompt=prompt, **fields)


def boxed(box: Box) -> NDArray[np.bool_]:
    """Mark a box."""
    return place(box, SIZE)


@pytest.mark.parametrize(
    ("prompt", "boxes"), [("red", [RED]), ("blue", [BLUE]), ("red, blue", [RED, BLUE]), ("nothing; red,", [RED])]
)
def test_what_words_name_is_selected(workshop: Workshop, prompt: str, boxes: list[Any]) -> None:
    """To its edges, at the picture's size; the fourth picture is the first one inverted."""
    made = selected(workshop, prompt)
    mask, shown, removed, inverted = made.pictures()
    wanted = np.any([boxed(box) for box in boxes], axis=0)
    assert mask.shape == SIZE
    assert overlap(mask > 127, wanted) > 0.97
    assert (mask == 255 - inverted).all()
    assert shown.shape == removed.shape == (*SIZE, 3)
    assert np.abs(shown[0, 0].astype(int) - (128 * 0.35 + 150)).max() <= 1
    assert made.output.measures == {"megapixel": SIZE[0] * SIZE[1] / 1e6}
    assert made.job.warnings == []


def test_what_negative_prompt_names_is_taken_out(workshop: Workshop) -> None:
    """And a selection grows or shrinks by so many pixels."""
    both = selected(workshop, "red, blue", negative_prompt="blue")
    assert overlap(both.pictures()[0] > 127, boxed(RED)) > 0.97
    grown, shrunk = (selected(workshop, "red", segment_factor=factor).pictures()[0] > 127 for factor in (8, -8))
    top, left, bottom, right = RED
    assert overlap(grown, boxed((top - 8, left - 8, bottom + 8, right + 8))) > 0.94
    assert overlap(shrunk, boxed((top + 8, left + 8, bottom - 8, right - 8))) > 0.94


def test_fields_without_effect_are_named(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative prompt that finds nothing, and more things than are looked for."""
    assert selected(workshop, "red", negative_prompt="nothing").job.warnings == [
        "nothing was found for negative_prompt, so nothing was taken out of the selection"
    ]
    monkeypatch.setattr(engine, "MOST_PHRASES", 2)
    assert selected(workshop, "red, nothing, blue").job.warnings == [
        "prompt names 3 things: the first 2 were looked for"
    ]


def test_a_selection_of_nothing_fails_with_a_sentence(workshop: Workshop) -> None:
    """Whether nothing is named, found or left."""
    with pytest.raises(TaskFailure, match="names nothing to select"):
        selected(workshop, " , ;")
    with pytest.raises(TaskFailure, match="nothing in this picture was found for 'nothing'"):
        selected(workshop, "nothing")
    with pytest.raises(TaskFailure, match="nothing is left of the selection"):
        selected(workshop, "red", segment_factor=-300)


def test_a_cancel_is_heard_between_words_and_missing_weights_name_the_command(
    workshop: Workshop, tmp_path: Path
) -> None:
    """As everywhere; the same order gives the same mask."""
    one, other = (selected(workshop, "red").content("image_url") for _ in range(2))
    assert one == other
    with pytest.raises(Cancelled):
        selected(workshop, "red, blue", cancel_when=lambda done: done > 0.3)
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    with pytest.raises(EngineFailure, match="unitask models pull clipseg-rd64-refined"):
        selected(workshop_of(nowhere, nowhere), "red")
