"""Faces as the engine cpu finds and counts them."""

import numpy as np
import pytest
import skimage.data

from support.people import ADMIRAL, ASTRONAUT, Picture, admiral, astronaut, couple
from unitask.engines.cpu import faces
from unitask.engines.cpu.faces import Face
from unitask.spec.faces import largest, numbered


def at(left: float, top: float, size: float = 50) -> Face:
    """Place a face."""
    return Face((left, top, size), np.zeros((3, 2)))


@pytest.mark.parametrize(("picture", "anchors"), [(astronaut(), ASTRONAUT), (admiral(), ADMIRAL)])
def test_eyes_and_mouth_are_where_a_person_sees_them(picture: Picture, anchors: Picture) -> None:
    """Within a tenth of the distance between the eyes, and behind glasses too."""
    (face,) = faces.find(picture)
    apart = np.hypot(*(anchors[1] - anchors[0]))
    assert np.hypot(*(face.anchors - anchors).T).max() < 0.12 * apart


def test_a_face_is_found_at_any_size() -> None:
    """From some 30 pixels to a large part of a large picture."""
    for repeated, step in ((1, 3), (1, 1), (4, 1)):
        picture = astronaut()[::step, ::step].repeat(repeated, axis=0).repeat(repeated, axis=1)
        (face,) = faces.find(np.ascontiguousarray(picture))
        assert face.middle == pytest.approx((164 * repeated / step, 114 * repeated / step), abs=6 * repeated / step + 2)


@pytest.mark.parametrize(
    "picture",
    [
        skimage.data.chelsea(),
        skimage.data.coffee(),
        skimage.data.rocket(),
        np.dstack([skimage.data.coins()] * 3),
        np.dstack([skimage.data.gravel()] * 3),
        np.ascontiguousarray(astronaut()[::-1]),
    ],
    ids=["cat", "cup", "rocket", "coins", "gravel", "upside down"],
)
def test_what_is_no_upright_face_is_none(picture: Picture) -> None:
    """A cat, a cup and heads on coins are nobody to swap."""
    assert faces.find(picture) == []


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (30, 400)])
def test_tiny_pictures_have_no_face(size: tuple[int, int]) -> None:
    """And cause no harm."""
    assert faces.find(np.full((*size, 3), 128, np.uint8)) == []


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
    assert numbered(placed[::-1]) == placed


def test_people_on_a_photograph_are_counted_from_the_left() -> None:
    """Where they stand side by side."""
    left, right = faces.find(couple())
    assert left.middle[0] < 320 < right.middle[0]


def test_the_largest_face_is_taken_where_none_is_named() -> None:
    """Whoever stands in front."""
    assert largest([at(0, 0), at(100, 0, 80), at(200, 0)]).size == 80


def test_a_mouth_that_cannot_be_is_moved_to_where_it_can() -> None:
    """A face is never turned inside out by a wrong look."""
    level = np.array([(0, 0), (100, 0), (50, 105)])
    assert faces.steady(level) == pytest.approx(level)
    for mouth in ((50, 10), (50, 400), (300, 105)):
        moved = faces.steady(np.array([(0, 0), (100, 0), mouth]))[2]
        assert 35 < moved[0] < 65
        assert 79 < moved[1] < 136
