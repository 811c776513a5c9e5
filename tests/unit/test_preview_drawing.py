"""The parts that the preview engine draws with: figures, scenes, strip, control maps."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import preview
from unitask.engines.preview import control, lettering, scene, words
from unitask.engines.preview.figures.registry import known
from unitask.engines.preview.strip import Label, lay_strip, strip_height
from unitask.engines.preview.styles import FILTERS
from unitask.kit.errors import EngineFailure
from unitask.spec.product import Recipe

Array = NDArray[np.uint8]
PLACES = "mountains city forest meadow desert snow sea beach road space underwater room table studio sky rainbow aurora"
WEATHERS = "rain storm snowfall fog clouds"


def draw(prompt: str, size: tuple[int, int] = (128, 128), seed: int = 7) -> scene.Painting:
    """Paint a prompt's scene."""
    return scene.paint(words.read(prompt), *size, seed)


def white_square() -> Array:
    """Draw a white square on black, its sides at 40 and 79."""
    square = np.zeros((120, 120, 3), np.uint8)
    square[40:80, 40:80] = 255
    return square


@pytest.mark.parametrize("word", sorted({words.read(f"a {word}").wanted[0].figure.name for word in known()}))
def test_every_figure_is_seen(word: str) -> None:
    """It covers a fair part of the picture, inside of it, and by night too."""
    for hour in ("noon", "night"):
        cover = draw(f"a {word}, {hour}").cover > 128
        assert 0.01 < cover.mean() < 0.6
        assert not cover[0].any()


def test_the_colour_of_a_figure_is_its_own() -> None:
    """A red and a blue car in one picture, each where it stands."""
    painting = draw("a red car and a blue car", (256, 128))
    pixels = painting.rgb[painting.cover > 250].astype(int)
    assert (pixels[:, 0] > pixels[:, 2] + 80).sum() > 300
    assert (pixels[:, 2] > pixels[:, 0] + 80).sum() > 300


def test_as_many_figures_as_named_are_drawn() -> None:
    """Three cars hide about three times what one of that size hides, apart from each other."""
    columns = (draw("three cars", (600, 200)).cover > 128).any(axis=0)
    starts = np.flatnonzero(np.diff(columns.astype(int)) == 1)
    assert len(starts) == 3


def test_the_cat_is_drawn() -> None:
    """It stands in the middle; the scene around it is the one without a cat."""
    with_cat, without = (draw(prompt, (256, 256)).rgb.astype(int) for prompt in ("a cat in a meadow", "a meadow"))
    changed = np.abs(with_cat - without).max(axis=2) > 12
    assert changed[130:220, 90:166].mean() > 0.5
    assert changed[:90].mean() < 0.01
    assert changed[130:220, :40].mean() < 0.01


def test_a_negative_prompt_removes_the_cat() -> None:
    """What is left is the meadow, to the pixel."""
    kept = scene.paint(words.read("a cat in a meadow", "cats"), 128, 128, 7).rgb
    assert np.array_equal(kept, draw("a meadow").rgb)


def test_night_is_dark() -> None:
    """The hour decides the light."""
    assert draw("a city, night").rgb.mean() < draw("a city, noon").rgb.mean() * 0.6


@pytest.mark.parametrize("place", PLACES.split())
def test_places_differ(place: str) -> None:
    """Each is another picture than the plain meadow, in colour and not flat."""
    picture = draw(f"{place}, day").rgb.astype(int)
    assert picture.std() > 4
    if place != "meadow":
        assert np.abs(picture - draw("a meadow, day").rgb).mean() > 0.8


@pytest.mark.parametrize("weather", WEATHERS.split())
def test_weather_is_seen(weather: str) -> None:
    """It changes the whole scene."""
    assert np.abs(draw(f"a city, {weather}").rgb.astype(int) - draw("a city").rgb).mean() > 1.5


def test_a_tree_by_a_lake_stands_on_land() -> None:
    """The ground under it is sand, not water."""
    picture = draw("a tree by a lake").rgb[118:, 10:118].mean(axis=(0, 1))
    assert picture[0] > picture[2] + 20


@pytest.mark.parametrize("name", FILTERS)
def test_every_style_is_seen(name: str) -> None:
    """It changes the picture and keeps its size, also where there is next to nothing to change."""
    picture = draw("a cat in a forest", (96, 80)).rgb
    styled = FILTERS[name](picture, 7)
    assert styled.shape == picture.shape
    assert np.abs(styled.astype(int) - picture).mean() > 3
    assert FILTERS[name](np.full((48, 48, 3), 200, np.uint8), 7).shape == (48, 48, 3)


@pytest.mark.parametrize("size", [(64, 64), (64, 2048), (300, 200), (1024, 1024), (2024, 1024), (5, 5)])
def test_the_strip_stays_low(size: tuple[int, int]) -> None:
    """It never covers more than 9% of the height, unless that is less than a row."""
    assert 1 <= strip_height(*size) <= max(1, 0.09 * size[1])


def test_a_tiny_picture_still_says_preview() -> None:
    """At 64 x 64 the letters are five dots high, and nothing above them changes."""
    picture = np.full((64, 64, 3), 128, np.uint8)
    lay_strip(picture, Label("a cat", 7))
    amber = np.abs(picture[-5:].astype(int) - (255, 190, 60)).max(axis=2) < 10
    assert 60 < amber.sum() < 110
    assert (picture[:-5] == 128).all()


def test_letters_are_replaced_only_where_the_font_lacks_them() -> None:
    """Latin, Greek and Cyrillic stay; what no font has becomes the mark, line breaks become blanks."""
    mark = lettering.MARK
    for text in ("Zürich 12", "Привет", "Ωραία"):
        assert lettering.drawable(text) == text
    assert lettering.drawable("a\n  b") == "a b"
    assert lettering.drawable("a\U00013080b") == f"a{mark}b"
    assert lettering.drawable("\x00") == ""


@pytest.mark.parametrize("text", ["一只小猫坐在窗边", "猫が好き、ネコ", "고양이 한 마리", "a 猫 in Zürich"])
def test_chinese_japanese_and_korean_are_drawn_with_the_extra_for_fonts(text: str) -> None:
    """Every character has a shape of its own, other than the box that stands for one that the font lacks."""
    assert lettering.drawable(text) == text
    letters = lettering.font(40, text)
    shapes = {sign: bytes(letters.getmask(sign)) for sign in text if sign != " "}
    assert len({*shapes.values(), bytes(letters.getmask("\ue000"))}) == len(shapes) + 1


def test_a_line_that_needs_no_other_font_is_drawn_in_noto_sans() -> None:
    """So that a picture looks the same wherever it is made; the wide font lacks letters of Turkish and Polish, too."""
    for text in ("a cat", "Привет", "ağaç, łoś"):
        assert lettering.drawable(text) == text
        assert lettering.font(20, text).getname()[0] == "Noto Sans"


def test_a_long_line_ends_in_dots() -> None:
    """It is as long as the room allows, and no longer."""
    text = "a cat " * 100
    shown = lettering.fitted(text, 20, 200)
    assert shown.endswith("...")
    assert 150 < lettering.length(shown, 20) <= 200
    assert lettering.fitted("a cat", 20, 200) == "a cat"
    assert lettering.fitted(text, 20, 3) == ""


def test_canny_finds_the_edges_and_nothing_else() -> None:
    """The square has four lines where its sides are."""
    edges = control.canny(white_square()) > 0
    rows, columns = np.nonzero(edges)
    sides = [np.abs(rows - 40), np.abs(rows - 79), np.abs(columns - 40), np.abs(columns - 79)]
    assert np.minimum.reduce(sides).max() <= 2
    assert edges[38:43, 60].any()
    assert edges[60, 77:82].any()
    assert len(rows) > 120


def test_soft_edges_are_where_brightness_changes() -> None:
    """Strong on a side, nothing inside or far away."""
    soft = control.soft_edge(white_square())
    assert soft[60, 38:43].max() > 200
    assert soft[60, 60] < 5
    assert soft[5, 5] < 5


def test_the_guessed_depth_puts_the_lower_nearer() -> None:
    """On an even picture position alone decides."""
    depth = control.depth(np.full((100, 80, 3), 120, np.uint8))
    assert depth[5].mean() < depth[50].mean() < depth[95].mean()


def test_the_outline_is_the_one_of_the_figure() -> None:
    """Lines round the square, none along the border of the picture."""
    outline = control.outline(white_square()) > 0
    assert outline[30:90, 30:90].any()
    assert not outline[:20].any()


@pytest.mark.parametrize("kind", ["canny", "soft_edge", "openpose"])
def test_a_scene_follows_the_lines_of_its_map(kind: str) -> None:
    """Along the square's sides it changes more than elsewhere, the more the stronger."""
    plain = draw("a meadow", (120, 120)).rgb
    read, _ = control.MAPS[kind]
    control_map = read(white_square())
    lines = control_map > 128

    def change(strength: float) -> tuple[float, float]:
        away = np.abs(control.follow(plain, control_map, kind, strength).astype(int) - plain).mean(axis=2)
        return float(away[lines].mean()), float(away[~lines].mean())

    weak, strong = change(0.1), change(0.9)
    assert weak[0] > 2 * weak[1]
    assert strong[0] > strong[1] + 20
    assert strong[0] > weak[0]


def test_an_unknown_make_is_an_engine_failure(tmp_path: Path) -> None:
    """A recipe for a newer engine is named, not met with a crash."""
    product = Catalogue.load().find("Qubico/flux1-dev", "txt2img")
    job = LocalJob(tmp_path, Recipe("preview", "preview", "hologram"))
    with pytest.raises(EngineFailure, match="hologram"):
        preview.ENGINE.run(product, product.input(prompt="a cat"), job)
