"""Looking at a database without changing it: what `unitask doctor` asks before it opens one."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileState:
    """How a SQLite file is found. `journal`: its journal mode; `locked` and `read_only`: whether nobody can write.

    `failed`: what SQLite says where it is neither, of a full disk for example.
    """

    journal: str
    locked: bool = False
    read_only: bool = False
    failed: str = ""


def file_state(path: str, wait_s: float) -> FileState | None:
    """Ask for the right to write, for so long, and give it back at once; None where there is no readable database."""
    if not Path(path).exists():
        return None
    journal = ""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=wait_s, isolation_level=None)) as connection:
            journal = str(connection.execute("pragma journal_mode").fetchone()[0])
            connection.execute("begin immediate")
            connection.execute("rollback")
    except sqlite3.OperationalError as error:
        said = str(error)
        if "locked" in said or "busy" in said:
            return FileState(journal, locked=True)
        if "readonly" in said or "unable to open" in said:
            return FileState(journal, read_only=True)
        return FileState(journal, failed=said)
    except sqlite3.DatabaseError:
        return None
    return FileState(journal)
