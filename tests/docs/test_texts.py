"""What the texts name exists: files, commands, targets of make, settings."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from support.source import ROOT, named, no_offenders, text_of
from support.texts import code, links
from unitask.cli import commands
from unitask.settings import PROVIDER_KEYS, Settings

TEXTS = [
    path for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG") if (path := ROOT / f"{name}.md").exists()
]
TEXTS += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "sdk/README.md"]
# Environment variables that are no settings: clients read the first, the second arms a crash point in tests.
NO_SETTINGS = {"UNITASK_ADDRESS", "UNITASK_FAULT"}
SETTINGS = {f"UNITASK_{name.upper()}" for name in Settings.model_fields}
MAKE = re.compile(r"(?:^|[;&|] *)make((?: [\w./=-]+)+)")
COMMAND = re.compile(r"(?:^|[;&|(] *|\s)(?:\S*/)?unitask((?: [a-z|][a-z|-]*)+)")


def texts() -> dict[str, str]:
    """Read all texts, by name."""
    return {named(path): text_of(path) or "" for path in TEXTS}


def targets() -> set[str]:
    """Read the targets that the Makefile has."""
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", text_of(ROOT / "Makefile") or "", re.MULTILINE))


def asked_of_make(line: str) -> Iterator[str]:
    """Find the targets that a line of code makes."""
    for match in MAKE.finditer(line.partition(" #")[0]):
        yield from (word for word in match[1].split() if re.fullmatch(r"[a-z][a-z-]*", word))


def unknown_commands(line: str) -> Iterator[str]:
    """Find calls of the command `unitask` that it does not have; `a|b` names two."""
    for match in COMMAND.finditer(line.partition(" #")[0]):
        groups: list[click.Command] = [commands]
        for word in match[1].split():
            inside = [group for group in groups if isinstance(group, click.Group)]
            if not inside:
                break
            found = {
                name: group.get_command(click.Context(group), name) for group in inside for name in word.split("|")
            }
            yield from (f"unitask{match[1]}" for command in found.values() if command is None)
            groups = [command for command in found.values() if command is not None]


def test_the_texts_that_a_stranger_looks_for_are_there() -> None:
    """What it is, how it is made, how to work on it, what has changed."""
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs/dependencies.md"):
        assert (ROOT / name).is_file(), name


def test_the_readme_leads_to_every_guide() -> None:
    """Whoever comes there finds all that is explained at length."""
    linked = set(links(text_of(ROOT / "README.md") or ""))
    guides = {named(path) for path in (ROOT / "docs" / "guide").glob("*.md")}
    assert guides - linked == set()


def test_links_lead_to_files() -> None:
    """Every relative link, from the folder of its text."""
    no_offenders(
        (
            f"{named(path)}: {target}"
            for path in TEXTS
            for target in links(text_of(path) or "")
            if not re.match(r"[a-z]+:|#", target) and not leads_somewhere(path, target)
        ),
        "Every relative link leads to an existing file.",
    )


def leads_somewhere(path: Path, target: str) -> bool:
    """Tell whether a relative link of a text leads to a file or folder of the project."""
    file = (path.parent / target.partition("#")[0]).resolve()
    return file.exists() and file.is_relative_to(ROOT.resolve())


def test_targets_of_make_exist() -> None:
    """Every `make something` that is set as code."""
    known = targets()
    no_offenders(
        (
            f"{name}: make {target}"
            for name, text in texts().items()
            for line in code(text)
            for target in asked_of_make(line)
            if target not in known
        ),
        f"Every `make` target that is named is one of {sorted(known)}.",
    )


def test_settings_exist() -> None:
    """Every `UNITASK_...` that is named anywhere."""
    no_offenders(
        (
            f"{name}: {setting}"
            for name, text in texts().items()
            for setting in re.findall(r"\bUNITASK_[A-Z0-9_]*[A-Z0-9]\b", text)
            if setting not in SETTINGS | NO_SETTINGS and not setting.startswith(PROVIDER_KEYS)
        ),
        "Every UNITASK_... that is named is a setting, or listed here with what else it is.",
    )


def test_commands_exist() -> None:
    """Every `unitask something` that is set as code, with its sub-commands."""
    no_offenders(
        (f"{name}: {call}" for name, text in texts().items() for line in code(text) for call in unknown_commands(line)),
        "Every `unitask` command that is named exists.",
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("make test", ["test"]),
        ("make demo    # make a cat", ["demo"]),
        ("make PYTHON=python3.12 check", ["check"]),
        ("cd unitask && make up", ["up"]),
        ("make -j2 test check", ["test", "check"]),
        ("remake it", []),
    ],
)
def test_targets_are_found_in_a_line(line: str, found: list[str]) -> None:
    """With options, variables and remarks about them."""
    assert list(asked_of_make(line)) == found


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("unitask up --port 0", True),
        ("unitask keys add --name x", True),
        ("unitask keys add|list|revoke", True),
        (".venv/bin/unitask migrate", True),
        ("UNITASK_DATA=x unitask serve", True),
        ("pip install 'unitask[cpu]'", True),
        ("unitask keys revoke 3", True),
        ("unitask --version", True),
        ("unitask credit top-up acme --usd 5", True),
        ("unitask down", False),
        ("unitask credit top", False),
        ("unitask keys add|forget", False),
    ],
)
def test_commands_are_found_in_a_line(line: str, known: bool) -> None:  # noqa: FBT001 - a case
    """With their groups, alternatives, options and arguments."""
    assert (not list(unknown_commands(line))) is known
