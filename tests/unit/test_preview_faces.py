"""Faces that the preview engine finds, for selections and crops."""

import numpy as np
import pytest

from support.people import ASTRONAUT, astronaut
from unitask.engines.preview import faces


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (30, 400)])
def test_tiny_pictures_have_no_face(size: tuple[int, int]) -> None:
    """And cause no harm."""
    assert faces.find(np.full((*size, 3), 128, np.uint8)) == []


def test_eyes_and_mouth_are_where_they_are() -> None:
    """On the photograph, within a few pixels of where a person sees them."""
    (face,) = faces.find(astronaut())
    found = np.array([*face.eyes, face.mouth])
    assert np.hypot(*(found - ASTRONAUT).T).max() < 8
