"""docs/guide/models.md: its tables are the cards', its card can be read, and what it says of names is so."""

import tomllib
from pathlib import Path

from support.source import ROOT, text_of
from support.texts import blocks, section, tables
from unitask.weights.arrival import in_words
from unitask.weights.card import read_cards, read_loras

GUIDE = text_of(ROOT / "docs/guide/models.md") or ""
NOWHERE = Path("/nonexistent")


def test_the_table_of_models_is_that_of_the_cards() -> None:
    """Every card, with what a person needs to know before a pull."""
    (rows,) = tables(section(GUIDE, "Models and their licences"))
    cards = [
        [
            f"`{card.id}`",
            card.title,
            card.repository,
            in_words(card.disk_bytes),
            f"`{card.base}`" if card.base else "",
            card.license.name,
        ]
        for card in read_cards(NOWHERE).values()
    ]
    assert rows == cards


def test_the_table_of_loras_is_that_of_the_cards() -> None:
    """By the names under which they are pulled."""
    (rows,) = tables(section(GUIDE, "LoRAs"))
    assert rows == [
        [f"`lora:{card.family}/{card.name}`", card.repository, card.license.name]
        for card in read_loras(NOWHERE).values()
    ]


def test_the_cards_that_it_shows_can_be_read(tmp_path: Path) -> None:
    """As they stand, and they show every field that a card has."""
    shown = [block.body for block in blocks(GUIDE) if block.info == "toml"]
    (tmp_path / "loras").mkdir()
    names = ("shown.toml", "loras/flux.toml", "eight-bits.toml", "flux1-dev.toml")
    for name, text in zip(names, shown, strict=True):
        (tmp_path / name).write_text(text)
    assert read_cards(tmp_path)["eight-bits"].storage == "int8"
    assert read_cards(tmp_path)["flux1-dev"].base == "flux1-dev-parts"
    card = read_cards(tmp_path)["shown"]
    assert {"id", *tomllib.loads(shown[0])} == set(type(card).model_fields)
    assert read_loras(tmp_path)["flux", "my-style"].license.name == "Apache-2.0"
