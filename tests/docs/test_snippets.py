"""Every block of code in the texts: run, or named here with the reason why it is not; and nothing in it is made up."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any, Final
from urllib.parse import urlsplit

import click
import pytest
import yaml

from support.shell import commands
from support.source import ROOT, named, no_offenders, python_files, text_of
from support.texts import Block, blocks, prose
from unitask.catalogue import Catalogue
from unitask.cli import commands as unitask

TEXTS: Final = {
    named(path): text_of(path) or ""
    for path in [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted(ROOT.glob("sdk/**/README.md")),
    ]
}
OURS: Final = re.compile(r"http://(?:127\.0\.0\.1:8000|localhost:8000)(/[^\s\"']*)?")
NOT_RUN: Final = {
    ("*", "export"): "sets what the next command reads; its names are compared with the settings",
    ("*", "cd"): "goes where the reader has the project",
    ("*", "."): "brings the reader's own environment",
    ("*", "make"): "the target is looked up in the Makefile; the suite cannot run itself",
    ("*", "git"): "fetches the project",
    ("*", "pip"): "installs packages from elsewhere; tests/deploy/test_release.py installs the wheels",
    ("*", "python3"): "makes an environment to install into",
    ("*", "npm"): "tests/stories/test_typescript_client.py runs it",
    ("*", "node"): "tests/stories/test_typescript_client.py runs it",
    ("*", "docker"): "needs Docker; tests/deploy/test_deploy_files.py reads its files",
    ("*", "kubectl"): "needs a Kubernetes cluster; tests/deploy/test_deploy_files.py reads its files",
    ("*", "systemctl"): "needs systemd; tests/deploy/test_hardening.py reads the unit",
    ("*", "journalctl"): "needs systemd",
    ("*", "grep"): "looks into a file of the reader's",
    ("*", "unitask up"): "the same as in tests/docs/test_started_guides.py",
    ("*", "deploy/install.sh"): "installs packages from elsewhere",
    ("docs/products/*", "curl"): "tests/docs/test_product_pages.py sends the order",
    ("README.md", "unitask run"): "runs in docs/guide/command-line.md",
    ("docs/guide/deploy.md", "deploy/make-env.sh"): "runs in tests/deploy/test_deploy_files.py",
    (
        "docs/guide/deploy.md",
        "install",
    ): "writes below /etc and /usr; tests/deploy/test_systemd_command.py runs the command",
    ("docs/guide/deploy.md", "chown"): "needs the folder of the unit",
    ("docs/guide/deploy.md", "unitask restore"): "runs below, as in the block after it",
    ("docs/guide/deploy.md", "printf"): "writes below /etc",
    ("docs/guide/deploy.md", "chmod"): "writes below /etc",
    ("docs/guide/deploy.md", "--from-literal*"): "goes on with what kubectl is told",
}
"""Why commands of blocks that are not marked are not run, by text and command."""
ELSEWHERE: Final = {"POST /v1/chat/completions"}
"""Routes of the hosted service that are named because Unitask does not have them."""
NOT_RUN_PYTHON: Final = {
    ("docs/guide/client.md", 'client = Client("https://api.example.com"'): "speaks to a server of the reader's",
    ("sdk/README.md", "from unitask_sdk import verify"): "is a part of the reader's own server",
    ("docs/guide/adding-a-model.md", "price = dollars("): "are lines to choose from",
    ("docs/guide/adding-a-model.md", "recipes = ("): "is a line to write into the module above",
}
"""The same for blocks of Python, by how they begin."""


def found(*kinds: str) -> Iterator[tuple[str, Block]]:
    """Give all blocks of these languages, with the name of their text."""
    for name, text in TEXTS.items():
        yield from (
            (f"{name}", block) for block in blocks(text) if block.info.split()[:1] in [[kind] for kind in kinds]
        )


def excuse(text: str, command: list[str]) -> tuple[str, str] | None:
    """Find what excuses a command of a text from being run."""
    words = " ".join(command).removeprefix(".venv/bin/")
    return next(
        ((of, begins) for of, begins in NOT_RUN if fnmatch(text, of) and fnmatch(f"{words} ", f"{begins} *")), None
    )


def test_every_block_says_which_language_it_is_in() -> None:
    """A drawing or a printed answer is `text`, or has no word at its fence."""
    known = {"sh", "python", "json", "toml", "yaml", "text", "ts", "nginx", "ini", "promql", ""}
    no_offenders(
        (
            f"{name}:{block.line} {block.info}"
            for name, text in TEXTS.items()
            for block in blocks(text)
            if (block.info.split() or [""])[0] not in known
        ),
        f"A block of code is one of {sorted(known)}.",
    )


def test_every_block_begins_at_the_beginning_of_a_line() -> None:
    """Elsewhere neither the site nor these tests know it as one."""
    no_offenders(
        (name for name, text in TEXTS.items() if re.search(r"^[ \t]+```", text, re.MULTILINE)), "No fence is indented."
    )


def test_every_block_is_run_or_says_why_not() -> None:
    """Marked by a second word at its fence, or listed above."""
    shell = (
        f"{name}:{block.line} {' '.join(command)[:80]}"
        for name, block in found("sh")
        if not block.info.split()[1:]
        for command in commands(block.body)
        if excuse(name, command) is None
    )
    python = (
        f"{name}:{block.line} {block.body.splitlines()[0]}"
        for name, block in found("python")
        if not block.info.split()[1:]
        if not any(name == text and block.body.startswith(begins) for text, begins in NOT_RUN_PYTHON)
    )
    no_offenders([*shell, *python], "A block is run, or tests/docs/test_snippets.py says why not.")


def test_every_excuse_is_needed_and_names_what_exists() -> None:
    """Nothing that runs now is excused still, and a test that an excuse points to is there."""
    unmarked = [
        (name, command) for name, block in found("sh") if not block.info.split()[1:] for command in commands(block.body)
    ]
    used = {which for name, command in unmarked for which in [excuse(name, command)] if which}
    named_tests = {path for why in NOT_RUN.values() for path in re.findall(r"tests/[\w/.]+\.py", why)}
    no_offenders(
        [
            *(f"{which}" for which in set(NOT_RUN) - used),
            *(path for path in named_tests if not (ROOT / path).is_file()),
        ],
        "An excuse is for a block that there is, and names tests that there are.",
    )


def test_a_marked_block_has_a_test_that_names_its_text() -> None:
    """A mark alone runs nothing."""
    tests = "\n".join(text_of(path) or "" for path in python_files("tests") if path.name != "test_snippets.py")
    marked = {name for name, block in found("sh", "python", "toml") if block.info.split()[1:]}
    no_offenders(
        (name for name in marked if name.rpartition("/")[2] not in tests), "Some test runs the blocks of a text."
    )


def test_blocks_of_data_can_be_read() -> None:
    """JSON, TOML and YAML, as the language at the fence says."""
    readers: dict[str, Any] = {
        "json": json.loads,
        "toml": tomllib.loads,
        "yaml": lambda text: [*yaml.safe_load_all(text)],
    }

    def unreadable() -> Iterator[str]:
        for name, block in found(*readers):
            try:
                readers[block.info.split()[0]](block.body)
            except (ValueError, yaml.YAMLError) as error:
                yield f"{name}:{block.line} {error}"

    no_offenders(unreadable(), "A block of data can be read.")


def test_blocks_of_python_can_be_compiled() -> None:
    """Run or not."""

    def broken() -> Iterator[str]:
        for name, block in found("python"):
            try:
                ast.parse(block.body)
            except SyntaxError as error:
                yield f"{name}:{block.line} {error}"

    no_offenders(broken(), "Python is Python.")


def orders() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every order that a text shows: as JSON, or as what curl sends."""
    for name, block in found("json"):
        yield f"{name}:{block.line}", json.loads(block.body)
    for name, block in found("sh"):
        for command in commands(block.body):
            if command[0] == "curl" and "-d" in command:
                yield f"{name}:{block.line}", json.loads(command[command.index("-d") + 1])


def test_orders_are_orders_of_products_that_there_are() -> None:
    """With inputs that they take."""
    catalogue = Catalogue.load()

    def wrong() -> Iterator[str]:
        for where, order in orders():
            # An answer names a model too, and has a task's id; Acme is the example of another package.
            if {"model", "task_type", "input"} <= set(order) and not order["model"].startswith("Acme/"):
                try:
                    catalogue.find(order["model"], order["task_type"]).input.model_validate(order["input"])
                except Exception as error:  # noqa: BLE001 - whatever it is, the order is wrong
                    yield f"{where} {error}"

    no_offenders(wrong(), "An order that is shown is taken.")


def test_options_of_commands_exist() -> None:
    """Of every call of `unitask` in a block or set as code."""

    def unknown() -> Iterator[str]:
        for name, text in TEXTS.items():
            spans = [span for span in re.findall(r"`([^`\n]+)`", prose(text)) if re.match(r"(\S*/)?unitask ", span)]
            for body in [*spans, *(block.body for of, block in found("sh") if of == name)]:
                for command in commands(body):
                    yield from (f"{name}: {' '.join(command)[:80]}: {option}" for option in unknown_options(command))

    no_offenders(unknown(), "Every option that is named exists.")


def unknown_options(command: list[str]) -> list[str]:
    """Find the options of a call of `unitask` that it does not take."""
    places = [index for index, word in enumerate(command) if word.rpartition("/")[2] == "unitask"]
    if not places or "pip" in command:
        return []
    current: click.Command = unitask
    options: list[str] = []
    for word in command[places[-1] + 1 :]:
        if word.startswith("-") and not re.fullmatch(r"-+|-\d+", word):
            options.append(word.partition("=")[0])
        elif isinstance(current, click.Group):
            inner = current.get_command(click.Context(current), word)
            if inner is None:
                return []  # another test says that there is no such command
            current = inner
    known = {one for parameter in current.params for one in [*parameter.opts, *parameter.secondary_opts]}
    return [option for option in options if option not in known | {"--help"}]


def routes() -> set[str]:
    """Read all routes from the page of the reference."""
    page = text_of(ROOT / "docs" / "reference" / "api.md") or ""
    return set(re.findall(r"^\| `(\w+ /\S*)` ", page, re.MULTILINE))


def is_route(method: str, path: str) -> bool:
    """Tell whether a server answers this; `{}` and `...` in either stand for anything."""
    wanted = re.escape(path.rstrip("/") or "/").replace(r"\.\.\.", ".+")
    wanted = re.sub(r"\\{\w*\\}", "[^/]+", wanted)
    for route in routes():
        of, _, known = route.partition(" ")
        pattern = re.sub(r"{path}", ".+", re.escape(known).replace(r"\{", "{").replace(r"\}", "}"))
        if of == method and (re.fullmatch(wanted, known) or re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path)):
            return True
    return False


def test_routes_exist() -> None:
    """Those that are set as code with their method, and those that curl asks."""

    def unknown() -> Iterator[str]:
        for name, text in TEXTS.items():
            if name.startswith(("docs/decisions/", "CHANGELOG")):
                continue  # what was once decided is not rewritten
            for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`?]*)[^`]*`", text):
                if f"{method} {path}" not in ELSEWHERE and not is_route(method, path):
                    yield f"{name}: {method} {path}"
        for name, block in found("sh"):
            for command in commands(block.body):
                address = next((match for word in command if (match := OURS.match(word))), None)
                if command[0] == "curl" and address:
                    sends = {"-d", "-F", "--data"} & set(command)
                    given = command[command.index("-X") + 1] if "-X" in command else "POST" if sends else "GET"
                    path = urlsplit(address[0]).path or "/"
                    if not is_route(given, path):
                        yield f"{name}:{block.line} {given} {path}"

    no_offenders(unknown(), "Every route that is named is one of docs/reference/api.md.")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("unitask keys add --account acme --name web", []),
        ("unitask keys add --acount acme", ["--acount"]),
        ("UNITASK_DATA=x .venv/bin/unitask up --port 0", []),
        ("0 3 * * * unitask backup /b && unitask restore /b --chek", ["--chek"]),
        ("unitask run flux1-dev 'a cat' -o cat.png --input-json=-", []),
    ],
)
def test_options_are_found_in_a_line(line: str, wrong: list[str]) -> None:
    """With variables before, values after, and several commands."""
    assert [option for command in commands(line) for option in unknown_options(command)] == wrong


@pytest.mark.parametrize(
    ("route", "known"),
    [
        ("GET /api/v1/task/01987c5f", True),
        ("GET /api/v1/task/{id}", True),
        ("GET /files/2026/11/x.png", True),
        ("POST /api/v1/task", True),
        ("POST /api/v1/tasks", False),
        ("GET /api/v2/task", False),
    ],
)
def test_routes_are_found(route: str, known: bool) -> None:  # noqa: FBT001 - a case
    """By method and path, whatever the name of what stands in it."""
    method, _, path = route.partition(" ")
    assert is_route(method, path) is known
