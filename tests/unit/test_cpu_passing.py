"""The engine `cpu` lets one picture pass into another."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support import films, people
from support.films import Found
from support.job import LocalJob
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu import camera_moves
from unitask.engines.cpu.faces import find
from unitask.engines.cpu.passing import FADES, Passing
from unitask.spec.product import Recipe

Array = NDArray[Any]
CATALOGUE: Final = Catalogue.load()
WIDE, HIGH = 256, 160


def film(folder: Path, model: str, task_type: str, start: Array, end: Array, **fields: Any) -> tuple[Found, LocalJob]:
    """Order a small film from one picture to another; the pictures may go by any of the product's names."""
    product = CATALOGUE.find(model, task_type)
    options = plain_recipe(product).options
    small = {"frames": 9, "fps": 8, "sizes": {"16:9": [WIDE, HIGH]}} if "frames" in options else {"limit_side_px": WIDE}
    for name, picture in (("start", start), ("end", end)):
        Image.fromarray(picture).save(folder / f"{name}.png")
        fields[f"{name}_image"] = str(folder / f"{name}.png")
    job = LocalJob(folder, Recipe("cpu", "basic", plain_recipe(product).make, {**options, **small}))
    cpu.ENGINE.run(product, product.input(**fields), job)
    return films.look(next(iter(job.saved.values()))), job


def sized(picture: Array) -> Array:
    """Cut a picture to the shape of the films here."""
    high = round(picture.shape[1] * HIGH / WIDE)
    return np.asarray(cv2.resize(picture[:high], (WIDE, HIGH), interpolation=cv2.INTER_AREA), np.uint8)


def apart(one: Array, other: Array) -> float:
    """Measure how different two pictures are, away from their edges."""
    inner = np.s_[20:-20, 40:-40]
    return float(np.abs(one[inner].astype(int) - other[inner]).mean())


def shifted(by: int) -> Array:
    """See the coffee with the camera so far to the right."""
    return np.ascontiguousarray(skimage.data.coffee()[100 : 100 + HIGH, 100 + by : 100 + by + WIDE])


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        (("Qubico/wanx", "img2video-14b-keyframe"), {}),
        (("Qubico/framepack", "img2video"), {"prompt": "she turns", "duration": 1}),
        (("Qubico/framepack", "img2video"), {"prompt": "she turns", "duration": 7}),
    ],
)
def test_a_film_begins_with_one_picture_and_ends_with_the_other(
    task: tuple[str, str], fields: dict[str, Any], tmp_path: Path
) -> None:
    """Both are seen whole, and in between there is some of both."""
    start, end = sized(skimage.data.coffee()), sized(skimage.data.astronaut())
    found, job = film(tmp_path, *task, start, end, **fields)
    assert len(found.frames) == (9 if not fields else 30 * fields["duration"])
    first, last = found.frames[0], found.frames[-1]
    assert np.abs(first.astype(int) - start).mean() < 5
    assert np.abs(last.astype(int) - end).mean() < 5
    seconds = len(found.frames) / found.fps
    middle = found.frames[round(len(found.frames) - min(4, seconds) / 2 * found.fps)]
    assert min(apart(middle, start), apart(middle, end)) > 15
    assert camera_moves.STILL in job.warnings


def test_a_long_film_moves_before_it_passes_over(tmp_path: Path) -> None:
    """The camera goes a little way and comes back; no frame jumps."""
    start, end = sized(skimage.data.coffee()), sized(skimage.data.rocket())
    found, _ = film(tmp_path, "Qubico/framepack", "img2video", start, end, prompt="x", duration=8)
    assert apart(found.frames[60], found.frames[0]) > 5
    steps = [apart(one, other) for one, other in zip(found.frames, found.frames[1:], strict=False)]
    assert max(steps) < 6


@pytest.mark.parametrize("by", [10, 30])
def test_what_both_pictures_show_moves_from_one_place_to_the_other(by: int) -> None:
    """Half way, the camera is half way: a cross-fade would show everything twice."""
    first, last, between = shifted(0), shifted(by), shifted(by // 2)
    passing = Passing(first, last)
    faded = cv2.addWeighted(first, 0.5, last, 0.5, 0)
    assert not passing.fades
    assert apart(passing.at(first, 0.5), between) < 0.5 * apart(faded, between)


def test_a_picture_turns_and_grows_on_its_way_to_a_turned_and_larger_one() -> None:
    """So far that no flow could follow it; half way it has turned and grown by half."""

    def turned(share: float) -> Array:
        matrix = cv2.getRotationMatrix2D((300, 200), 24 * share, 1.4**share)
        whole = cv2.warpAffine(skimage.data.coffee(), matrix, (600, 400), borderMode=cv2.BORDER_REFLECT)
        return np.ascontiguousarray(whole[200 - HIGH // 2 :, 300 - WIDE // 2 :][:HIGH, :WIDE])

    first, last = turned(0), turned(1)
    frame = Passing(first, last).at(first, 0.5)
    assert apart(frame, turned(0.5)) < 0.5 * apart(cv2.addWeighted(first, 0.5, last, 0.5, 0), turned(0.5))


def test_a_part_that_moves_is_followed() -> None:
    """The cup's picture slides before a backdrop that stays; no common turn explains that."""
    backdrop = np.repeat(np.repeat(np.random.default_rng(5).integers(60, 200, (20, 32, 3), np.uint8), 8, 0), 8, 1)
    backdrop = cv2.GaussianBlur(backdrop, (0, 0), 3)

    def at(x: int) -> Array:
        picture = backdrop.copy()
        picture[30:130, x : x + 100] = cv2.resize(skimage.data.coffee()[:, 100:500], (100, 100))
        return picture

    first, last, between = at(70), at(86), at(78)
    frame = Passing(first, last).at(first, 0.5)
    faded = cv2.addWeighted(first, 0.5, last, 0.5, 0)
    inside = np.s_[40:120, 90:165]
    assert (
        np.abs(frame[inside].astype(int) - between[inside]).mean()
        < 0.6 * np.abs(faded[inside].astype(int) - between[inside]).mean()
    )


def test_a_face_stays_a_face_on_its_way_to_another() -> None:
    """Eyes come to lie on eyes: half way there is one face, between where both were."""
    first = np.full((320, 480, 3), 140, np.uint8)
    last = first.copy()
    first[:, :320] = people.astronaut()
    last[40:300, 230:446] = cv2.resize(people.admiral(), (216, 260), interpolation=cv2.INTER_AREA)
    (one,), (other,) = find(first), find(last)
    passing = Passing(first, last)
    assert not passing.fades
    (met,) = find(passing.at(first, 0.5))
    wanted = (np.array(one.middle) + other.middle) / 2
    assert np.abs(np.array(met.middle) - wanted).max() < 0.2 * met.size
    assert min(one.size, other.size) * 0.85 < met.size < max(one.size, other.size) * 1.15


def test_pictures_with_nothing_in_common_fade_and_say_so(tmp_path: Path) -> None:
    """Half way there is half of each, and nothing is bent."""
    start, end = sized(skimage.data.coffee()), sized(skimage.data.rocket())
    frame = Passing(start, end).at(start, 0.55)
    assert apart(frame, cv2.addWeighted(start, 0.5, end, 0.5, 0)) < 3
    _, job = film(tmp_path, "Qubico/wanx", "img2video-14b-keyframe", start, end)
    assert FADES in job.warnings


def test_the_same_pictures_give_the_same_film(tmp_path: Path) -> None:
    """To the byte."""
    files = set()
    for _ in range(2):
        _, job = film(tmp_path, "Qubico/wanx", "img2video-14b-keyframe", shifted(0), shifted(20))
        files.add(next(iter(job.saved.values())).read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (40, 3)])
def test_any_two_pictures_can_be_joined(shape: tuple[int, int], tmp_path: Path) -> None:
    """No library underneath breaks on a picture of a few pixels."""
    tiny = np.full((*shape, 3), 200, np.uint8)
    found, _ = film(tmp_path, "Qubico/wanx", "img2video-14b-keyframe", tiny, shifted(0))
    assert len(found.frames) == 9
