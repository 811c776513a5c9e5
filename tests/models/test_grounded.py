"""Selecting by words with Grounding DINO and SAM 2, tiny and planted: boxes by colour, masks of colour near a box."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny_grounded import BOX_SHARE, DETECTOR, SEGMENTER, SIDE_PX, WORDS, shelve_grounded, tokenizer
from tiny_segmenter import shelve_segmenter
from transformers import GroundingDinoProcessor

from support.previews import CATALOGUE, Made, Workshop
from support.selections import overlap, place
from unitask.engines.networks import grounded as engine
from unitask.kit.errors import Cancelled, EngineFailure, TaskFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.tasks.orders import choose
from unitask.weights import Shelf

SIZE = 240, 320
BLUE = 168, 224, 216, 288
"""Top, left, bottom, right of a box; red is a disc."""
DISC = 48, 64, 26
"""Row and column of its middle, and its radius."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put both networks on a shelf."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_grounded(folder)
    return folder


@pytest.fixture(scope="module")
def search(models: Path) -> engine.Search:
    """Look at the photo as the engine does."""
    runtime = Runtime(Shelf(models), Hardware("cpu", 2**32, 0))
    return engine.Search.ready(Image.fromarray(photo()), (DETECTOR, SEGMENTER), runtime)


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "networks", models, make="segment_things")


def red() -> NDArray[np.bool_]:
    """Mark the red disc."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.asarray(np.hypot(rows - DISC[0], columns - DISC[1]) < DISC[2])


def blue() -> NDArray[np.bool_]:
    """Mark the blue box."""
    return place(BLUE, SIZE)


def photo() -> NDArray[np.uint8]:
    """Paint both on grey."""
    picture = np.full((*SIZE, 3), 128, np.uint8)
    picture[red()] = 220, 30, 30
    picture[blue()] = 30, 30, 220
    return picture


def selected(workshop: Workshop, prompt: str, **fields: Any) -> Made:
    """Order a selection."""
    image = workshop.picture("photo.png", photo())
    return workshop.order("image-toolkit", "segment", image=image, prompt=prompt, **fields)


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [("red", [red()]), ("Blue", [blue()]), ("red, blue", [red(), blue()]), ("nothing; red,", [red()])],
)
def test_what_words_name_is_outlined(workshop: Workshop, prompt: str, wanted: list[Any]) -> None:
    """Whatever its shape is, at the picture's size, and not what has a colour elsewhere."""
    made = selected(workshop, prompt)
    mask, shown, removed, inverted = made.pictures()
    assert mask.shape == SIZE
    assert overlap(mask > 127, np.any(wanted, axis=0)) > 0.97
    assert (mask == 255 - inverted).all()
    assert shown.shape == removed.shape == (*SIZE, 3)
    assert made.output.measures == {"megapixel": SIZE[0] * SIZE[1] / 1e6}
    assert made.job.warnings == []


def test_what_negative_prompt_names_is_taken_out(workshop: Workshop) -> None:
    """With its outline; what is not there is not taken out, and the client is told."""
    made = selected(workshop, "red, blue", negative_prompt="blue")
    assert overlap(made.pictures()[0] > 127, red()) > 0.97
    assert (made.pictures()[2][190, 250] != 128).any()
    told = selected(workshop, "red", negative_prompt="nothing").job.warnings
    assert told == ["nothing was found for negative_prompt, so nothing was taken out of the selection"]
    with pytest.raises(TaskFailure, match="nothing in this picture was found for 'nothing'"):
        selected(workshop, "nothing")


def test_boxes_are_those_that_the_library_reads_out_of_the_same_network(search: engine.Search) -> None:
    """Through its own processor, which lays out the words and turns shares into pixels by itself."""
    processor = GroundingDinoProcessor(search.prepare, tokenizer())
    given = processor(images=search.image, text=[["Red"]], return_tensors="pt")
    with torch.no_grad():
        said = search.detector(**given)
    (wanted,) = processor.post_process_grounded_object_detection(
        said, given["input_ids"], threshold=engine.SURE, target_sizes=[SIZE]
    )
    assert WORDS["red"] in given["input_ids"]
    assert (search.words("Red")["input_ids"] == given["input_ids"]).all()
    found = search.boxes("Red")
    assert len(found) == len(wanted["boxes"]) == 10
    pixels = found * torch.tensor([SIZE[1], SIZE[0]] * 2)
    nearest = torch.cdist(pixels, wanted["boxes"].clamp(min=0)).min(dim=1).values
    assert float(nearest.max()) < 0.01
    assert float((found[:, 2:] - found[:, :2]).max()) == pytest.approx(BOX_SHARE, abs=1e-4)


def test_only_boxes_that_are_sure_enough_count_and_no_more_than_the_most(
    search: engine.Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted network is sure to 0.9994 of what it finds, and of nothing else to more than 0.01."""
    assert not len(search.boxes("nothing"))
    monkeypatch.setattr(engine, "SURE", 0.9999)
    assert not len(search.boxes("red"))
    monkeypatch.setattr(engine, "SURE", 0.001)
    assert len(search.boxes("nothing")) == 10
    monkeypatch.setattr(engine, "MOST_BOXES", 3)
    assert len(search.boxes("red")) == 3


def test_a_mask_is_of_what_its_box_holds(search: engine.Search) -> None:
    """Several boxes at once give a mask each; one round nothing gives none."""
    top, left, bottom, right = BLUE
    row, column, radius = DISC
    shares = [
        (left / SIZE[1], top / SIZE[0], right / SIZE[1], bottom / SIZE[0]),
        ((column - radius) / SIZE[1], (row - radius) / SIZE[0], (column + radius) / SIZE[1], (row + radius) / SIZE[0]),
        (0.8, 0.05, 0.95, 0.2),
    ]
    masks = search.masks(torch.tensor(shares)).numpy()
    assert masks.shape == (3, SIDE_PX, SIDE_PX)
    for mask, wanted in zip(masks[:2], (blue(), red()), strict=True):
        small = np.asarray(Image.fromarray(wanted).resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST))
        assert overlap(mask, small) > 0.9
    assert not masks[2].any()


@pytest.mark.parametrize("size", [(100, 70), (512, 300), (256, 1900)])
def test_a_picture_is_reduced_and_enlarged_as_another_library_does_it(size: tuple[int, int]) -> None:
    """Pillow's triangle filter on whole numbers; then the mean and the deviation that the network was trained with."""
    noise = np.random.default_rng(4).integers(0, 256, (*size, 3), np.uint8)
    smooth = Image.fromarray(noise)
    made = engine.prepared(smooth, SIDE_PX)[0].permute(1, 2, 0).numpy()
    other = np.asarray(smooth.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR), np.float32) / 255
    wanted = (other - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert np.abs(made - wanted).max() < 1.01 / 255 / 0.224
    assert made.std() > 0.1


def test_a_very_long_picture_is_widened_for_the_detector_and_its_boxes_come_back_into_place(
    workshop: Workshop, search: engine.Search
) -> None:
    """Of a strip it would see too few places to choose from."""
    strip = np.full((40, 640, 3), 128, np.uint8)
    strip[8:28, 256:300] = 220, 30, 30
    assert engine.widened(Image.fromarray(strip)).size == (640, 80)
    assert engine.widened(Image.fromarray(strip.transpose(1, 0, 2))).size == (80, 640)
    boxes = replace(search, image=Image.fromarray(strip)).boxes("red") * torch.tensor([640, 40] * 2)
    middles = ((boxes[:, :2] + boxes[:, 2:]) / 2).numpy()
    assert ((middles > (252, 7)) & (middles < (305, 29))).all()
    image = workshop.picture("strip.png", strip)
    made = workshop.order("image-toolkit", "segment", image=image, prompt="red")
    assert overlap(made.pictures()[0] > 127, place((8, 256, 28, 300), (40, 640))) > 0.95


def test_a_cancel_is_heard_and_the_same_order_gives_the_same_mask(workshop: Workshop) -> None:
    """Between two phrases."""
    one, other = (selected(workshop, "red").content("image_url") for _ in range(2))
    assert one == other
    with pytest.raises(Cancelled):
        selected(workshop, "red, blue", cancel_when=lambda done: done > 0.3)


@pytest.mark.parametrize("missing", [DETECTOR, SEGMENTER])
def test_missing_or_damaged_weights_name_the_command(tmp_path: Path, missing: str) -> None:
    """As everywhere, for each of the two."""
    shelve_grounded(tmp_path)
    weights = tmp_path / missing / ("detector" if missing == DETECTOR else "segmenter") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    workshop = Workshop(tmp_path, "networks", tmp_path)
    with pytest.raises(EngineFailure, match=f"unitask models check {missing}"):
        selected(workshop, "red")
    (tmp_path / missing / "unitask.json").unlink()
    with pytest.raises(EngineFailure, match=f"unitask models pull {missing}"):
        selected(workshop, "red")


def test_clipseg_is_taken_where_it_alone_is_on_the_shelf(tmp_path: Path, models: Path) -> None:
    """The small choice; and the operator reads what would be better."""
    product = CATALOGUE.find("Qubico/image-toolkit", "segment")
    shelve_segmenter(tmp_path)
    small, better = (choose(product, frozenset({"networks", "cpu"}), Shelf(folder)) for folder in (tmp_path, models))
    assert small.recipe
    assert small.recipe.make == "segment"
    assert f"unitask models pull {DETECTOR}" in small.missing
    assert better.recipe
    assert better.recipe.make == "segment_things"
