"""What is said of a result: by its recipe, by what it was made of, and by what its inputs say of themselves."""

import pytest

from unitask.catalogue import Catalogue
from unitask.provenance.sources import GENERATED, Source, named, over, source_of
from unitask.provenance.statement import statement
from unitask.spec.product import Recipe

FULL = Recipe("diffusers", "full", "make")
BASIC = Recipe("cpu", "basic", "make")
LITTLE = Recipe("cpu", "basic", "make", changes_little=True)
PREVIEW = Recipe("preview", "preview", "make")
DEMO = Recipe("demo", "preview", "shapes", weights=("demo",))
SPEECH = Recipe("espeak", "basic", "speech")
CHANGE_LITTLE = {"upscale", "background-remove", "segment"}
T, C, S, D, E = Source.TRAINED, Source.WITH_TRAINED, Source.SYNTHETIC, Source.DRAWN, Source.ENHANCED


@pytest.mark.parametrize(
    ("recipe", "alone", "over_media"),
    [(FULL, T, C), (DEMO, T, C), (BASIC, D, S), (LITTLE, D, E), (SPEECH, D, D), (PREVIEW, D, D)],
)
def test_a_recipe_says_where_its_results_come_from(recipe: Recipe, alone: Source, over_media: Source) -> None:
    """A trained model, a classical algorithm, or a drawing; with the client's media or without."""
    assert source_of(recipe, has_media=False) == alone
    assert source_of(recipe, has_media=True) == over_media


def test_whatever_comes_of_words_alone_counts_as_generated() -> None:
    """No recipe of the catalogue makes something of nothing and calls it enhanced."""
    for product in Catalogue.load():
        for recipe in product.recipes:
            assert source_of(recipe, has_media=False) in GENERATED


def test_what_a_basic_recipe_shows_that_was_never_taken_counts_as_generated() -> None:
    """A swapped face, a video of a still, what was painted over: all but what is only larger or cut out."""
    over_media = {
        (product.task_type, source_of(recipe, has_media=True))
        for product in Catalogue.load()
        for recipe in product.recipes
        if recipe.engine == "cpu"
    }
    assert {task_type for task_type, source in over_media if source not in GENERATED} == CHANGE_LITTLE
    assert {"face-swap", "multi-face-swap", "img2video", "fill-inpaint", "fill-outpaint", "extend"} <= {
        task_type for task_type, source in over_media if source is S
    }


@pytest.mark.parametrize(
    ("made", "inputs", "said"),
    [
        (E, [], E),
        (E, [""], E),
        (E, ["digitalCapture"], E),
        (E, [T], T),
        (E, [T, T], T),
        (E, [T, ""], C),
        (E, [C], C),
        (E, [D], D),
        (E, [D, ""], S),
        (E, [S], S),
        (S, [], S),
        (S, ["digitalCapture", ""], S),
        (S, [T], T),
        (S, [T, ""], C),
        (S, [D], D),
        (D, [T], C),
        (D, [D], D),
        (D, [""], D),
        (C, [T], C),
        (T, [D], T),
    ],
)
def test_no_step_makes_less_of_what_an_input_says(made: Source, inputs: list[str], said: Source) -> None:
    """What was generated stays so, however it is cut, enlarged or joined."""
    assert over(made, inputs) == said


def test_the_strongest_word_in_a_text_counts() -> None:
    """A packet may name several."""
    both = f"{Source.ENHANCED.uri} {Source.TRAINED.uri}".encode()
    assert named(both) == Source.TRAINED
    assert named(b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture") == "digitalCapture"
    assert named(b"nothing of the kind") == ""


def test_an_edited_file_is_one_that_keeps_something_of_a_single_file_of_its_kind() -> None:
    """A film of a picture is a new file, and so is a drawing after one."""

    def edited(recipe: Recipe, extension: str, *inputs: str) -> bool:
        return statement(recipe, "m", extension, inputs, has_media=bool(inputs)).edited

    assert edited(BASIC, "png", "jpg")
    assert edited(LITTLE, "png", "jpg")
    assert not edited(BASIC, "mp4", "png")
    assert edited(FULL, "mp4", "mov")
    assert not edited(FULL, "mp4", "png")
    assert not edited(FULL, "png", "png", "png")
    assert not edited(PREVIEW, "png", "png")
    assert not edited(FULL, "png")
