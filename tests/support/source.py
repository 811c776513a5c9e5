"""The project's own files, read as text and as syntax trees: what the house rules look at."""

import ast
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
FOLDERS = ("src", "sdk", "tests", "bench", "scripts")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    """Write a path as a person would look for it."""
    return path.relative_to(ROOT).as_posix()


def text_files(*folders: str) -> list[Path]:
    """List every text file below these folders of the repository."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts and text_of(path) is not None)


def python_files(*folders: str) -> list[Path]:
    """List every Python module below these folders of the repository."""
    return [path for path in text_files(*folders) if path.suffix == ".py"]


def versioned_files() -> list[Path]:
    """List what is, or is about to be, under version control."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@cache
def text_of(path: Path) -> str | None:
    """Read a file; None if it is not text."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return None


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(text_of(path) or "", str(path))


def functions(tree: ast.Module) -> Iterator[Function]:
    """Give every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Give (line, local name, full name) of everything that these nodes import by an absolute name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield node.lineno, alias.asname or top, alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.lineno, alias.asname or alias.name, f"{node.module}.{alias.name}"


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give (line, full name) of everything imported and of every attribute of it, whatever its local name.

    `from datetime import datetime as d; d.now()` gives `datetime.datetime` and `datetime.datetime.now`.
    """
    known: dict[str, str] = {}
    for line, local, full in imports(ast.walk(tree)):
        known[local] = full
        yield line, full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (full := full_name(node, known)):
            yield node.lineno, full


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Give every call with the full name of what it calls, or as it is written where that is nothing imported."""
    known = {local: full for _, local, full in imports(ast.walk(tree))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, full_name(node.func, known) or ast.unparse(node.func)


def full_name(node: ast.AST, known: dict[str, str]) -> str:
    """Resolve `a.b.c` by what was imported as `a`; empty if nothing was."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := full_name(node.value, known)):
        return f"{owner}.{node.attr}"
    return ""


def run_on_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Give the statements that run when the module is imported: no bodies of functions, nothing for type checkers."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Function | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def no_offenders(offenders: Iterable[str], rule: str) -> None:
    """Fail with the rule and everyone who breaks it."""
    listed = sorted(set(offenders))
    assert not listed, "\n  ".join([f"{rule} Not so in:", *listed])
