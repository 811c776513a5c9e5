"""docs/guide/adding-a-model.md: its package is installed as it stands, and orders of it say what the page says."""

import os
from pathlib import Path

from support.examples import run, runnable
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import Block, blocks
from unitask.weights.card import read_cards

# From this machine alone: what the package needs is installed already.
PIP = {"PIP_QUIET": "1", "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
GUIDE = text_of(ROOT / "docs/guide/adding-a-model.md") or ""


def only(info: str) -> Block:
    """Find the one block of this kind."""
    (found,) = (block for block in blocks(GUIDE) if block.info == info)
    return found


def test_the_package_of_the_page_is_ordered_from(tmp_path: Path) -> None:
    """Both files as they stand, installed by pip; by command and by library, priced and validated."""
    package, installed, folder = (tmp_path / name for name in ("acme-mosaic", "installed", "reader"))
    package.mkdir()
    folder.mkdir()
    (package / "pyproject.toml").write_text(only("toml pyproject").body)
    (package / "acme_mosaic.py").write_text(only("python module").body)
    installed.mkdir()
    found_by = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
    settings = {**PIP, "PIP_TARGET": str(installed), "PYTHONPATH": found_by}
    with throw_away_server(tmp_path, script=only("sh starts").body, **settings) as server:
        said = [run(block, server, folder, PYTHONPATH=found_by) for block in runnable(GUIDE)]
    assert "mosaic" in (tmp_path / "server.log").read_text(), "the catalogue lists it"
    assert {path.name for path in folder.iterdir()} == {"cat.png", "mosaic.png"}
    (expected,) = (block.body for block in blocks(GUIDE) if block.info == "text" and "dollars" in block.body)
    assert said[-1] == expected


def test_the_card_of_the_page_can_be_read(tmp_path: Path) -> None:
    """With nothing in it that a card does not have."""
    (tmp_path / "acme-mosaic.toml").write_text(only("toml").body)
    assert read_cards(tmp_path)["acme-mosaic"].license.name == "Apache-2.0"
