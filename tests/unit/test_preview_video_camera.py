"""The camera of the preview engine: which way a picture goes when it moves."""

import numpy as np
import pytest
from numpy.typing import NDArray

from unitask.engines.preview.video.camera import Scenery, View
from unitask.engines.preview.video.moves import Drift, told
from unitask.engines.preview.video.people import cut

Array = NDArray[np.uint8]
WIDTH, HEIGHT = 160, 96
MOTIONS = (
    "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down", "tilt_left", "tilt_right", "tilt_up",
    "tilt_down", "roll_clockwise", "roll_anticlockwise",
)  # fmt: skip


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


def seen(*moves: tuple[str, float], seconds: float = 2.0) -> dict[str, tuple[float, float, float]]:
    """Look at the board after these moves."""
    return marks(Scenery(board(), 0.35).seen(told(moves, seconds)))


STILL = marks(board())


def test_a_camera_that_does_not_move_sees_the_picture() -> None:
    """To the last bit, whatever lies beside it, and at speed 0."""
    for view in (View(), told([("pan_left", 0.0), ("zoom_in", 0.0)], 5)):
        assert np.array_equal(Scenery(board(), 0.35).seen(view), board())


@pytest.mark.parametrize(
    ("motion", "axis", "sign"),
    [
        ("pan_left", 0, 1), ("pan_right", 0, -1), ("pan_up", 1, 1), ("pan_down", 1, -1),
        ("tilt_left", 0, 1), ("tilt_right", 0, -1), ("tilt_up", 1, 1), ("tilt_down", 1, -1),
    ],
)  # fmt: skip
def test_the_picture_goes_the_other_way(motion: str, axis: int, sign: int) -> None:
    """A camera that goes or turns to the left sees things move to the right; the other axis stays."""
    red = seen((motion, 0.2))["red"]
    assert (red[axis] - STILL["red"][axis]) * sign > 4
    assert abs(red[1 - axis] - STILL["red"][1 - axis]) < 1


def test_a_turn_is_seen_in_perspective_and_a_slide_is_not() -> None:
    """What a camera turns away from grows towards the edge of the frame."""
    turned, slid = seen(("tilt_left", 0.9)), seen(("pan_left", 0.9))
    assert step(turned, "red", "green") > 1.02 * step(turned, "blue", "red")
    assert step(slid, "red", "green") == pytest.approx(step(slid, "blue", "red"), rel=0.01)


def step(found: dict[str, tuple[float, float, float]], left: str, right: str) -> float:
    """Measure how far two marks are apart, in pixels."""
    return found[right][0] - found[left][0]


@pytest.mark.parametrize(("motion", "sign"), [("roll_clockwise", -1), ("roll_anticlockwise", 1)])
def test_a_roll_turns_the_picture_the_other_way(motion: str, sign: int) -> None:
    """The camera rolls clockwise: what is on the right goes up."""
    found = seen((motion, 0.6))
    assert (found["green"][1] - found["blue"][1]) * sign > 8
    assert abs(found["red"][0] - STILL["red"][0]) < 1


def test_zooms_change_the_size() -> None:
    """Nearer is larger, further is smaller, and the middle stays."""
    nearer, further = seen(("zoom_in", 0.3))["red"], seen(("zoom_out", 0.3))["red"]
    assert nearer[2] > 1.2 * STILL["red"][2]
    assert further[2] < 0.9 * STILL["red"][2]
    assert nearer[:2] == pytest.approx(STILL["red"][:2], abs=0.6)


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_faster_camera_gets_further(motion: str) -> None:
    """At any speed that may be asked for, and later further than before; the picture stays in sight."""

    def gone(speed: float, seconds: float) -> float:
        view = told([(motion, speed)], seconds)
        return sum(map(abs, (view.right, view.down, view.yaw, view.pitch, view.roll, view.zoom - 1)))

    assert 0 < gone(0.1, 2) < gone(0.2, 2) < gone(0.2, 4)
    assert gone(10.0, 30) < 1.2
    assert Scenery(board(), 0.35).seen(told([(motion, 10.0)], 30)).std() > 3


def test_movements_add_up() -> None:
    """Opposite ones cancel out, the same twice is one at twice the speed."""
    assert told([("pan_left", 0.3), ("pan_right", 0.3)], 2) == View()
    assert told([("pan_up", 0.2), ("pan_up", 0.2)], 2) == told([("pan_up", 0.4)], 2)
    both = seen(("pan_left", 0.2), ("pan_up", 0.2))["red"]
    assert both[0] > STILL["red"][0] + 4
    assert both[1] > STILL["red"][1] + 4


@pytest.mark.parametrize(
    "view", [View(right=0.1), View(down=-0.05), View(roll=0.2), View(yaw=0.1, pitch=-0.1), View(zoom=1.2, right=0.2)]
)
def test_the_edge_of_the_picture_stays_out_of_sight(view: View) -> None:
    """The camera comes so near that none of the white frame beside the picture is seen."""
    scenery = Scenery(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), 0.3)
    scenery._edge = 0.5
    top, left = scenery._margin
    around = np.full_like(scenery._picture, 255)
    around[top : top + HEIGHT, left : left + WIDTH] = 90
    scenery._picture = around
    assert scenery.seen(view)[2:-2, 2:-2].max() == 90


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
