"""Names that stand in two places and must be the same in both: statements, settings, errors, crash points, packages."""

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.source import ROOT, SRC, calls, imports, named, no_offenders, python_files, text_of, tree_of
from unitask.db import Statement
from unitask.db.statements import parse
from unitask.kit import errors, faults
from unitask.kit.errors import TaskFailure, UnitaskError
from unitask.settings import Settings
from unitask_sdk import __version__

QUERIES = sorted(SRC.rglob("queries.sql"))
TREE_LINE = re.compile(r"^ {4}(?P<indent> *)(?P<name>[A-Z]\w+)(?: +(?P<status>\d{3}))?(?:  +\S.*)?$", re.MULTILINE)
in_each_folder = pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.parent.name)


def statements(path: Path) -> dict[str, Statement]:
    """Read a file of statements; fails with its name if one lacks a dialect."""
    try:
        return parse(text_of(path) or "")
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{named(path)} has a statement for one database only, or twice: {error}") from error


def asked(folder: Path) -> dict[str, str]:
    """Find every `SQL.name` in the modules of a folder, with a place where it stands."""
    return {
        node.attr: f"{named(path)}:{node.lineno}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "SQL"
    }


@in_each_folder
def test_every_statement_is_used(path: Path) -> None:
    """A statement that no code runs is one that no test runs."""
    no_offenders(
        (f"{named(path)}: {name}" for name in statements(path).keys() - asked(path.parent).keys()),
        "Every named statement is used as SQL.name in its own folder.",
    )


def test_every_statement_that_code_asks_for_exists() -> None:
    """`SQL.find_taks` fails here and not at three in the morning."""
    found = {path.parent: set(statements(path)) for path in QUERIES}
    no_offenders(
        (
            f"{place} SQL.{name}"
            for folder in {path.parent for path in python_files("src")}
            for name, place in asked(folder).items()
            if name not in found.get(folder, set())
        ),
        "Every SQL.name is a statement in the queries.sql beside it.",
    )


@in_each_folder
def test_both_texts_of_a_statement_take_the_same_parameters(path: Path) -> None:
    """One call serves both databases."""

    def parameters(text: str) -> set[str]:
        return set(parse(f"-- name: it\n{text}")["it"].parameters)

    no_offenders(
        (
            f"{named(path)}: {one.name} takes {sorted(parameters(one.sqlite))} and {sorted(one.parameters)}"
            for one in statements(path).values()
            if parameters(one.sqlite) != set(one.parameters)
        ),
        "The SQLite and the PostgreSQL text of a statement take the same parameters.",
    )


def test_every_setting_says_what_it_is() -> None:
    """`unitask doctor` shows the sentence; it is all that an operator has."""
    no_offenders(
        (f"UNITASK_{name.upper()}" for name, field in Settings.model_fields.items() if not field.description),
        "Every setting has a description.",
    )


def drawn() -> Iterator[tuple[str, str, int | None]]:
    """Read the tree in the docstring of `unitask.kit.errors`: (name, parent, status)."""
    path: list[str] = []
    for line in TREE_LINE.finditer(inspect.cleandoc(errors.__doc__ or "")):
        depth = len(line["indent"]) // 2
        path[depth:] = [line["name"]]
        yield line["name"], path[depth - 1] if depth else "Exception", int(line["status"]) if line["status"] else None


def family() -> dict[str, type[UnitaskError]]:
    """Find every error class that is defined there."""
    return {
        name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, UnitaskError)
    }


def test_the_tree_of_errors_is_drawn_whole() -> None:
    """Each class stands in the docstring once, under its parent."""
    classes = {(name, kind.__mro__[1].__name__) for name, kind in family().items()}
    in_docstring = [(name, parent) for name, parent, _ in drawn()]
    assert len(in_docstring) == len(set(in_docstring)), "an error is drawn twice in unitask.kit.errors"
    no_offenders(
        (f"{name} under {parent}" for name, parent in classes ^ set(in_docstring)),
        "The docstring of unitask.kit.errors draws every class under its parent, and no other.",
    )


def test_the_tree_of_errors_tells_the_right_status() -> None:
    """The number beside a name is the class's; a failure of a task is no answer and has none."""
    said = {name: status for name, _, status in drawn()}
    no_offenders(
        (
            f"{name}: {said.get(name)} in the docstring, {kind.status} in the class"
            for name, kind in family().items()
            if said.get(name) != (None if issubclass(kind, TaskFailure) else kind.status)
        ),
        "The docstring of unitask.kit.errors gives the status of every error.",
    )


def test_every_crash_point_is_visited_by_name() -> None:
    """A point that no code visits makes its crash test pass for nothing; so would a misspelt one."""
    visited: dict[str, str] = {}
    for path in python_files("src"):
        for call, name in calls(tree_of(path)):
            if name.endswith("faults.point"):
                (argument,) = call.args
                place = f"{named(path)}:{call.lineno}"
                assert isinstance(argument, ast.Constant), f"{place}: a crash point is named by a literal"
                visited[str(argument.value)] = place
    no_offenders(
        (visited.get(name, name) for name in visited.keys() ^ set(faults.POINTS)),
        "unitask.kit.faults.POINTS lists exactly the points that the code visits.",
    )
    assert len(faults.POINTS) == len(set(faults.POINTS)), "a crash point is listed twice"


def test_the_sdk_needs_what_its_own_project_asks_for() -> None:
    """It is installed without the server: whatever else it imports would be missing there."""
    project = tomllib.loads((ROOT / "sdk/pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    allowed = {"unitask_sdk", *sys.stdlib_module_names, *(re.split(r"\W", one)[0] for one in project["dependencies"])}
    no_offenders(
        (
            f"{named(path)}:{line} {name}"
            for path in python_files("sdk")
            for line, _, name in imports(ast.walk(tree_of(path)))
            if name.partition(".")[0] not in allowed
        ),
        "The SDK imports itself, the standard library and what sdk/pyproject.toml asks for.",
    )
