"""Face swaps of the preview engine: who is found, who is changed, and what stays as it was."""

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support.previews import Made, Workshop, pixels
from unitask.engines.preview import faces
from unitask.engines.preview.engine import WARNING
from unitask.engines.preview.faces import Face
from unitask.engines.preview.strip import strip_height
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FACE

Array = NDArray[np.uint8]
TOOLS = "image-toolkit"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


def sample(workshop: Workshop, name: str, source: str) -> str:
    """Save one of the documented examples."""
    path = workshop.folder / name
    path.write_bytes(base64.b64decode(source.partition(",")[2]))
    return str(path)


@pytest.fixture
def couple(workshop: Workshop) -> str:
    """Save two faces side by side."""
    return sample(workshop, "couple.webp", EXAMPLE_COUPLE)


@pytest.fixture
def one(workshop: Workshop) -> str:
    """Save one face."""
    return sample(workshop, "one.webp", EXAMPLE_FACE)


@cache
def astronaut() -> Array:
    """Take half of the photograph: 256 pixels a side, one face at the top."""
    return np.ascontiguousarray(skimage.data.astronaut()[:320, 60:380], np.uint8)


def swap(workshop: Workshop, target: str, source: str, **fields: Any) -> Made:
    """Order a swap, of several faces if faces are numbered."""
    task_type = "multi-face-swap" if fields else "face-swap"
    return workshop.order(TOOLS, task_type, target_image=target, swap_image=source, **fields)


def above_strip(picture: Array) -> NDArray[np.int64]:
    """Cut the label off."""
    return picture[: -strip_height(picture.shape[1], picture.shape[0]), :, :3].astype(int)


def changed(made: Made, target: str) -> NDArray[np.bool_]:
    """Mark the pixels above the strip that differ clearly from the target."""
    before = np.asarray(Image.open(target).convert("RGB"))
    return np.abs(above_strip(made.picture()) - above_strip(before)).max(axis=2) > 12


def test_only_the_face_changes(workshop: Workshop, one: str) -> None:
    """Everything outside of its box stays as it was, to the bit, but for the strip."""
    target = workshop.picture("astronaut.png", astronaut())
    made = swap(workshop, target, one)
    before, after = above_strip(astronaut()), above_strip(made.picture())
    (face,) = faces.find(astronaut())
    inside = np.zeros(before.shape[:2], bool)
    pad = 0.15 * face.size
    inside[
        int(face.top - pad) : int(face.top + face.size + pad), int(face.left - pad) : int(face.left + face.size + pad)
    ] = True
    assert np.array_equal(after[~inside], before[~inside])
    assert np.abs(after[inside] - before[inside]).mean() > 8
    assert made.output.fields["image_urls"] is None
    assert WARNING in made.job.warnings
    assert made.job.fractions == sorted(made.job.fractions)


def test_the_same_order_gives_the_same_bytes(workshop: Workshop, couple: str, one: str) -> None:
    """A second attempt makes the same file; another face makes another."""
    first, again, other = (swap(workshop, one, source) for source in (one, one, couple))
    assert first.content("image_url") == again.content("image_url")
    assert first.content("image_url") != other.content("image_url")


@pytest.mark.parametrize(("number", "side"), [("0", 0), ("1", 1)])
def test_faces_are_counted_from_the_left(workshop: Workshop, couple: str, one: str, number: str, side: int) -> None:
    """The one that is named changes, the other does not."""
    where = changed(swap(workshop, couple, one, target_faces_index=number), couple)
    half = where.shape[1] // 2
    shares = where[:, :half].mean(), where[:, half:].mean()
    assert shares[side] > 0.01
    assert shares[1 - side] == 0


def test_two_people_change_places(workshop: Workshop, couple: str) -> None:
    """Each face is taken from the picture as it was, and both change."""
    made = swap(workshop, couple, couple, swap_faces_index="0,1", target_faces_index="1 0")
    where = changed(made, couple)
    half = where.shape[1] // 2
    assert min(where[:, :half].mean(), where[:, half:].mean()) > 0.01


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"target_faces_index": "2"},
            "target_faces_index asks for face 2, but target_image has 2 faces, numbers 0 to 1",
        ),
        ({"swap_faces_index": "1"}, "swap_faces_index asks for face 1, but swap_image has one face, number 0"),
    ],
)
def test_a_face_that_is_not_there_is_refused(
    workshop: Workshop, couple: str, one: str, fields: dict[str, str], sentence: str
) -> None:
    """The sentence says how many there are."""
    with pytest.raises(TaskFailure, match=sentence):
        swap(workshop, couple, one, **fields)


@pytest.mark.parametrize(
    ("photograph", "field"), [(skimage.data.coffee, "target_image"), (skimage.data.chelsea, "swap_image")]
)
def test_a_picture_without_a_face_is_refused(
    workshop: Workshop, one: str, photograph: Callable[[], Array], field: str
) -> None:
    """A cup and a cat are nobody; the sentence names the picture."""
    faceless = workshop.picture("faceless.png", np.ascontiguousarray(photograph()[::2, ::2]))
    pictures = {"target_image": one, "swap_image": one, field: faceless}
    with pytest.raises(TaskFailure, match=f"invalid request, no face found in the image: {field}"):
        workshop.order(TOOLS, "face-swap", **pictures)


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (30, 400)])
def test_tiny_pictures_have_no_face(size: tuple[int, int]) -> None:
    """And cause no harm."""
    assert faces.find(np.full((*size, 3), 128, np.uint8)) == []


def at(left: float, top: float, size: float = 50) -> Face:
    """Place a face."""
    point = np.array((left, top))
    return Face(left, top, size, (point, point + 20), point + 30)


@pytest.mark.parametrize(
    "placed",
    [
        [at(0, 0), at(100, 10), at(200, 5)],
        [at(100, 100), at(0, 0)],
        [at(0, 100), at(100, 0)],
        [at(0, 110), at(60, 100), at(30, 0)],
    ],
    ids=["side by side", "lower right first", "lower left first", "row below row"],
)
def test_lower_faces_come_first_then_those_on_the_left(placed: list[Face]) -> None:
    """However they were found."""
    assert faces.numbered(placed[::-1]) == placed


def test_the_largest_face_is_taken_where_none_is_named() -> None:
    """Whoever stands in front."""
    assert faces.largest([at(0, 0), at(100, 0, 80), at(200, 0)]).size == 80


def test_eyes_and_mouth_are_where_they_are() -> None:
    """On the photograph, within a few pixels of where a person sees them."""
    (face,) = faces.find(astronaut())
    first, second = face.eyes
    assert first == pytest.approx((202 - 60, 101), abs=6)
    assert second == pytest.approx((245 - 60, 103), abs=6)
    assert face.mouth == pytest.approx((221 - 60, 142), abs=8)


def test_transparency_stays(workshop: Workshop, one: str) -> None:
    """A target that was cut out stays so, above the strip."""
    opaque = np.asarray(Image.open(one).convert("RGB"))
    alpha = np.full((*opaque.shape[:2], 1), 255, np.uint8)
    alpha[:6] = 0
    target = workshop.picture("cut.png", np.concatenate([opaque, alpha], axis=2))
    after = swap(workshop, target, one).picture()
    rows = len(after) - strip_height(after.shape[1], after.shape[0])
    assert np.array_equal(after[:rows, :, 3], pixels(Path(target))[:rows, :, 3])


@pytest.mark.parametrize("field", ["target_image", "swap_image"])
def test_a_bad_picture_is_refused(workshop: Workshop, one: str, field: str) -> None:
    """With the phrase that clients match on."""
    pictures = {"target_image": one, "swap_image": one, field: workshop.junk(b"GIF89a")}
    with pytest.raises(MediaFailure, match="failed to get valid image"):
        workshop.order(TOOLS, "face-swap", **pictures)


def test_a_cancelled_order_ends(workshop: Workshop, one: str) -> None:
    """After looking for the first face, with nothing stored."""
    with pytest.raises(Cancelled):
        workshop.order(
            TOOLS, "face-swap", target_image=one, swap_image=one, cancel_when=lambda fraction: fraction > 0.3
        )
