"""The engine `cpu` films pictures: the camera moves through them, with depth where a subject stands out."""

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support import films
from support.films import Found
from support.job import LocalJob
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu import camera_moves
from unitask.engines.cpu.camera import eased, gentle, told
from unitask.engines.cpu.faces import find
from unitask.engines.cpu.framing import Framed, framed
from unitask.engines.cpu.scenery import Scenery
from unitask.kit.camera import STILL
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.spec.engine import Output
from unitask.spec.product import Product, Recipe

Array = NDArray[np.uint8]
CATALOGUE: Final = Catalogue.load()
WANX, CONTROL = "Qubico/wanx", "img2video-14b-control-camera"
SIZES: Final = {"16:9": [208, 120], "9:16": [120, 208], "1:1": [160, 160]}
SECONDS: Final = 5.3
FROM_PICTURES: Final = [
    product
    for product in CATALOGUE
    if plain_recipe(product).engine == "cpu"
    and plain_recipe(product).make in ("image_to_video", "keyframes", "camera_move")
]


def small(product: Product) -> Recipe:
    """Take the product's recipe, with a few small frames."""
    recipe = plain_recipe(product)
    options = {"frames": 9, "fps": 8, "sizes": SIZES} if "frames" in recipe.options else {"limit_side_px": 96}
    return Recipe("cpu", "basic", recipe.make, {**recipe.options, **options})


def order(folder: Path, model: str, task_type: str, **fields: Any) -> tuple[Output, LocalJob]:
    """Run a product with a small recipe; `settings` go to the job."""
    product = CATALOGUE.find(model, task_type)
    job = LocalJob(folder, small(product), **fields.pop("settings", {}))
    return cpu.ENGINE.run(product, product.input(**fields), job), job


def film(folder: Path, model: str, task_type: str, **fields: Any) -> Found:
    """Order a film and look at it."""
    _, job = order(folder, model, task_type, **fields)
    return films.look(list(job.saved.values())[-1])


def written(folder: Path, picture: Array, name: str = "in.png") -> str:
    """Write a picture as a file."""
    Image.fromarray(picture).save(folder / name)
    return str(folder / name)


def given(picture: Array, size: tuple[int, int] = (416, 240)) -> Framed:
    """Cut a picture to shape."""
    return framed(picture, *size, np.random.default_rng(7))


@cache
def person(size: tuple[int, int]) -> Scenery:
    """Film the astronaut, who stands out from her background."""
    return Scenery(given(skimage.data.astronaut(), size), np.random.default_rng(7))


@cache
def bright() -> Scenery:
    """Film her in light that leaves nothing dark."""
    return Scenery(given(np.maximum(skimage.data.astronaut(), 90), (208, 120)), np.random.default_rng(7))


@pytest.fixture(scope="module")
def portrait() -> Scenery:
    """Film the astronaut in a wide frame."""
    return person((416, 240))


@pytest.fixture(scope="module")
def cat() -> Scenery:
    """Film a cat that fills the picture: no subject stands out."""
    return Scenery(given(skimage.data.chelsea()), np.random.default_rng(7))


def after(scenery: Scenery, *moves: tuple[str, float]) -> Array:
    """Take the last frame of a film with these moves."""
    return np.asarray(scenery.seen(scenery.reachable(told(moves, SECONDS)).at(1.0)), np.uint8)


def followed(first: Array, last: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Follow details from one frame to another: where they were and where they are, both (n, 2)."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, last)]
    points: Any = cv2.goodFeaturesToTrack(grey[0], 500, 0.005, 4)
    there, good, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], points, points.copy(), winSize=(31, 31), maxLevel=4)
    back, good_back, _ = cv2.calcOpticalFlowPyrLK(grey[1], grey[0], there, there.copy(), winSize=(31, 31), maxLevel=4)
    kept = (np.ravel(good) & np.ravel(good_back)).astype(bool) & (np.abs(back - points).max(axis=(1, 2)) < 0.7)
    assert kept.sum() > 40
    return points[kept, 0], np.asarray(there, np.float32)[kept, 0]


def moved(first: Array, last: Array) -> dict[str, float]:
    """Say how the picture moved: `right` and `down` of its middle in pixels, `scale`, `turn` clockwise in radians."""
    turn: Any = cv2.estimateAffinePartial2D(*followed(first, last), ransacReprojThreshold=4.0)[0]
    middle = np.array((first.shape[1] / 2, first.shape[0] / 2))
    right, down = turn[:, :2] @ middle + turn[:, 2] - middle
    scale, angle = np.hypot(turn[0, 0], turn[1, 0]), np.arctan2(turn[1, 0], turn[0, 0])
    return {"right": float(right), "down": float(down), "scale": float(np.log(scale)), "turn": float(angle)}


# A camera that goes left sees things go right; one that rolls clockwise sees them turn the other way.
MOTIONS: Final = [
    ("zoom_in", "scale", 1, 0.05), ("zoom_out", "scale", -1, 0.05),
    ("pan_left", "right", 1, 8), ("pan_right", "right", -1, 8), ("pan_up", "down", 1, 5), ("pan_down", "down", -1, 5),
    ("tilt_left", "right", 1, 8), ("tilt_right", "right", -1, 8), ("tilt_up", "down", 1, 5),
    ("tilt_down", "down", -1, 5), ("roll_clockwise", "turn", -1, 0.03), ("roll_anticlockwise", "turn", 1, 0.03),
]  # fmt: skip
NAMES: Final = [name for name, *_ in MOTIONS]


@pytest.mark.parametrize("asked", MOTIONS, ids=NAMES)
@pytest.mark.parametrize("scene", ["portrait", "cat"])
def test_the_picture_moves_as_the_motion_says(
    request: pytest.FixtureRequest, scene: str, asked: tuple[str, str, int, float]
) -> None:
    """With depth and without: in the right direction, and the faster the further."""
    motion, what, sign, least = asked
    scenery: Scenery = request.getfixturevalue(scene)
    gone = [sign * moved(scenery.seen(STILL), after(scenery, (motion, speed)))[what] for speed in (0.025, 0.2)]
    assert gone[1] > least
    assert gone[1] > 1.3 * gone[0] > 0


@pytest.mark.parametrize("motion", ["pan_left", "pan_up", "tilt_left", "roll_clockwise"])
def test_a_slide_does_not_turn_and_a_turn_does_not_slide(cat: Scenery, motion: str) -> None:
    """What was not asked for stays as it is."""
    what = {name: what for name, what, *_ in MOTIONS}[motion]
    found = moved(cat.seen(STILL), after(cat, (motion, 0.2)))
    rest = {"right": 3.0, "down": 3.0, "scale": 0.03, "turn": 0.01}
    assert all(abs(found[name]) < most for name, most in rest.items() if name != what)


def test_what_is_near_moves_more_than_what_is_far(portrait: Scenery) -> None:
    """A camera that slides parts the astronaut from the wall, flag and shuttle beside her head."""
    assert not portrait.flat
    for motion in ("pan_left", "pan_right"):
        begin, end = followed(portrait.seen(STILL), after(portrait, (motion, 0.2)))
        person = (np.abs(begin[:, 0] - 185) < 25) & (begin[:, 1] > 30)
        behind = (np.abs(begin[:, 0] - 185) > 90) & (begin[:, 1] < 110)
        assert min(person.sum(), behind.sum()) > 5
        way = np.abs(end - begin)[:, 0]
        assert np.median(way[person]) > 1.15 * np.median(way[behind])


@pytest.mark.parametrize("motion", ["tilt_left", "tilt_up", "roll_clockwise"])
def test_a_turn_parts_nothing(portrait: Scenery, motion: str) -> None:
    """What a camera sees when it only turns is the flat picture in perspective; when it slides, it is not."""

    def bent(name: str) -> float:
        begin, end = followed(portrait.seen(STILL), after(portrait, (name, 0.2)))
        plane: Any = cv2.findHomography(begin, end, cv2.LMEDS)[0]
        return float(np.percentile(np.abs(cv2.perspectiveTransform(begin[:, None], plane)[:, 0] - end), 75))

    assert bent(motion) < 0.5 * bent("pan_left")


def test_movements_add_up(cat: Scenery) -> None:
    """Opposite ones cancel out, the same twice is one at twice the speed, and two are both seen."""
    assert told([("pan_left", 0.3), ("pan_right", 0.3)], 2) == told([], 2)
    assert told([("pan_up", 0.2), ("pan_up", 0.2)], 2) == told([("pan_up", 0.4)], 2)
    both = moved(cat.seen(STILL), after(cat, ("pan_left", 0.15), ("tilt_up", 0.15), ("roll_clockwise", 0.1)))
    assert both["right"] > 5
    assert both["down"] > 5
    assert both["turn"] < -0.02


def test_a_camera_at_speed_0_stands_still(portrait: Scenery) -> None:
    """Every frame is the picture, to the last bit."""
    assert np.array_equal(after(portrait, ("zoom_in", 0.0)), portrait.seen(STILL))


def test_movements_begin_and_end_softly() -> None:
    """The speed is steady in between, and never jumps."""
    steps = np.diff([eased(number / 100) for number in range(101)])
    assert (eased(0), eased(1)) == (0, 1)
    assert steps[0] < 0.2 * steps[50] > steps[-1]
    assert np.abs(np.diff(steps)).max() < 0.1 * steps[50]


@pytest.mark.parametrize("motion", NAMES)
def test_no_frame_shows_a_hole(motion: str) -> None:
    """In a picture without anything dark, nothing dark appears: neither beside it nor behind the subject."""
    scenery = bright()
    way = scenery.reachable(told([(motion, 10.0)], SECONDS))
    for share in (0.02, 0.3, 0.6, 1.0):
        assert scenery.seen(way.at(share)).min() > 55


@pytest.mark.parametrize("motion", NAMES)
@pytest.mark.parametrize("size", [(416, 240), (240, 416)])
def test_a_head_stays_in_the_frame_at_any_speed(motion: str, size: tuple[int, int]) -> None:
    """The camera stops before it cuts hair or chin off, and the face is still there to be found."""
    last = after(person(size), (motion, 10.0))
    (face,) = find(last)
    left, top, side = face.box
    assert left > 0.15 * side
    assert top > 0.3 * side
    assert left + 1.15 * side < size[0]
    assert top + 1.1 * side < size[1]


@pytest.mark.parametrize("at", [0, 420])
@pytest.mark.parametrize("size", [(120, 208), (160, 160), (208, 120)])
def test_a_crop_keeps_the_head(at: int, size: tuple[int, int]) -> None:
    """Also one at the end of a wide picture, and one that is as high as the frame."""
    wide = np.full((300, 640, 3), 150, np.uint8)
    wide[:, at : at + 220] = skimage.data.astronaut()[:300, 110:330]
    (face,) = find(wide)
    cut = given(wide, size)
    ((x0, y0, x1, y1),) = cut.heads
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]
    (found,) = find(cut.picture)
    scale = found.size / face.size
    # Where hair and chin are in the picture, there they are in the frame.
    assert found.middle[1] - 0.85 * face.size * scale > -2
    assert found.middle[0] == pytest.approx((x0 + x1) / 2, abs=0.15 * found.size)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (5, 3), (30, 2000)])
def test_any_picture_can_be_filmed(shape: tuple[int, int]) -> None:
    """No library underneath breaks on a picture of a few pixels, or one that is very wide."""
    picture = np.random.default_rng(3).integers(60, 255, (*shape, 3), np.uint8)
    scenery = Scenery(given(picture, (96, 64)), np.random.default_rng(7))
    assert after(scenery, ("zoom_out", 1.0)).shape == (64, 96, 3)


@pytest.mark.parametrize("product", FROM_PICTURES, ids=lambda product: product.key)
def test_examples_make_films_that_play_anywhere(product: Product, tmp_path: Path) -> None:
    """Of the right form, labelled; the warnings say what was not done."""
    picture = written(tmp_path, skimage.data.astronaut()[::2, ::2])
    for example in product.examples:
        raw = {name: picture if "image" in name else value for name, value in example.input.items()}
        job = LocalJob(tmp_path, small(product))
        output = cpu.ENGINE.run(product, product.input(**raw), job)
        found = films.look(list(job.saved.values())[-1])
        product.output.model_validate(output.fields)
        assert (found.codec, found.pixel_format, *found.boxes[:2]) == ("h264", "yuv420p", "ftyp", "moov")
        assert found.tags == {"comment": "Software=unitask; unitask:engine=cpu; unitask:level=basic"}
        assert camera_moves.STILL in job.warnings
        assert (camera_moves.UNREAD in job.warnings) == bool(raw.get("prompt"))
        assert job.fractions == sorted(job.fractions)
        assert job.fractions[-1] == 1


@pytest.mark.parametrize("ratio", SIZES)
def test_size_length_and_rate_are_the_recipe_s(ratio: str, tmp_path: Path) -> None:
    """To the frame and the pixel."""
    picture = written(tmp_path, skimage.data.coffee())
    found = film(tmp_path, WANX, "img2video-14b", image=picture, aspect_ratio=ratio)
    assert (len(found.frames), found.fps, list(found.size)) == (9, 8, SIZES[ratio])


def test_framepack_is_as_long_as_asked_and_as_wide_as_its_picture(tmp_path: Path) -> None:
    """Two seconds are 60 frames, and each second is measured."""
    picture = written(tmp_path, skimage.data.coffee())
    output, job = order(tmp_path, "Qubico/framepack", "img2video", start_image=picture, prompt="x", duration=2)
    found = films.look(list(job.saved.values())[-1])
    assert (len(found.frames), found.fps, found.size) == (60, Fraction(30), (96, 64))
    assert output.measures == {"second": 2.0}


def test_the_first_frame_is_the_picture(tmp_path: Path) -> None:
    """Neither moved nor changed; the last one is nearer."""
    picture = np.asarray(cv2.resize(skimage.data.coffee()[:346], (208, 120), interpolation=cv2.INTER_AREA), np.uint8)
    frames = film(tmp_path, WANX, "img2video-14b", image=written(tmp_path, picture)).frames
    assert np.abs(frames[0].astype(int) - picture).mean() < 5
    assert moved(frames[0], frames[-1])["scale"] > 0.05


def test_the_same_order_gives_the_same_bytes(tmp_path: Path) -> None:
    """A second attempt makes the same file; another seed leads the camera elsewhere."""
    picture = written(tmp_path, skimage.data.astronaut())
    files = set()
    for seed in (7, 7, 8):
        _, job = order(tmp_path, WANX, "img2video-14b", image=picture, settings={"seed": seed})
        files.add(list(job.saved.values())[-1].read_bytes())
    assert len(files) == 2


def test_a_long_film_swings_and_a_short_one_does_not() -> None:
    """Half a minute in one direction would hardly be seen to move."""
    rng = np.random.default_rng(1)
    short, long = gentle(5.0, rng), gentle(30.0, rng)
    assert len({np.sign(short.at(share).right) for share in (0.2, 0.4, 0.6, 0.9)}) == 1
    assert len({np.sign(long.at(share).right) for share in np.linspace(0.03, 0.97, 40)}) > 1


def test_a_picture_without_subject_is_filmed_flat_and_says_so(tmp_path: Path) -> None:
    """The cat fills the frame."""
    picture = written(tmp_path, skimage.data.chelsea())
    _, job = order(tmp_path, WANX, "img2video-14b", image=picture)
    assert camera_moves.FLAT in job.warnings
    _, job = order(tmp_path, WANX, "img2video-14b", image=written(tmp_path, skimage.data.astronaut()))
    assert camera_moves.FLAT not in job.warnings


def test_a_camera_that_is_held_back_says_so(tmp_path: Path) -> None:
    """Three moves at full speed lead out of the picture."""
    picture = written(tmp_path, skimage.data.astronaut())
    fast = [{"motion_type": name, "motion_speed": 10} for name in ("pan_left", "tilt_left", "zoom_out")]
    _, job = order(tmp_path, WANX, CONTROL, image=picture, control_camera_settings=fast)
    assert camera_moves.SHORTENED in job.warnings
    slow = [{"motion_type": "pan_left", "motion_speed": 0.2}]
    _, job = order(tmp_path, WANX, CONTROL, image=picture, control_camera_settings=slow)
    assert camera_moves.SHORTENED not in job.warnings


def test_a_picture_on_transparency_is_laid_on_white(tmp_path: Path) -> None:
    """The colour of what cannot be seen stays unseen."""
    hidden = np.zeros((60, 100, 4), np.uint8)
    hidden[20:40, 40:60] = (200, 60, 30, 255)
    frames = film(tmp_path, WANX, "img2video-14b", image=written(tmp_path, hidden)).frames
    assert frames[0][:10].min() > 245


@pytest.mark.parametrize("content", [b"", b"this is not a picture", b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    """With the phrase that clients match on, and nothing stored."""
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    for task_type, fields in (
        ("img2video-14b", {"image": str(path)}),
        ("img2video-14b-keyframe", {"start_image": written(tmp_path, skimage.data.coffee()), "end_image": str(path)}),
    ):
        with pytest.raises(MediaFailure, match=r"^failed to get valid image"):
            order(tmp_path, WANX, task_type, **fields)
    assert not list(tmp_path.glob("saved-*"))


@pytest.mark.parametrize("product", FROM_PICTURES, ids=lambda product: product.key)
def test_a_cancelled_job_ends_in_the_middle(product: Product, tmp_path: Path) -> None:
    """At the next report of progress, with nothing stored."""
    picture = written(tmp_path, skimage.data.astronaut()[::2, ::2])
    raw = {name: picture if "image" in name else value for name, value in product.examples[0].input.items()}
    job = LocalJob(tmp_path, small(product), cancel_when=lambda fraction: fraction > 0.4)
    with pytest.raises(Cancelled):
        cpu.ENGINE.run(product, product.input(**raw), job)
    assert not job.saved
    assert 0.4 < job.fractions[-1] < 0.8
