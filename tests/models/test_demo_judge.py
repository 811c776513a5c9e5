"""Who judges the demo model: right about what was drawn, and not to be pleased."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from unitask.demo.exam import ENOUGH, marks, questions
from unitask.demo.judge import sight
from unitask.demo.scenes import COLOURS, OUTLINES, PLACES, SIDE_PX, Scene, caption, drawn, scenes, vocabulary

ALL = list(scenes())
SCENE = Scene("red", "circle", "top left", "blue")


def picture(scene: Scene = SCENE, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a scene."""
    return np.array(drawn(scene, np.random.default_rng(seed)))


def test_every_scene_is_seen_as_what_was_drawn() -> None:
    """All of them, with chance in size, place and shade."""
    chance = np.random.default_rng(1)
    assert [scene for scene in ALL if sight(drawn(scene, chance)) != scene] == []


def test_a_grainy_picture_is_still_seen() -> None:
    """Painted pictures are not as clean as drawn ones."""
    chance = np.random.default_rng(2)
    some = ALL[::17]
    grainy = (np.clip(drawn(scene, chance) + chance.normal(0, 8, (SIDE_PX, SIDE_PX, 3)), 0, 255) for scene in some)
    right = [sight(one.astype(np.uint8)) == scene for one, scene in zip(grainy, some, strict=True)]
    assert np.mean(right) > 0.97


@pytest.mark.parametrize(
    ("part", "other"),
    [("colour", "green"), ("shape", "square"), ("shape", "star"), ("place", "top"), ("background", "white")],
)
def test_a_picture_of_something_else_is_wrong_in_just_that(part: str, other: str) -> None:
    """Each answer is counted by itself."""
    asked = replace(SCENE, **{part: other})
    found = marks([(asked, sight(picture()))])
    assert getattr(found, part) == 0
    assert found.right == (part == "background")
    assert found.with_background == 0
    assert sum(getattr(found, one) for one in ("colour", "shape", "place", "background")) == 3


def test_what_is_no_single_clear_thing_is_nothing() -> None:
    """An empty picture, noise, two things, one that fills all, one of a colour without a name."""
    chance = np.random.default_rng(3)
    two = picture()
    two[40:60, 40:60] = COLOURS["red"]
    full = np.full((SIDE_PX, SIDE_PX, 3), 20, np.uint8)
    full[4:-4, 4:-4] = 240
    odd = np.full((SIDE_PX, SIDE_PX, 3), 245, np.uint8)
    odd[8:24, 8:24] = (120, 220, 220)
    blurred = np.full((SIDE_PX, SIDE_PX, 3), 120, np.uint8)
    noise = chance.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    for nothing in (two, full, odd, blurred, noise):
        assert sight(nothing) is None


def test_a_blob_has_no_shape() -> None:
    """What only resembles a known shape is not taken for it: a bar, a ring, a square on its corner."""
    bar = np.full((SIDE_PX, SIDE_PX, 3), 245, np.uint8)
    for step in range(24):
        bar[10 + step, 4 + step : 12 + step] = COLOURS["red"]
    assert sight(bar) is None
    ring = picture(Scene("red", "circle", "center", "white"))
    ring[28:36, 28:36] = ring[0, 0]
    assert sight(ring) is None
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX // 2
    diamond = np.where((abs(rows) + abs(columns) < 16)[..., None], COLOURS["red"], COLOURS["white"])
    assert sight(diamond) is None


def test_a_fifth_of_all_combinations_is_held_out_and_every_pair_is_trained() -> None:
    """What is measured is putting known things together anew."""
    held = {(one.colour, one.shape, one.place) for one in ALL if one.held_out}
    kept = {(one.colour, one.shape, one.place) for one in ALL if not one.held_out}
    assert not held & kept
    assert len(held) * 5 == len(held | kept) == len(COLOURS) * len(OUTLINES) * len(PLACES)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        pairs = {(one[first], one[second]) for one in held | kept}
        assert {(one[first], one[second]) for one in kept} == pairs


def test_an_exam_asks_for_every_held_out_combination_and_nothing_else() -> None:
    """Each equally often; the same seed asks the same."""
    asked = questions(504, seed=0)
    assert all(scene.held_out for scene, _ in asked)
    assert {scene for scene, _ in asked} == {scene for scene in ALL if scene.held_out}
    assert questions(504, seed=0) == asked
    assert questions(504, seed=1) != asked


def test_captions_say_colour_shape_place_and_background() -> None:
    """All of them, in several ways; only the center may go without saying."""
    chance, words = np.random.default_rng(4), set(vocabulary())
    for scene in ALL:
        said = caption(scene, chance).lower().replace(",", "").split()
        assert set(said) <= words
        assert {scene.colour, scene.shape, scene.background} <= set(said)
        assert set(scene.place.split()) <= set(said) or scene.place == "center"
    assert len({caption(SCENE, chance) for _ in range(50)}) > 8


def test_marks_are_shares() -> None:
    """Two of three right is less than enough."""
    found = marks([(SCENE, SCENE), (SCENE, SCENE), (SCENE, None)])
    assert found.right == found.with_background == found.colour == pytest.approx(2 / 3)
    assert found.right < ENOUGH
    assert str(found).startswith("66.7% of 3 prompts right")
