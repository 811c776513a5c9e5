"""A worker's scratch: gone at its end, swept by the next where it was killed, and nobody else's."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unitask.worker.scratch import Scratch, sweep

HOLDING = "from unitask.worker.scratch import Scratch; print(Scratch().path, flush=True); input()"
LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files lie in a folder of the test's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def another(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Have another process hold a scratch with a file in it, made long ago."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        path = Path(process.stdout.readline().strip())
        (path / "large.mp4").write_bytes(b"a film")
        os.utime(path, (LONG_AGO, LONG_AGO))
        try:
            yield process, path
        finally:
            process.kill()


def test_it_is_its_owners_alone_and_gone_at_the_end(folder: Path) -> None:
    """With all that is in it."""
    scratch = Scratch()
    assert scratch.path.stat().st_mode & 0o777 == 0o700
    (scratch.path / "attempt").mkdir()
    (scratch.path / "attempt/input.png").write_bytes(b"a picture")
    scratch.close()
    assert list(folder.iterdir()) == []


def test_what_a_killed_worker_leaves_is_swept_by_the_next(folder: Path) -> None:
    """Nobody else would, and disks are full of it one day."""
    with another(folder) as (process, left):
        process.kill()
        process.wait()
        assert (left / "large.mp4").is_file()
        sweep()
        assert list(folder.iterdir()) == []


def test_that_of_a_worker_that_lives_stays(folder: Path) -> None:
    """However old it is."""
    with another(folder) as (_, path):
        sweep()
        assert (path / "large.mp4").is_file()


def test_nothing_else_is_touched(folder: Path) -> None:
    """Neither what a link of that name leads to, nor a folder that is only just made."""
    precious = folder / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"x")
    link, young = folder / "unitask-scratch-link", folder / "unitask-scratch-young"
    link.symlink_to(precious)
    young.mkdir()
    os.utime(precious, (LONG_AGO, LONG_AGO))
    os.utime(link, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    sweep()
    assert {path.name for path in folder.iterdir()} == {"precious", link.name, young.name}
    assert (precious / "file").is_file()
