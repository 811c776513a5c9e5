"""README.md, run as a reader would run it.

A fenced block whose info string ends in `run` (`sh run`, `python run`) is an example that works: all such blocks are
run one after the other in one empty folder, against a server of their own. The address that they name is replaced by
that server's, and `UNITASK_API_KEY` is set, as the text around them says. A later block may use the files of an
earlier one.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import Server, throw_away_server
from support.source import ROOT, text_of
from support.texts import Block, blocks

ADDRESS = "http://127.0.0.1:8000"
BLOCK_LIMIT_S = 120
INTERPRETERS = {"sh": ["/bin/sh", "-eu", "-c"], "python": [sys.executable, "-c"]}


def runnable() -> list[Block]:
    """Give the blocks that are marked to be run, in their order."""
    return [block for block in blocks(text_of(ROOT / "README.md") or "") if block.info.split()[1:] == ["run"]]


def run(block: Block, server: Server, folder: Path) -> str:
    """Run one block to its end; gives what it printed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("UNITASK_") and not name.lower().endswith("_proxy")
    }
    ran = subprocess.run(
        [*INTERPRETERS[block.info.split()[0]], block.body.replace(ADDRESS, server.address)],
        cwd=folder,
        env={**environment, "UNITASK_API_KEY": server.api_key},
        capture_output=True,
        text=True,
        timeout=BLOCK_LIMIT_S,
        check=False,
    )
    where = f"the block at README.md:{block.line}"
    assert ran.returncode == 0, f"{where} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
    assert (refusal := refused(ran.stdout)) is None, f"{where} was refused: {refusal}"
    return ran.stdout


def refused(output: str) -> str | None:
    """Find the server's refusal in what a program printed: curl ends well with any answer."""
    try:
        answer = json.loads(output)
    except ValueError:
        return None
    return output if isinstance(answer, dict) and answer.get("code", 200) != 200 else None


@pytest.mark.parametrize(
    ("output", "is_refusal"),
    [
        ('{"code": 401, "message": "the key is wrong"}', True),
        ('{"code": 200, "data": {}, "message": "success"}', False),
        ("boat.png", False),
        ("", False),
    ],
)
def test_a_refusal_is_told_from_an_answer(output: str, is_refusal: bool) -> None:  # noqa: FBT001 - a case
    """Otherwise a curl block with a wrong body would pass."""
    assert (refused(output) is not None) is is_refusal


def test_there_are_examples_to_run() -> None:
    """At least one with curl and one in Python; otherwise the other test would pass for nothing."""
    assert any(block.info == "sh run" and "curl" in block.body for block in runnable())
    assert any(block.info == "python run" for block in runnable())
    assert {block.info.split()[0] for block in runnable()} <= set(INTERPRETERS)


def test_every_example_names_the_address_of_make_up() -> None:
    """It is the text that is replaced: an example with another address would leave this machine."""
    missing = [f"README.md:{block.line}" for block in runnable() if ADDRESS not in block.body]
    assert not missing, f"these blocks do not name {ADDRESS}: {missing}"


def test_the_examples_work_one_after_the_other(tmp_path: Path) -> None:
    """In order, in one folder, against a server that has just been started."""
    left_out = []
    folder = tmp_path / "reader"
    folder.mkdir()
    with throw_away_server(tmp_path) as server:
        for block in runnable():
            if "curl" in block.body and not shutil.which("curl"):
                left_out.append(f"README.md:{block.line}")
            else:
                run(block, server, folder)
    if left_out:
        pytest.skip(f"curl is not installed, so these were left out: {left_out}")
