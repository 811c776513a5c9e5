"""README.md, run as a reader would run it.

All its examples one after the other, in one empty folder, against a server of their own. A later block may use the
files of an earlier one.
"""

import shutil
from pathlib import Path

import pytest

from support.examples import ADDRESS, INTERPRETERS, refused, run, runnable
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import section, tables
from unitask.catalogue import Catalogue
from unitask.weights.card import read_cards

EXAMPLES = runnable(text_of(ROOT / "README.md") or "")


@pytest.mark.parametrize(
    ("output", "is_refusal"),
    [
        ('{"code": 401, "message": "the key is wrong"}', True),
        ('{"code": 200, "data": {}, "message": "success"}', False),
        ("boat.png", False),
        ("", False),
    ],
)
def test_a_refusal_is_told_from_an_answer(output: str, is_refusal: bool) -> None:  # noqa: FBT001 - a case
    """Otherwise a curl block with a wrong body would pass."""
    assert (refused(output) is not None) is is_refusal


def test_there_are_examples_to_run() -> None:
    """At least one with curl and one in Python; otherwise the other test would pass for nothing."""
    assert any(block.info == "sh run" and "curl" in block.body for block in EXAMPLES)
    assert any(block.info == "python run" for block in EXAMPLES)
    assert {block.info.split()[0] for block in EXAMPLES} <= set(INTERPRETERS)


def test_every_example_names_the_address_of_make_up() -> None:
    """It is the text that is replaced: an example with another address would leave this machine."""
    missing = [f"README.md:{block.line}" for block in EXAMPLES if ADDRESS not in block.body]
    assert not missing, f"these blocks do not name {ADDRESS}: {missing}"


def test_the_examples_work_one_after_the_other(tmp_path: Path) -> None:
    """In order, in one folder, against a server that has just been started."""
    left_out = []
    folder = tmp_path / "reader"
    folder.mkdir()
    with throw_away_server(tmp_path) as server:
        for block in EXAMPLES:
            if "curl" in block.body and not shutil.which("curl"):
                left_out.append(f"README.md:{block.line}")
            else:
                run(block, server, folder)
    if left_out:
        pytest.skip(f"curl is not installed, so these were left out: {left_out}")


def made_from_weights() -> list[list[str]]:
    """Write the rows of the table from the catalogue and the cards: a model, what is made of it, from what."""
    cards = read_cards(Path("/nonexistent"))
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for product in Catalogue.load():
        for recipe in product.recipes:
            if recipe.level == "full":
                found.setdefault((product.model, recipe.weights), []).append(product.task_type)
    return [
        [
            f"`{model}`",
            ", ".join(f"`{task_type}`" for task_type in task_types),
            ", ".join(f"`{card}`" for card in weights),
            "; ".join(f"{card}: {cards[card].verified}" for card in weights if cards[card].verified) or "not yet",
        ]
        for (model, weights), task_types in found.items()
    ]


def test_the_table_of_what_is_made_from_weights_is_the_catalogue_s() -> None:
    """With who has seen the real ones work, as the cards say."""
    (rows,) = tables(section(text_of(ROOT / "README.md") or "", "From real weights"))
    expected = made_from_weights()
    assert rows == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)
