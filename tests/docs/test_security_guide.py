"""The guide to security promises nothing that no test shows."""

import re

from support.source import ROOT, no_offenders, text_of

GUIDE = ROOT / "docs" / "guide" / "security.md"
PROOF = re.compile(r"\[(test_\w+)\]\(\.\./\.\./([\w/]+\.py)\)")
LEAST_PROMISES = 25


def promises() -> list[str]:
    """List the rows of all tables of promises."""
    tables = re.findall(r"\| promise \| test \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text_of(GUIDE) or "")
    return [row for table in tables for row in table.splitlines()]


def test_every_promise_names_a_test() -> None:
    """At least one for each row."""
    assert len(promises()) >= LEAST_PROMISES
    no_offenders((row for row in promises() if not PROOF.search(row)), "A promise names the test that shows it.")


def test_every_test_that_is_named_exists() -> None:
    """In the file to which its link leads."""
    named = [found for row in promises() for found in PROOF.findall(row)]
    no_offenders(
        (f"{path}: {name}" for name, path in named if f"def {name}(" not in (text_of(ROOT / path) or "")),
        "The guide names tests that exist.",
    )
