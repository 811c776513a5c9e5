"""Blocks for a shell, taken apart as far as texts of this project write them."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

_BETWEEN: Final = re.compile(r"[;&|()<>]+")
_HERE_DOCUMENT: Final = re.compile(r"<<'?(\w+)'?\n.*?^\1$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")


def commands(body: str) -> Iterator[list[str]]:
    """Give the words of every command of a block, without variables set before it; a loop's words count as commands."""
    waiting = ""
    for line in _HERE_DOCUMENT.sub("", body.replace("\\\n", " ")).splitlines():
        waiting += line + "\n"
        try:
            lexer = shlex.shlex(waiting, posix=True, punctuation_chars=";&|()<>")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            continue  # a quotation goes on
        waiting = ""
        yield from _split(words)
    if waiting.strip():
        raise ValueError(f"a quotation does not end: {waiting[:80]}")


def _split(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    skips = False
    for word in [*words, ";"]:
        if _BETWEEN.fullmatch(word):
            if command and word not in {"<", ">", ">>", "("}:
                yield command
                command = []
            # What follows an arrow is the name of a file.
            skips = word in {"<", ">", ">>", ">&", "<&"}
        elif skips:
            skips = False
        elif command or not _ASSIGNMENT.match(word):
            command.append(word)


def lasting(body: str) -> str:
    """Have the last command of a block take the place of the shell, so that a signal to the one reaches the other."""
    before, _, last = body.rstrip().rpartition("\n")
    return f"{before}\nexec env {last}"
