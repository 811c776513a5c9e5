"""Faces that the preview engine finds, for crops and cut-outs."""

import numpy as np
import pytest

from support.people import ASTRONAUT, astronaut
from unitask.engines.preview import faces


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (30, 400)])
def test_tiny_pictures_have_no_face(size: tuple[int, int]) -> None:
    """And cause no harm."""
    assert faces.find(np.full((*size, 3), 128, np.uint8)) == []


def test_a_face_is_found_where_it_is() -> None:
    """On the photograph: eyes and mouth lie in the square, and it is no larger than a head."""
    (face,) = faces.find(astronaut())
    within = (ASTRONAUT - (face.left, face.top)) / face.size
    assert ((within > 0.2) & (within < 0.9)).all()
    assert face.size < 130
