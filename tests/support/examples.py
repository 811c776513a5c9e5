"""Examples in texts, run as a reader would run them.

A fenced block whose info string ends in `run` (`sh run`, `python run`) is an example that works. The addresses that it
names are replaced by those of a server of its own, and `UNITASK_API_KEY` is set, as the text around it says; the
commands `unitask` and the SDK find that server by `UNITASK_ADDRESS`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.server import PATH, Server
from support.texts import Block, blocks

ADDRESS: Final = "http://127.0.0.1:8000"
BLOCK_LIMIT_S: Final = 120
INTERPRETERS: Final = {"sh": ["/bin/sh", "-eu", "-c"], "python": [sys.executable, "-c"]}


def runnable(text: str) -> list[Block]:
    """Give the blocks that are marked to be run, in their order."""
    return [block for block in blocks(text) if block.info.split()[1:] == ["run"]]


def run(block: Block, server: Server, folder: Path, others: Mapping[str, str] | None = None, **settings: str) -> str:
    """Run one block to its end; gives what it printed. `others`: more texts to be replaced; `settings`: variables."""
    body = block.body
    for written, meant in {ADDRESS: server.address, **(others or {})}.items():
        body = body.replace(written, meant)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("UNITASK_") and not name.lower().endswith("_proxy")
    }
    ran = subprocess.run(
        [*INTERPRETERS[block.info.split()[0]], body],
        cwd=folder,
        env={
            **environment,
            "UNITASK_API_KEY": server.api_key,
            "UNITASK_ADDRESS": server.address,
            "PATH": PATH,
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=BLOCK_LIMIT_S,
        check=False,
    )
    where = f"the block at line {block.line}"
    assert ran.returncode == 0, f"{where} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
    assert (refusal := refused(ran.stdout)) is None, f"{where} was refused: {refusal}"
    return ran.stdout


def refused(output: str) -> str | None:
    """Find the server's refusal in what a program printed: curl ends well with any answer."""
    while output.startswith("{"):
        try:
            answer, end = json.JSONDecoder().raw_decode(output)
        except ValueError:
            return None
        if answer.get("code", 200) != 200:
            return output[:end]
        output = output[end:].lstrip()
    return None
