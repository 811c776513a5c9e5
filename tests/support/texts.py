"""Markdown as far as this project writes it: fenced blocks, tables, links, spans of code."""

import re
from typing import NamedTuple

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^()\s]+)(?: \"[^\"]*\")?\)")


class Block(NamedTuple):
    """A fenced block: the words after its fence, its text, and its first line in the file."""

    info: str
    body: str
    line: int


def blocks(text: str) -> list[Block]:
    """Find all fenced blocks."""
    return [
        Block(match["info"].strip(), match["body"], text.count("\n", 0, match.start("body")) + 1)
        for match in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """Leave fenced blocks out."""
    return _FENCE.sub("", text)


def code(text: str) -> list[str]:
    """Give everything that is set as code: spans in the prose, and the lines of blocks for a shell."""
    shell = (block.body for block in blocks(text) if block.info.split()[:1] in (["sh"], ["bash"]))
    return [*_SPAN.findall(prose(text)), *(line for body in shell for line in body.splitlines())]


def links(text: str) -> list[str]:
    """Give the targets of all links and pictures."""
    return [match["target"] for match in _LINK.finditer(_SPAN.sub("", prose(text)))]


def section(text: str, heading: str) -> str:
    """Give what stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(?P<body>.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found["body"]


def tables(text: str) -> list[list[list[str]]]:
    """Give the cells of all tables, without their heads."""
    found = re.findall(r"(?:^\|.*\|[ \t]*\n)+", text, re.MULTILINE)
    return [
        [
            [cell.strip().replace("**", "") for cell in line.strip().strip("|").split("|")]
            for line in table.splitlines()[2:]
        ]
        for table in found
    ]
