"""The rules of this house that no general tool knows: sizes, names, where time and chance come from, how tests look."""

import ast

import pytest

from support.source import (
    FOLDERS,
    ROOT,
    SRC,
    calls,
    functions,
    named,
    no_offenders,
    python_files,
    text_files,
    text_of,
    tree_of,
    uses,
)

FILE_LINES = 400
FUNCTION_LINES = 60
EMPTY_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
KIT = SRC / "unitask/kit"
SDK_CLOCK = ROOT / "sdk/src/unitask_sdk/clock.py"
TIME_AND_CHANCE = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.sleep",
    "time.time",
    "time.time_ns",
}
SLEEPS = {"anyio.sleep", "asyncio.sleep", "time.sleep"}


def is_time_or_chance(name: str) -> bool:
    """Tell whether a full name is the system's clock, a blocking wait or the module `random`."""
    return name in TIME_AND_CHANCE or name.partition(".")[0] == "random"


def test_no_file_is_longer_than_a_reader_holds() -> None:
    """Every text file of the project, SQL and pages too, has at most 400 lines."""
    sizes = {path: len((text_of(path) or "").splitlines()) for path in text_files(*FOLDERS)}
    no_offenders(
        (f"{named(path)}: {lines} lines" for path, lines in sizes.items() if lines > FILE_LINES),
        f"A file has at most {FILE_LINES} lines: split it by meaning.",
    )


def test_no_function_is_longer_than_a_page() -> None:
    """Every function of the server and the SDK has at most 60 lines, its docstring among them."""
    no_offenders(
        (
            f"{named(path)}:{function.lineno} {function.name}: {lines} lines"
            for path in python_files("src", "sdk")
            for function in functions(tree_of(path))
            if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES
        ),
        f"A function has at most {FUNCTION_LINES} lines: give its steps names.",
    )


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A module is named after what it holds; `utils` holds anything."""
    no_offenders(
        (
            named(path)
            for path in python_files(*FOLDERS)
            if EMPTY_NAMES & {path.stem.strip("_"), *path.relative_to(ROOT).parts[:-1]}
        ),
        f"No module or folder is called {', '.join(sorted(EMPTY_NAMES))}.",
    )


def test_time_and_chance_come_from_the_kit() -> None:
    """Elsewhere they are arguments, so that a test can hold them still; measuring a duration is free."""
    no_offenders(
        (
            f"{named(path)}:{line} {name}"
            for path in python_files("src", "sdk")
            if not path.is_relative_to(KIT) and path != SDK_CLOCK
            for line, name in uses(tree_of(path))
            if is_time_or_chance(name)
        ),
        "The time of day, blocking waits and `random` are used in unitask.kit and unitask_sdk.clock only.",
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from datetime import datetime as d\nd.now()", True),
        ("import datetime\nx = datetime.datetime.now", True),
        ("import time as t\ndef f():\n    t.sleep(1)", True),
        ("from time import sleep", True),
        ("def f():\n    from random import choice", True),
        ("import random", True),
        ("import time\ntime.monotonic()\ntime.perf_counter()", False),
        ("import asyncio\nasyncio.sleep(1)", False),
        ("import numpy as np\nnp.random.default_rng(1)", False),
        ("from unitask.kit import clock as time\ntime.sleep", False),
    ],
)
def test_the_search_for_time_and_chance_sees_through_aliases(text: str, found: bool) -> None:  # noqa: FBT001 - a case
    """A rule that can be passed by `import ... as` would only look like one."""
    assert any(is_time_or_chance(name) for _, name in uses(ast.parse(text))) is found


def test_repositories_never_open_or_end_a_transaction() -> None:
    """They work in the transaction of their use case, or another's rows could be stored without theirs."""
    ends = {"begin", "commit", "rollback", "savepoint", "transaction", "write"}
    no_offenders(
        (
            f"{named(path)}:{call.lineno} {name}()"
            for path in python_files("src")
            if path.name == "repository.py"
            for call, name in calls(tree_of(path))
            if name.rpartition(".")[2] in ends
        ),
        "A repository neither opens nor ends a transaction: its use case does.",
    )


def test_statements_never_open_or_end_a_transaction() -> None:
    """What a repository may not do, its SQL may not do either."""
    no_offenders(
        (
            f"{named(path)}:{number} {line}"
            for path in SRC.rglob("queries.sql")
            for number, line in enumerate((text_of(path) or "").splitlines(), 1)
            if line.strip().lower().startswith(("begin", "commit", "rollback", "savepoint", "start transaction"))
        ),
        "A named statement neither opens nor ends a transaction.",
    )


def test_nothing_is_replaced_by_its_dotted_path() -> None:
    """A fake is handed in; a path in a string breaks silently when a module moves."""
    no_offenders(
        (
            f"{named(path)}:{call.lineno} {ast.unparse(call)[:80]}"
            for path in python_files("tests")
            for call, name in calls(tree_of(path))
            if replaces_by_path(call, name)
        ),
        "Tests hand fakes in, or replace an attribute of an object that they name.",
    )


def replaces_by_path(call: ast.Call, name: str) -> bool:
    """Tell whether a call puts something in the place of what a string names."""
    first = call.args[0] if call.args else None
    text = isinstance(first, ast.JoinedStr) or (isinstance(first, ast.Constant) and isinstance(first.value, str))
    owner, _, last = name.rpartition(".")
    return text and (
        name.startswith(("unittest.mock.patch", "mocker.patch", "mock.patch"))
        or (bool(owner) and last in {"setattr", "delattr"})
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from unittest.mock import patch\npatch('unitask.app.Clock')", True),
        ("from unittest import mock\n@mock.patch('a.b')\ndef f(): ...", True),
        ("def f(mocker): mocker.patch('a.b')", True),
        ("def f(monkeypatch): monkeypatch.setattr('a.b.c', 1)", True),
        ("def f(monkeypatch): monkeypatch.setattr(f'{x}.c', 1)", True),
        ("def f(monkeypatch): monkeypatch.setattr(module, 'c', 1)", False),
        ("def f(monkeypatch): monkeypatch.setenv('UNITASK_DATA', '1')", False),
        ("def f(client): client.patch('/api/v1/a.b')", False),
        ("setattr(thing, 'a', 1)", False),
    ],
)
def test_the_search_for_dotted_paths_finds_all_spellings(text: str, found: bool) -> None:  # noqa: FBT001 - a case
    """Decorators, fixtures and built strings count; an HTTP PATCH does not."""
    assert any(replaces_by_path(call, name) for call, name in calls(ast.parse(text))) is found


def test_tests_never_sleep() -> None:
    """They wait for what they want to see, with a deadline, by `support.wait`; `asyncio.sleep(0)` waits for nothing."""
    no_offenders(
        (
            f"{named(path)}:{call.lineno} {ast.unparse(call)}"
            for path in python_files("tests")
            if "support" not in path.parts
            for call, name in calls(tree_of(path))
            if name in SLEEPS and ast.unparse(call.args[0] if call.args else call) != "0"
        ),
        "A test waits by support.wait.until or support.wait.seen, or moves its clock.",
    )
