"""docs/guide/adding-a-model.md: its package is installed as it stands, and orders of it say what the page says."""

import tomllib
from pathlib import Path

from support.examples import run, runnable
from support.plugin import install
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import Block, blocks
from unitask.weights.card import read_cards

GUIDE = text_of(ROOT / "docs/guide/adding-a-model.md") or ""


def only(info: str) -> Block:
    """Find the one block of this kind."""
    (found,) = (block for block in blocks(GUIDE) if block.info == info)
    return found


def test_the_package_of_the_page_is_ordered_from(tmp_path: Path) -> None:
    """Installed with the entry points of its pyproject.toml, by command and by library, priced and validated."""
    project = tomllib.loads(only("toml pyproject").body)["project"]
    groups = {name.removeprefix("unitask."): entries for name, entries in project["entry-points"].items()}
    module = tmp_path / "acme_mosaic.py"
    module.write_text(only("python module").body)
    assert {entry.split(":")[0] for entries in groups.values() for entry in entries.values()} == {module.stem}
    named = {group: {name: entry.split(":")[1] for name, entry in entries.items()} for group, entries in groups.items()}
    found_by = install(tmp_path / "plugin", module, **named)
    folder = tmp_path / "reader"
    folder.mkdir()
    with throw_away_server(tmp_path, **found_by) as server:
        said = [run(block, server, folder) for block in runnable(GUIDE)]
    assert {path.name for path in folder.iterdir()} == {"cat.png", "mosaic.png"}
    (expected,) = (block.body for block in blocks(GUIDE) if block.info == "text" and "dollars" in block.body)
    assert said[-1] == expected


def test_the_card_of_the_page_can_be_read(tmp_path: Path) -> None:
    """With nothing in it that a card does not have."""
    (tmp_path / "acme-mosaic.toml").write_text(only("toml").body)
    assert read_cards(tmp_path)["acme-mosaic"].license.name == "Apache-2.0"
