"""deploy/systemd/unitask: the command with the settings of the unit, from a shell that has none."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.machine import Machine
from support.source import ROOT, text_of
from support.texts import blocks

COMMAND = ROOT / "deploy" / "systemd" / "unitask"


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """Install the command for this folder: `unitask.env`, `data` and `program` are those of the installation."""
    text = COMMAND.read_text()
    for there, here in (
        ("/etc/unitask.env", "unitask.env"),
        ("/var/lib/unitask", "data"),
        ("/opt/unitask/bin/unitask", "program"),
    ):
        assert text.count(there) == 1, there
        text = text.replace(there, str(tmp_path / here))
    installed = tmp_path / "unitask"
    installed.write_text(text)
    installed.chmod(0o755)
    return installed


def program(command: Path, does: str) -> None:
    """Put what the command starts where it looks for it."""
    path = command.parent / "program"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def ran(command: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it from a folder of somebody's, with nothing but a search path and these variables."""
    somewhere = command.parent / "somewhere"
    somewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [command, *arguments],
        cwd=somewhere,
        env={"PATH": "/usr/bin:/bin", **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_operators_reach_the_installation_of_the_unit(command: Path, sqlite_template: Path) -> None:
    """Its data and its settings, and no second installation is made where the operator stands."""
    paths = ":".join(path for path in sys.path if path)
    program(command, f'PYTHONPATH={shlex.quote(paths)} exec {sys.executable} -m unitask "$@"')
    machine = Machine(command.parent, sqlite_template)
    machine.prepare()
    (machine.folder / "unitask.env").write_text(
        "UNITASK_ADMIN_KEY=a-key-of-operators-that-is-long-enough\nUNITASK_PUBLIC_URL=https://a.example\n"
    )
    added = ran(command, "accounts", "add", "the studio")
    assert added.returncode == 0, added.stderr
    assert "the studio" in machine.run("accounts", "list").stdout
    checked = ran(command, "ledger", "check")
    assert checked.returncode == 0, checked.stderr
    said = ran(command, "doctor").stdout
    assert str(machine.folder / "data") in said
    assert "https://a.example" in said
    assert list((machine.folder / "somewhere").iterdir()) == []


def test_lines_are_read_as_systemd_reads_them(command: Path) -> None:
    """Values may have quotes, spaces and what a shell would act on; comments are left out, and the last line counts."""
    (command.parent / "unitask.env").write_text(
        "# UNITASK_HOST=of a comment\n; UNITASK_HOST=of another\n\n"
        "UNITASK_DATABASE_URL=postgresql://u:$HOME`id`@h/d?a=b&sslmode=verify-full\n"
        'UNITASK_ADMIN_KEY="two words; touch made"\n'
        "UNITASK_API_KEY='$(touch made)'\n"
        "  UNITASK_KEEP_DAYS=image=3,Qubico/hug-video/*=1  \n"
        "UNITASK_LOG_JSON=\nUNITASK_PORT=1\nUNITASK_PORT=2"
    )
    program(command, "env; umask")
    done = ran(command, UNITASK_HOST="of the shell", UNITASK_PORT="3")
    assert done.returncode == 0, done.stderr
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    assert {name: value for name, value in found.items() if name.startswith("UNITASK_")} == {
        "UNITASK_DATABASE_URL": "postgresql://u:$HOME`id`@h/d?a=b&sslmode=verify-full",
        "UNITASK_ADMIN_KEY": "two words; touch made",
        "UNITASK_API_KEY": "$(touch made)",
        "UNITASK_KEEP_DAYS": "image=3,Qubico/hug-video/*=1",
        "UNITASK_LOG_JSON": "",
        "UNITASK_PORT": "2",
        "UNITASK_HOST": "of the shell",
        "UNITASK_DATA": str(command.parent / "data"),
    }
    assert done.stdout.splitlines()[-1] == "0077"
    assert list((command.parent / "somewhere").iterdir()) == []


def test_arguments_and_the_end_are_those_of_the_program(command: Path) -> None:
    """Also without a file of settings; another data folder may be named, for a rehearsal."""
    program(command, 'printf "%s\\n" "$UNITASK_DATA" "$@"; exit 3')
    done = ran(command, "keys", "add", "--name", "the web shop", UNITASK_DATA="/elsewhere")
    assert (done.returncode, done.stdout.splitlines()) == (3, ["/elsewhere", "keys", "add", "--name", "the web shop"])


def test_the_command_is_of_the_unit_and_installed_where_the_crontab_looks() -> None:
    """One data folder, one program and one file of settings in both; the guide installs it under one path."""
    unit = (ROOT / "deploy" / "systemd" / "unitask.service").read_text()
    text = COMMAND.read_text()
    assert "EnvironmentFile=-/etc/unitask.env" in unit
    assert "settings=/etc/unitask.env\n" in text
    assert "UNITASK_DATA=/var/lib/unitask " in unit
    assert "UNITASK_DATA:-/var/lib/unitask}" in text
    assert "ExecStart=/opt/unitask/bin/unitask up" in unit
    assert 'exec /opt/unitask/bin/unitask "$@"' in text
    found = blocks(text_of(ROOT / "docs" / "guide" / "deploy.md") or "")
    place = "/usr/local/sbin/unitask"
    assert any(f"install -m 0755 deploy/systemd/unitask {place}\n" in block.body for block in found)
    (nightly,) = (block.body for block in found if block.info == "sh cron")
    assert nightly.count("unitask") == nightly.count(f"{place} ") == 2
