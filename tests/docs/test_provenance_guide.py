"""docs/guide/provenance.md: its tables are the code's, and its example works."""

import re
import shutil
from pathlib import Path

import pytest

from support.examples import run, runnable
from support.loopback import answer, serving
from support.marked import marked, small
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import section, tables
from unitask.api import verify
from unitask.catalogue import Catalogue
from unitask.kit.media import CONTENT_TYPES
from unitask.provenance.containers import WALKERS
from unitask.provenance.manifest import FORMATS, MOST_SIGNED_FILE_BYTES
from unitask.provenance.sources import Source, source_of
from unitask.spec.product import Recipe

GUIDE = text_of(ROOT / "docs/guide/provenance.md") or ""
SPELLED = {"jpeg": "jpg", "matroska": "mkv"}
RECIPES = (
    Recipe("e", "full", "m"),
    Recipe("e", "basic", "m"),
    Recipe("e", "basic", "m", changes_little=True),
    Recipe("e", "preview", "m"),
)


def test_the_table_of_sources_is_the_rule() -> None:
    """Row by row; and each word that a result can have is explained."""
    rows, words = tables(section(GUIDE, "What is said"))
    for row, recipe in zip(rows, RECIPES, strict=True):
        assert f"`{recipe.level}`" in row[0]
        assert [cell.strip("`") for cell in row[1:]] == [source_of(recipe, has_media=has) for has in (False, True)]
    assert {row[0].strip("`") for row in words} == set(Source)
    little = {one.task_type for one in Catalogue.load() if any(recipe.changes_little for recipe in one.recipes)}
    assert set(re.findall("`([^`]+)`", rows[2][0])) == {"basic", *little}


def test_the_table_of_formats_is_what_is_marked() -> None:
    """Every format that a file can have is in it, with its marks."""
    (rows,) = tables(section(GUIDE, "Which files"))
    said = {
        SPELLED.get(name.lower(), name.lower()): (row[1].startswith("yes"), row[2].startswith("yes"))
        for row in rows
        for name in row[0].split(", ")
    }
    assert said == {extension: (extension in WALKERS, extension in FORMATS) for extension in CONTENT_TYPES}


def test_the_numbers_are_the_codes() -> None:
    """What is too large to sign, and to ask about."""
    assert f"more than {MOST_SIGNED_FILE_BYTES >> 20} MiB are not signed" in re.sub(r"\s+", " ", GUIDE)
    assert f"up to {verify.LIMIT_BYTES >> 20} MiB" in re.sub(r"\s+", " ", GUIDE)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_example_works(tmp_path: Path) -> None:
    """Against a picture elsewhere that somebody else signed."""
    content = marked(small(tmp_path, "jpg"), Source.TRAINED).path.read_bytes()
    (block,) = runnable(GUIDE)
    with (
        serving(answer(content)) as elsewhere,
        throw_away_server(tmp_path, UNITASK_ALLOW_PRIVATE_NETWORKS="true") as server,
    ):
        said = run(block, server, tmp_path, {"https://example.com/picture.jpg": elsewhere.url("/picture.jpg")})
    assert '"is_generated":true' in said
    assert '"state":"valid"' in said
