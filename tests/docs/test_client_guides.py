"""docs/guide/client.md, command-line.md and mcp.md: their examples work, their tables and numbers are the code's."""

import json
from pathlib import Path

import click
import pytest

from support.examples import run, runnable
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import blocks, section, tables
from unitask.cli import commands, speaking
from unitask_sdk import files

GUIDES = {name: text_of(ROOT / f"docs/guide/{name}.md") or "" for name in ("client", "command-line", "mcp")}


def command(name: str) -> click.Command:
    """Find a command of `unitask`."""
    found = commands.get_command(click.Context(commands), name)
    assert found
    return found


def test_the_examples_work_one_after_the_other(tmp_path: Path) -> None:
    """In order, in one folder, against a server that has just been started."""
    folder = tmp_path / "reader"
    folder.mkdir()
    examples = [block for text in GUIDES.values() for block in runnable(text)]
    assert len(examples) == 3
    with throw_away_server(tmp_path) as server:
        said = [run(block, server, folder) for block in examples]
    assert {path.name for path in folder.iterdir()} == {"lighthouse.png", "cat.png", "cut.png", "boats.png"}
    assert said[1].startswith("cat.png\ncut.png\n")
    assert "capture" in said[2]


def test_the_exit_statuses_of_the_guide_are_the_codes() -> None:
    """Those of our own beside 0 and click's 2."""
    (rows,) = tables(section(GUIDES["command-line"], "For programs"))
    ours = {speaking.REFUSED, speaking.FAILED, speaking.NOT_FINISHED, speaking.INTERRUPTED}
    assert {int(status) for status, _ in rows} == ours | {0, 2}


def test_every_command_of_the_table_has_its_json() -> None:
    """But for the one that prints a script."""
    (rows,) = tables(section(GUIDES["command-line"], "Look after tasks"))
    names = [row[0].strip("`").split()[1] for row in rows]
    assert names == ["tasks", "watch", "cancel", "replay", "usage", "models", "completion"]
    for name in {*names, "run"} - {"completion"}:
        options = {option for parameter in command(name).params for option in parameter.opts}
        assert "--json" in options, name


def test_the_configuration_of_hosts_is_json_and_names_the_command() -> None:
    """What is copied out of the guide works."""
    shown = [json.loads(block.body)["mcpServers"]["unitask"] for block in blocks(GUIDES["mcp"]) if block.info == "json"]
    assert [shown[0]["command"], *shown[0]["args"]] == ["unitask", "mcp"]
    assert shown[1]["url"].endswith(":8765/mcp")
    (port,) = [one for one in command("mcp").params if one.name == "port"]
    assert port.default == 8765


def test_the_tools_of_the_guide_are_those_there_are() -> None:
    """Names, and the sizes that the text tells."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    from unitask.cli import mcp_tools  # noqa: PLC0415 - only where the extra is

    (rows,) = tables(section(GUIDES["mcp"], "The tools"))
    tools = {name for name in vars(mcp_tools.Tools) if not name.startswith("_")}
    assert {row[0].strip("`") for row in rows} == tools
    assert (mcp_tools.IMAGE_BYTES, mcp_tools._SHOWN, mcp_tools._WAIT_S) == (2**20, 4, 300)
    assert files.FALLBACK_BYTES == 10 * 2**20
