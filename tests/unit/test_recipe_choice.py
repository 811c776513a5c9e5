"""Which of an engine's recipes for a product an attempt follows, and what it says of itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.attempts import attempt
from support.weights import write_card
from unitask.catalogue import Catalogue
from unitask.spec.product import Recipe
from unitask.worker.making import Prepared, prepare

CARDS = ("large", "small")


@pytest.fixture
def catalogue() -> Catalogue:
    """One product that an engine makes from two kinds of weights, at two levels."""
    product = Catalogue.load().find("Qubico/flux1-dev", "txt2img")
    recipes = (Recipe("preview", "full", "a", weights=CARDS[:1]), Recipe("preview", "basic", "b", weights=CARDS[1:]))
    return Catalogue.of([replace(product, recipes=recipes)])


def prepared(catalogue: Catalogue, models: Path) -> Prepared:
    """Prepare an attempt with what lies on this shelf."""
    found = prepare(
        catalogue,
        attempt(models, model="Qubico/flux1-dev", task_type="txt2img", engine="preview", input={"prompt": "a cat"}),
    )
    assert isinstance(found, Prepared)
    return found


@pytest.mark.parametrize(
    ("here", "level"), [(("large", "small"), "full"), (("large",), "full"), (("small",), "basic"), ((), "full")]
)
def test_the_first_recipe_whose_weights_are_here_is_followed(
    tmp_path: Path, catalogue: Catalogue, here: tuple[str, ...], level: str
) -> None:
    """Where none of them is, the first says what to get."""
    for card in CARDS:
        write_card(tmp_path, card)
    for card in here:
        (tmp_path / card).mkdir()
        (tmp_path / card / "unitask.json").write_text('{"revision": "main", "files": {}}')
    assert prepared(catalogue, tmp_path).recipe.level == level
