"""Every trouble that `unitask doctor` knows is found with its cure, alone, where it was made for real."""

import asyncio
import importlib.util
import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.ailing import SCENES, changed, disk, move_and_fill
from support.machine import Machine
from support.source import ROOT, text_of
from support.texts import section, tables
from unitask.cli.checks import looking
from unitask.cli.checks.known import KNOWN, Kind
from unitask.cli.doctor import doctor as command
from unitask.db.migrate import upgrade
from unitask.settings import Settings

GUIDE = ROOT / "docs" / "guide" / "doctor.md"
# What comes with a trouble: a disk that cannot be written keeps no files either.
ALSO = {"data-read-only": {"store-fails"}}


def pattern(kind: Kind) -> re.Pattern[str]:
    """Make out of a sentence what finds it."""
    text = f"{kind.sentence}; {kind.cure}" if kind.says_cure else kind.sentence
    return re.compile(
        "".join(".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", text))
    )


def doctor(machine: Machine, **settings: str) -> tuple[int, str]:
    """Run the command, in this process unless another would see other programs; gives exit status and what it says."""
    if machine.found_by:
        ended = machine.run("doctor", **settings)
        return ended.returncode, ended.stdout + ended.stderr
    others = {name: None for name in os.environ if name.startswith("UNITASK_")}
    told = CliRunner().invoke(command, env={**others, **machine.environment(**settings)})
    return told.exit_code, told.output


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_trouble_is_found_with_its_cure(machine: Machine, name: str) -> None:
    """One line, and the exit status is 1; for what is only worth knowing it is 0."""
    machine.prepare()
    (machine.folder / "data").chmod(0o700)
    orders = name in {"no-worker", "no-maker", "no-housekeeping"}
    if not orders:
        machine.found_by = {}
    with SCENES[name](machine) as settings:
        if orders:
            machine.found_by = {}
        status, told = doctor(machine, **settings)
    kind = KNOWN[name]
    mark = " - " if kind.is_note else " ! "
    said = [line.removeprefix(mark) for line in told.splitlines() if line.startswith(mark)]
    others = [line for line in said if not pattern(kind).fullmatch(line)]
    assert len(others) < len(said), told
    if not kind.is_note:
        expected = [pattern(KNOWN[other]) for other in ALSO.get(name, ())]
        assert all(any(one.fullmatch(line) for one in expected) for line in others), others
    assert status == (0 if kind.is_note else 1)
    assert kind.is_note is ("No troubles found." in told)


def test_a_full_disk_with_all_data_on_it_is_told_once(machine: Machine) -> None:
    """The database fails for nothing else, and nobody reads that its folder belongs to somebody else."""
    machine.prepare()
    machine.found_by = {}
    with disk(machine, "size=4m") as place:
        address = move_and_fill(machine, place)
        told = doctor(machine, DATABASE_URL=address, DATA=str(place))[1]
    first, *others = [line.removeprefix(" ! ") for line in told.splitlines() if line.startswith(" ! ")]
    assert pattern(KNOWN["disk-full"]).fullmatch(first)
    assert all(pattern(KNOWN["store-fails"]).fullmatch(line) for line in others), others


@pytest.mark.parametrize("database_source", ["postgres"], indirect=True)
async def test_servers_that_share_a_database_need_one_secret(machine: Machine, database_url: str) -> None:
    """Each would make its own."""
    machine.found_by = {}
    told = await asyncio.to_thread(doctor, machine, DATABASE_URL=database_url)
    (line,) = [line for line in told[1].splitlines() if line.startswith(" ! ")]
    assert pattern(KNOWN["secret-of-one"]).fullmatch(line.removeprefix(" ! "))
    with_one = {"DATABASE_URL": database_url, "SECRET": "a-secret-for-all-of-them"}
    assert (await asyncio.to_thread(doctor, machine, **with_one))[0] == 0


async def test_what_hangs_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is told."""
    monkeypatch.setattr(looking, "_LOOK_S", 0.05)
    (told,) = await looking._within("the database", asyncio.Event().wait)  # type: ignore[arg-type]
    assert pattern(KNOWN["too-slow"]).fullmatch(told.text)


def test_a_certificate_needs_the_library_that_signs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the operator reads what to install."""
    machine.prepare()
    machine.found_by = {}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "c2pa" else name)
    status, told = doctor(machine, MARK_CERTIFICATE="/nowhere/chain.pem", MARK_KEY="/nowhere/key.pem")
    assert any(pattern(KNOWN["marks-unsigned"]).fullmatch(line.removeprefix(" ! ")) for line in told.splitlines())
    assert status == 1


def test_every_trouble_is_made_by_a_test() -> None:
    """Those of the table that no scene makes have a test of their own, above or in test_doctor_and_tracing.py."""
    of_tracing = {"tracing-missing", "tracing-address", "tracing-sampler"}
    assert KNOWN.keys() - SCENES.keys() == {"secret-of-one", "too-slow", "marks-unsigned"} | of_tracing


def test_the_doctor_changes_nothing(machine: Machine) -> None:
    """Neither a row nor a file, nor the mode in which the database keeps its log; the folder is not made."""
    machine.found_by = {}
    assert doctor(machine)[0] == 1
    assert not (machine.folder / "data").exists()
    machine.prepare()
    changed(machine, "pragma journal_mode=delete")
    before = {path: path.read_bytes() for path in (machine.folder / "data").rglob("*") if path.is_file()}
    doctor(machine)
    after = {path: path.read_bytes() for path in (machine.folder / "data").rglob("*") if path.is_file()}
    assert after == before


def test_a_new_data_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whoever makes it: a migration, or the first look at the secret."""
    upgrade(f"sqlite:///{tmp_path / 'one' / 'unitask.db'}")
    Settings.load(data=tmp_path / "two").key_secret()
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("one", "two")} == {0o700}


def test_the_guide_lists_every_trouble() -> None:
    """In the order and the words of the table."""
    text = text_of(GUIDE) or ""
    rows = [row for table in tables(section(text, "Troubles and cures")) for row in table]
    known = [[kind.sentence, kind.cure] for kind in KNOWN.values() if not kind.is_note]
    assert rows == known
    rows = [row for table in tables(section(text, "Worth knowing")) for row in table]
    assert rows == [[kind.sentence, kind.cure] for kind in KNOWN.values() if kind.is_note]
