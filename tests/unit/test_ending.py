"""How the command ends where the client of object stores was used: at once, with its status, and with all it said."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
{first}
from unitask.cli import main
atexit.register(print, "taken down")
sys.argv = ["unitask", *{words!r}]
main()
"""


@pytest.mark.parametrize(
    ("words", "status", "said"), [(["--version"], 0, "unitask"), (["no-such"], 2, "No such command")]
)
@pytest.mark.parametrize(("first", "last_words"), [("import obstore", ""), ("", "taken down\n")])
def test_the_interpreter_is_left_standing_under_threads_of_obstore(
    words: list[str], status: int, said: str, first: str, last_words: str
) -> None:
    """Taking it down aborts the process now and then: in 87 of 480 ends on a busy machine."""
    program = PROGRAM.format(first=first, words=words)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == status
    assert said in ended.stdout + ended.stderr
    assert ended.stdout.count("taken down\n") == len(last_words.splitlines())
