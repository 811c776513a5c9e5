"""What a command does not need, it does not wait for."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from click.testing import CliRunner
from unitask.cli import commands
ended = CliRunner().invoke(commands, {words!r})
assert ended.exit_code == 0, ended.output
print(*sorted(name for name in sys.modules if name.startswith("unitask.")))
"""
SERVER = {"unitask.api", "unitask.app", "unitask.catalogue", "unitask.db", "unitask.tasks"}


@pytest.mark.parametrize(
    ("words", "waits"),
    [(["--version"], False), (["run", "--help"], False), (["usage", "--help"], False), (["up", "--help"], True)],
)
def test_a_client_s_command_does_not_wait_for_the_server(words: list[str], waits: bool) -> None:  # noqa: FBT001 - a case
    """Only those that serve import what serves."""
    program = PROGRAM.format(words=words)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert bool(SERVER & set(ended.stdout.split())) is waits
