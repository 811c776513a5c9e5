"""The camera of the preview engine: which way a picture goes when it moves."""

import numpy as np
import pytest
from numpy.typing import NDArray

from unitask.engines.preview.video.camera import Scenery, View
from unitask.engines.preview.video.moves import Drift
from unitask.engines.preview.video.people import cut

Array = NDArray[np.uint8]
WIDTH, HEIGHT = 160, 96


def board() -> Array:
    """Paint a grey board with a red mark in the middle, and a green and a blue one right and left of it."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for x, colour in ((80, (255, 0, 0)), (110, (0, 255, 0)), (50, (0, 0, 255))):
        picture[44:52, x - 4 : x + 4] = colour
    return picture


def marks(frame: Array) -> dict[str, tuple[float, float, float]]:
    """Find the marks by colour: x, y and size in pixels."""
    found = {}
    for channel, name in enumerate(("red", "green", "blue")):
        others = np.delete(frame.astype(int), channel, axis=2).max(axis=2)
        rows, columns = np.nonzero(frame[..., channel] - others > 80)
        found[name] = (float(columns.mean()), float(rows.mean()), float(len(rows)))
    return found


STILL = marks(board())


def test_a_camera_that_does_not_move_sees_the_picture() -> None:
    """To the last bit."""
    assert np.array_equal(Scenery(board()).seen(View()), board())


@pytest.mark.parametrize(
    ("view", "axis", "sign"), [(View(right=-0.05), 0, 1), (View(right=0.05), 0, -1), (View(down=-0.05), 1, 1)]
)
def test_the_picture_goes_the_other_way(view: View, axis: int, sign: int) -> None:
    """A camera that goes to the left sees things move to the right; the other axis stays."""
    red = marks(Scenery(board()).seen(view))["red"]
    assert (red[axis] - STILL["red"][axis]) * sign > 4
    assert abs(red[1 - axis] - STILL["red"][1 - axis]) < 1


@pytest.mark.parametrize(("roll", "sign"), [(0.1, -1), (-0.1, 1)])
def test_a_roll_turns_the_picture_the_other_way(roll: float, sign: int) -> None:
    """The camera rolls clockwise: what is on the right goes up."""
    found = marks(Scenery(board()).seen(View(roll=roll)))
    assert (found["green"][1] - found["blue"][1]) * sign > 5
    assert abs(found["red"][0] - STILL["red"][0]) < 1


def test_a_zoom_changes_the_size() -> None:
    """Nearer is larger, and the middle stays."""
    nearer = marks(Scenery(board()).seen(View(zoom=1.3)))["red"]
    assert nearer[2] > 1.3 * STILL["red"][2]
    assert nearer[:2] == pytest.approx(STILL["red"][:2], abs=0.6)


@pytest.mark.parametrize("view", [View(right=0.1), View(down=-0.05), View(roll=0.2), View(zoom=1.2, right=0.2)])
def test_the_edge_of_the_picture_stays_out_of_sight(view: View) -> None:
    """The camera comes so near that nothing beside the picture is seen: nothing is seen twice, as in a mirror."""
    ramp = np.arange(WIDTH, dtype=np.uint8)[None, :, None] + np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    seen = Scenery(ramp).seen(view)[..., 0].astype(int)
    assert (np.diff(seen, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("prompt", "test"),
    [
        ("zoom in on her eyes", lambda view: view.zoom > 1.1 and not view.right),
        ("the camera pans left", lambda view: view.right < -0.03),
        ("he looks up", lambda view: view.down < -0.03),
        ("slowly zoom out", lambda view: view == View()),
        ("a cat", lambda view: view.zoom > 1.1 and abs(view.right) < 0.1),
    ],
)
def test_words_move_the_camera(prompt: str, test: object) -> None:
    """By the end of the film; one that goes back ends with the whole picture."""
    assert callable(test)
    assert test(Drift(prompt, 7).at(1.0))


def test_a_crop_of_any_picture_is_as_large_as_asked() -> None:
    """Also of one that is thousands of times as wide as high, without making it larger first."""
    for shape in ((1, 4096, 3), (4096, 1, 3), (1, 1, 3), (300, 200, 3)):
        assert cut(np.zeros(shape, np.uint8), 64, 48).shape == (48, 64, 3)
    picture = np.zeros((100, 400, 3), np.uint8)
    picture[:, 300:] = 200
    assert cut(picture, 50, 50, (1.0, 0.5)).min() == 200
