"""sdk/README.md, run as a reader would run it."""

from pathlib import Path

from support.examples import run, runnable
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import section, tables
from unitask_sdk import calls, errors, files, follow, webhook

README = text_of(ROOT / "sdk/README.md") or ""


def test_the_examples_work_one_after_the_other(tmp_path: Path) -> None:
    """In order, in one folder, against a server that has just been started."""
    folder = tmp_path / "reader"
    folder.mkdir()
    examples = runnable(README)
    assert len(examples) == 5
    with throw_away_server(tmp_path) as server:
        for block in examples:
            run(block, server, folder)
    made = {path.name for path in folder.iterdir()}
    assert made == {"cat.png", "cut.png", "a red boat.png", "a blue boat.png", "a green boat.png"}


def test_the_table_of_errors_is_whole() -> None:
    """Every class, but for the two roots that the text names."""
    (rows,) = tables(section(README, "Errors"))
    named = {name.strip(" `") for row in rows for name in row[0].split(",")}
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert named == kinds - {"UnitaskError", "Refused"}


def test_the_numbers_of_the_text_are_the_codes() -> None:
    """Sizes, tries, times."""
    text = " ".join(README.split())
    said = {
        "a data URI up to 256 KiB": files.INLINE_BYTES == 256 * 1024,
        "files up to 10 MiB go as data URIs": files.FALLBACK_BYTES == 10 * 2**20,
        "up to three times": calls.TRIES == 4,
        "a tenth later": follow.SHARE == 0.1,
        "after half a second": follow.SHORTEST_S == 0.5,
        "older than five minutes": webhook.TOLERANCE_S == 300,
    }
    assert [sentence for sentence, is_so in said.items() if sentence not in text or not is_so] == []
