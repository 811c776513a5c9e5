"""What the preview engine understands of a prompt."""

import pytest

from unitask.engines.preview.colours import NAMED
from unitask.engines.preview.figures.registry import known
from unitask.engines.preview.words import Wish, read


def names(wish: Wish) -> list[tuple[str, int]]:
    """Name the figures and how many of each."""
    return [(item.figure.name, item.count) for item in wish.wanted]


def test_a_colour_belongs_to_the_next_figure() -> None:
    """Adjectives wait for their noun, also over a word in between."""
    wish = read("a red sailing boat and a big blue bird")
    assert names(wish) == [("boat", 1), ("bird", 1)]
    assert wish.wanted[0].colours == (NAMED["red"],)
    assert wish.wanted[1].colours == (NAMED["blue"],)
    assert wish.wanted[1].scale > 1


def test_clothes_colour_whoever_wears_them() -> None:
    """The colours before a garment go to the person before it."""
    wish = read("a girl in blue and red skirt")
    assert wish.wanted[0].colours == (NAMED["blue"], NAMED["red"])
    assert not wish.mood


@pytest.mark.parametrize(
    ("prompt", "figures", "places"),
    [
        ("一只白色的猫坐在窗前", [("cat", 1)], ["room"]),
        ("公园里的两只小狗", [("dog", 2)], ["meadow"]),
        ("рыжая лиса в зимнем лесу", [("fox", 1)], ["snow", "forest"]),
        ("чай на столе", [("cup", 1)], ["table"]),
        ("ein blaues Fahrrad vor einem alten Haus", [("bicycle", 1), ("house", 1)], []),
        ("drei Vögel über dem Meer", [("bird", 3)], ["water"]),
        ("two children see a rotten apple", [("boy", 2), ("apple", 1)], []),
    ],
)
def test_other_tongues_are_understood_a_little(prompt: str, figures: list[tuple[str, int]], places: list[str]) -> None:
    """Chinese, Russian and German nouns, with their endings; English words that look like German ones stay English."""
    wish = read(prompt)
    assert names(wish) == figures
    assert wish.places == places


def test_colours_of_other_tongues_go_to_their_nouns() -> None:
    """As in English."""
    for prompt in ("ein blaues Fahrrad", "синий велосипед", "蓝色的自行车"):
        assert read(prompt).wanted[0].colours == (NAMED["blue"],)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a bowl of ramen", [("bowl", 1)]),
        ("two cats", [("cat", 2)]),
        ("cats and a dog", [("cat", 3), ("dog", 1)]),
        ("three little kittens", [("cat", 3)]),
        ("a polar bear", [("bear", 1)]),
        ("Spider-Man", [("superhero", 1)]),
        ("people", [("man", 3)]),
        ("twenty unheard-of gizmos", []),
    ],
)
def test_figures_are_counted(prompt: str, expected: list[tuple[str, int]]) -> None:
    """Numbers, plurals and phrases lead to figures."""
    assert names(read(prompt)) == expected


def test_hour_weather_place_and_style_are_read() -> None:
    """Each has its own words, singular or plural."""
    wish = read("a stormy night over snowy mountains, in watercolours")
    assert (wish.hour, wish.weather) == ("night", "storm")
    assert {"snow", "mountains"} <= set(wish.places)
    assert wish.styles == ["watercolour"]


def test_a_colour_can_belong_to_the_sky_or_the_land() -> None:
    """Neither of them is a figure."""
    wish = read("green sky over a purple desert")
    assert (wish.sky, wish.land) == (NAMED["green"], NAMED["purple"])


def test_the_negative_prompt_takes_away() -> None:
    """What it names is not drawn, whatever the prompt says."""
    wish = read("a cat and a dog in the rain, city", "dogs, rain")
    assert names(wish) == [("cat", 1)]
    assert wish.weather == ""
    assert wish.places == ["city"]


@pytest.mark.parametrize("prompt", ["", "   ", "!!!", "Привет, мир", "ねこといぬ", "\x00\ud800", "a" * 20_000])
def test_any_text_can_be_read(prompt: str) -> None:
    """Nothing is known in it, and nothing breaks."""
    assert not read(prompt).has_scene


def test_unknown_words_are_kept_in_order() -> None:
    """They become the title of the stand-in."""
    assert read("quantum of the entanglement").unknown == ["quantum", "entanglement"]


def test_accents_are_left_out_and_syllables_kept() -> None:
    """An accent is no part of a known word; the marks on Japanese syllables and the parts of Korean ones are."""
    assert read("un château énorme").unknown == ["un", "chateau", "enorme"]
    assert read("ことば ぴあの 무지개").unknown == ["ことば", "ぴあの", "무지개"]


def test_many_figures_can_be_named() -> None:
    """The list holds each name once, in small letters, so that `read` can meet it."""
    words = known()
    assert len(words) > 200
    for word in words:
        assert names(read(f"a {word}")), word
