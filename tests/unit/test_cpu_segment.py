"""Selections by words: masks against shapes that were painted, and words that are not known."""

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support.previews import Made, Workshop
from unitask.engines.cpu import regions
from unitask.engines.cpu.segment import WARNING, Asked, marked, read
from unitask.engines.cpu.view import View
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.samples import EXAMPLE_FACE

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
SIZE = (200, 300)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path, "cpu")


def disc(x: int, y: int, radius: int) -> Mask:
    """Mark a disc."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.hypot(rows - y, columns - x) <= radius


SKY = np.mgrid[: SIZE[0], : SIZE[1]][0] < 120
RED, YELLOW = disc(90, 130, 40), disc(220, 60, 20)


@pytest.fixture
def scene(workshop: Workshop) -> str:
    """Paint a blue sky over a green field, a red ball on the field and a yellow one in the sky."""
    array = np.zeros((*SIZE, 3), np.uint8)
    array[SKY], array[~SKY] = (120, 170, 230), (60, 140, 50)
    array[RED], array[YELLOW] = (210, 40, 40), (240, 220, 40)
    return workshop.picture("scene.png", array)


def segment(workshop: Workshop, image: str, prompt: str, **fields: Any) -> Made:
    """Order a selection."""
    return workshop.order("image-toolkit", "segment", image=image, prompt=prompt, **fields)


def mask(made: Made) -> Mask:
    """Read the first picture, which has two values only."""
    found = made.picture()
    assert found.ndim == 2
    assert set(np.unique(found)) <= {0, 255}
    return found > 0


def alike(one: Mask, other: Mask) -> float:
    """Give the common area as a share of the whole."""
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(
    ("prompt", "truth"),
    [
        ("red", RED),
        ("yellow", YELLOW),
        ("the sky", SKY & ~RED & ~YELLOW),
        ("grass", ~SKY & ~RED),
        ("red ; yellow", RED | YELLOW),
        ("Red and yellow", RED | YELLOW),
        ("a red thing", RED),
    ],
)
def test_masks_follow_what_was_painted(workshop: Workshop, scene: str, prompt: str, truth: Mask) -> None:
    """Nine tenths of the shape and no more; case, articles and plurals do not matter."""
    assert alike(mask(segment(workshop, scene, prompt)), truth) > 0.9


@pytest.mark.parametrize(("prompt", "found"), [("subject", True), ("the background", False)])
def test_what_stands_out_is_the_subject(workshop: Workshop, prompt: str, found: bool) -> None:  # noqa: FBT001
    """Before a plain wall."""
    array = np.full((*SIZE, 3), (190, 200, 205), np.uint8)
    array[RED] = (210, 40, 40)
    truth = RED if found else ~RED
    assert alike(mask(segment(workshop, workshop.picture("wall.png", array), prompt)), truth) > 0.9


def test_four_pictures_come_out(workshop: Workshop, scene: str) -> None:
    """The mask, the selection shown, what was taken out shown, the mask inverted: all of the picture's size."""
    made = segment(workshop, scene, "red, yellow", negative_prompt="yellow")
    pictures = [np.asarray(Image.open(made.job.saved[url])) for url in made.output.fields["image_urls"]]
    assert [picture.shape for picture in pictures] == [SIZE, (*SIZE, 3), (*SIZE, 3), SIZE]
    assert made.output.fields["image_url"] == made.output.fields["image_urls"][0]
    assert np.array_equal(pictures[0], ~pictures[3])
    selected, removed = (picture.astype(int) for picture in pictures[1:3])
    assert selected[RED][:, 0].mean() > 150
    assert removed[YELLOW][:, 0].mean() > 200 > removed[YELLOW][:, 2].mean()
    assert made.output.measures == {"megapixel": SIZE[0] * SIZE[1] / 1_000_000}
    assert WARNING in made.job.warnings
    assert made.job.fractions == sorted(made.job.fractions)
    with Image.open(made.path("image_url")) as image:
        assert image.text["unitask:level"] == "basic"


def test_the_negative_prompt_is_taken_out(workshop: Workshop, scene: str) -> None:
    """What it finds is not selected; where it finds nothing, a sentence says so."""
    assert alike(mask(segment(workshop, scene, "red,yellow", negative_prompt="yellow")), RED) > 0.9
    made = segment(workshop, scene, "red", negative_prompt="purple")
    assert alike(mask(made), RED) > 0.9
    assert any("nothing was found for negative_prompt" in warning for warning in made.job.warnings)


@pytest.mark.parametrize("pixels", [-15, -1, 0, 1, 12])
def test_the_selection_grows_and_shrinks(workshop: Workshop, scene: str, pixels: int) -> None:
    """By so many pixels all round."""
    found = mask(segment(workshop, scene, "red", segment_factor=pixels))
    assert np.sqrt(found.sum() / np.pi) == pytest.approx(40 + pixels, abs=1)


def test_the_edge_of_the_picture_is_no_outline(workshop: Workshop, scene: str) -> None:
    """A sky that shrinks still reaches the top."""
    found = mask(segment(workshop, scene, "sky", segment_factor=-5))
    assert found[0, 30]
    assert not found[118, 30]


@pytest.mark.parametrize(("fields", "sentence"), [
    ({"prompt": "glasses"}, "prompt has a word that is not known here, 'glasses'; the words known are"),
    ({"prompt": "red, glasses"}, "'glasses'"),
    ({"prompt": "red", "negative_prompt": "zorp"}, "negative_prompt has a word that is not known here, 'zorp'"),
    ({"prompt": "红色"}, "not known here"),
    ({"prompt": ", ; the"}, "prompt names nothing to select"),
])  # fmt: skip
def test_unknown_words_are_refused(workshop: Workshop, scene: str, fields: dict[str, str], sentence: str) -> None:
    """No mask is made up; the sentence lists the words that are known."""
    with pytest.raises(TaskFailure, match=sentence) as failure:
        segment(workshop, scene, **fields)
    assert all(word in str(failure.value) for word in ("sky", "face", "clothes", "background"))


@pytest.mark.parametrize("prompt", ["purple", "face", "hair"])
def test_what_is_not_in_the_picture_fails(workshop: Workshop, scene: str, prompt: str) -> None:
    """An empty mask is no result."""
    with pytest.raises(TaskFailure, match="nothing in this picture was found for"):
        segment(workshop, scene, prompt)


@pytest.mark.parametrize("fields", [{"segment_factor": -60}, {"negative_prompt": "red"}])
def test_a_selection_of_which_nothing_is_left_fails(workshop: Workshop, scene: str, fields: dict[str, Any]) -> None:
    """Shrunk away, or taken out."""
    with pytest.raises(TaskFailure, match="nothing"):
        segment(workshop, scene, "red", **fields)


@pytest.mark.parametrize("number", [0, 1])
def test_the_documented_examples_work(workshop: Workshop, number: int) -> None:
    """A house; and the house without its window, a little smaller."""
    found = mask(workshop.example("image-toolkit", "segment", number))
    window = found[33:45, 22:34]
    assert found.mean() > 0.15
    assert window.all() if number == 0 else not window.any()


@pytest.mark.parametrize("name", sorted({regions.region_of(word) for word in regions.known()} - {""}))
def test_every_region_can_be_looked_for(name: str) -> None:
    """In a picture without anything, too: a mask of the right size, or an empty one."""
    for shade in (0, 128, 255):
        view = View(np.full((40, 60, 3), shade, np.uint8))
        assert regions.region(view, name).shape == (40, 60)


def test_words_are_read_phrase_by_phrase() -> None:
    """Colours belong to the things beside them; what a thing is on or in does not count; doubles neither."""
    assert read("red dress, the sky and trees. sky", "prompt") == [
        Asked(("clothes",), ("red",)),
        Asked(("sky",), ()),
        Asked(("plants",), ()),
    ]
    assert read("a man in the grass", "prompt") == [Asked(("person",), ())]
    assert read("", "negative_prompt") == []


def test_parts_of_a_person_are_found(workshop: Workshop) -> None:
    """On the drawn face: hair above, clothes below, the face between, and none of them overlap."""
    path = workshop.folder / "face.webp"
    path.write_bytes(base64.b64decode(EXAMPLE_FACE.partition(",")[2]))
    rows = {}
    masks = {}
    for part in ("hair", "face", "clothes"):
        masks[part] = mask(segment(workshop, str(path), part))
        rows[part] = np.flatnonzero(masks[part].any(axis=1)).mean()
    assert rows["hair"] < rows["face"] < rows["clothes"]
    assert not (masks["hair"] & masks["face"]).any()
    assert not (masks["clothes"] & masks["face"]).any()


def box(picture: Pixels, rows: slice, columns: slice) -> Mask:
    """Mark a box of a picture."""
    found = np.zeros(picture.shape[:2], bool)
    found[rows, columns] = True
    return found


PHOTOGRAPHS: dict[str, Callable[[], Pixels]] = {
    "astronaut": skimage.data.astronaut,
    "cat": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "rocket": skimage.data.rocket,
}


@pytest.fixture(scope="module")
def photograph() -> Callable[[str], View]:
    """Look at a photograph, and remember what was seen in it."""
    return cache(lambda name: View(PHOTOGRAPHS[name]()))


@pytest.mark.parametrize(("name", "prompt", "inner", "outer", "share"), [
    ("astronaut", "face", np.s_[85:165, 190:255], np.s_[55:205, 165:285], 0.9),
    ("astronaut", "hair", np.s_[28:50, 195:260], np.s_[5:160, 140:315], 0.85),
    ("astronaut", "orange suit", np.s_[270:320, 60:110], np.s_[180:512, 0:380], 0.8),
    ("astronaut", "orange suit", np.s_[420:480, 70:200], np.s_[180:512, 0:380], 0.8),
    ("astronaut", "person", np.s_[40:500, 200:250], np.s_[0:512, 0:512], 0.95),
    ("cat", "cat", np.s_[60:260, 80:300], np.s_[0:300, 0:420], 0.9),
    ("coffee", "red", np.s_[245:290, 95:175], np.s_[90:400, 60:490], 0.9),
    ("rocket", "sky", np.s_[20:100, 150:300], np.s_[0:400, 0:640], 0.95),
])  # fmt: skip
def test_photographs_are_selected_from(  # noqa: PLR0917 - a row of a table
    photograph: Callable[[str], View], name: str, prompt: str, inner: Any, outer: Any, share: float
) -> None:
    """Nearly all of a box drawn by hand inside the thing, and nearly nothing outside the box drawn round it."""
    view = photograph(name)
    found = marked(view, read(prompt, "prompt"))
    assert found[inner].mean() > share
    assert found[box(view.rgb, *outer)].sum() > 0.97 * found.sum()


def test_hair_is_no_suit_and_no_skin(photograph: Callable[[str], View]) -> None:
    """Although it has nearly the colour of both."""
    view = photograph("astronaut")
    hair = marked(view, read("hair", "prompt"))
    for other in ("orange suit", "skin", "clothes"):
        assert not (marked(view, read(other, "prompt")) & hair).any()


def test_water_that_looks_like_the_sky_is_below_the_horizon(workshop: Workshop) -> None:
    """A haze over a lake: what is smooth from the top on is not all sky."""
    rows = np.indices(SIZE)[0][..., None]
    air = np.where(rows < 110, 225 - rows * 0.1, 196 - rows * 0.02) + np.array((0, 4, 8))
    noise = np.random.default_rng(5).normal(0, 1.5, (*SIZE, 3))
    lake = workshop.picture("lake.png", np.clip(air + noise, 0, 255).astype(np.uint8))
    assert alike(mask(segment(workshop, lake, "sky")), np.broadcast_to(rows[..., 0] < 110, SIZE)) > 0.95
    assert alike(mask(segment(workshop, lake, "lake")), np.broadcast_to(rows[..., 0] >= 110, SIZE)) > 0.95


def test_a_person_without_a_face_is_the_subject(workshop: Workshop, scene: str) -> None:
    """And a sentence says so."""
    made = segment(workshop, scene, "person")
    assert any("no face was found" in warning for warning in made.job.warnings)


def test_things_of_a_kind_are_the_subject(workshop: Workshop, scene: str) -> None:
    """A cat is not told from a boat, and a sentence says so; for the subject itself there is nothing to say."""
    assert any("cannot tell" in warning for warning in segment(workshop, scene, "cat").job.warnings)
    assert segment(workshop, scene, "subject").job.warnings == [WARNING]


def test_the_edge_is_found_at_full_size(workshop: Workshop) -> None:
    """Teeth of a saw that the copy that is looked at shows as a blur."""
    rows, columns = np.indices((1200, 2048))
    saw = rows > 600 + np.abs(columns % 64 - 32)
    array = np.where(saw[..., None], (30, 60, 200), (235, 235, 235)).astype(np.uint8)
    found = mask(segment(workshop, workshop.picture("saw.png", array), "blue"))
    assert (found != saw)[590:650].mean() < 0.006


def test_large_pictures_keep_their_size(workshop: Workshop) -> None:
    """The outline is smooth, and where it was painted."""
    array = np.full((1500, 1000, 3), 255, np.uint8)
    cv2.circle(array, (500, 700), 300, (20, 40, 200), -1, cv2.LINE_AA)
    found = mask(segment(workshop, workshop.picture("large.png", array), "blue"))
    assert found.shape == (1500, 1000)
    assert np.sqrt(found.sum() / np.pi) == pytest.approx(300, abs=2)


def test_a_bad_picture_is_refused(workshop: Workshop) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get valid image"):
        segment(workshop, workshop.junk(b"\xff\xd8\xff"), "red")


def test_a_cancelled_order_ends(workshop: Workshop, scene: str) -> None:
    """Before the first picture is stored."""
    with pytest.raises(Cancelled):
        segment(workshop, scene, "red", cancel_when=lambda fraction: fraction > 0.3)
