"""The guides for operators: their commands work on a server of their own, in the order in which they stand.

A block that is marked `operator` runs on the server's machine: with its data folder and the admin key.
"""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from support.examples import refused, run
from support.keys import ADMIN_KEY, WORKER_TOKEN
from support.providers import providers_file
from support.server import Server, throw_away_server
from support.source import ROOT, text_of
from support.texts import Block, blocks

GUIDES: Final = (
    "billing.md",
    "mcp.md",
    "operators.md",
    "webhooks.md",
    "deploy.md",
    "doctor.md",
    "runbook.md",
    "hardening.md",
)

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def guide(name: str) -> str:
    """Read a guide."""
    return text_of(ROOT / "docs/guide" / name) or ""


def examples() -> list[tuple[str, Block, Block | None]]:
    """Give the blocks in their order, each with what is shown below it if that is what it prints."""
    found = []
    for name in GUIDES:
        listed = blocks(guide(name))
        for block, below in zip(listed, [*listed[1:], None], strict=True):
            if block.info == "sh operator":
                found.append((name, block, below if below and below.info == "text" else None))
    return found


def nightly() -> Block:
    """Give the line of the crontab as the shell gets it: without its times, and without what shields `%` from cron.

    The command is the one of this environment; tests/deploy/test_systemd_command.py runs the one of the unit.
    """
    (line,) = (one for one in blocks(guide("deploy.md")) if one.info == "sh cron")
    *_, command = line.body.split(maxsplit=5)
    return Block("sh operator", command.replace("\\%", "%").replace("/usr/local/sbin/", ""), line.line)


@pytest.fixture
def database_source(postgres_server: str) -> str:
    """Have PostgreSQL for the block that restores into it."""
    return postgres_server


async def test_the_commands_of_operators_work_one_after_the_other(tmp_path: Path, database_url: str) -> None:
    """And print what stands below them, where that does not depend on the day."""
    folder, backups, nights, prometheus = (tmp_path / name for name in ("operator", "backups", "nights", "prometheus"))
    for one in (folder, backups, nights, prometheus):
        one.mkdir()
    there = {"/backups": str(backups), "-o prometheus": f"-o {os.geteuid()}", "/etc/prometheus": str(prometheus)}
    here = {
        "UNITASK_DATA": str(tmp_path / "data"),
        "UNITASK_ADMIN_KEY": ADMIN_KEY,
        "UNITASK_WORKER_TOKEN": WORKER_TOKEN,
    }
    settings = {**here, "UNITASK_PROVIDERS": str(providers_file(tmp_path, "fal"))}
    said: dict[str, str] = {}
    with throw_away_server(tmp_path, **settings) as server:
        for name, block, below in examples():
            said[block.body.splitlines()[0]] = run(block, server, folder, there, **here)
            first = block.body.split()[:3]
            if below and first in (["unitask", "plans", "set"], ["unitask", "ledger", "check"]):
                printed = said[block.body.splitlines()[0]].splitlines()
                assert [line for line in below.body.splitlines() if line not in printed] == [], f"{name}:{below.line}"
        run(nightly(), server, folder, {"/backups": str(nights)}, **here)
        (restore,) = (block for block in blocks(guide("deploy.md")) if block.info == "sh postgres")
        run(restore, server, folder, {**there, "postgresql://unitask:PASSWORD@127.0.0.1/unitask": database_url}, **here)
    assert len(said) == 16
    assert (prometheus / "unitask-token").read_text() == WORKER_TOKEN
    assert (prometheus / "unitask-token").stat().st_mode & 0o777 == 0o600
    assert (folder / "acme.csv").read_text().count("\n") > 1
    assert (backups / "2026-11-22").is_dir()
    assert len(list(nights.iterdir())) == 1


def test_a_refusal_among_several_answers_is_seen(tmp_path: Path) -> None:
    """Of a block that calls curl more than once."""
    assert refused('{"code": 200}\n{"code": 404, "message": "no"}') == '{"code": 404, "message": "no"}'
    assert refused('{"code": 200}{"code": 200}') is None
    nobody = Server("http://127.0.0.1:1", "no key")
    with pytest.raises(AssertionError, match="was refused"):
        run(Block("sh operator", 'echo \'{"code": 200}{"code": 401}\'', 1), nobody, tmp_path)
