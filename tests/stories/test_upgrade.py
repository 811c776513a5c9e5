"""An installation of the release before this one, upgraded as docs/guide/upgrades.md says, and taken back."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from support.machine import Api, Machine
from support.media import PNG
from support.sink import Sink, receiving, says
from support.source import ROOT, text_of
from support.tester import PRICE_POINTS
from support.texts import blocks, section, tables
from support.wait import until
from unitask.db.migrate import HEAD
from unitask_sdk import verify

GUIDE = text_of(ROOT / "docs/guide/upgrades.md") or ""
SECRET = "whsec_Zm9yIHlvdXIgZXllcyBvbmx5ISE="
CREDIT = 1_000_000


def follow_the_guide(machine: Machine, step: str, **settings: str) -> None:
    """Give the commands of a step of the guide, as they stand there."""
    (found,) = [block for block in blocks(GUIDE) if block.info == f"sh {step}"]
    for line in found.body.splitlines():
        program, *words = shlex.split(line)
        assert program == "unitask"
        done = machine.run(*words, **settings)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


@dataclass
class Left:
    """What a customer had before the upgrade."""

    key: str
    task: dict[str, Any]
    file: str
    content: bytes
    upload: str
    waits: str

    def is_there(self, api: Api) -> None:
        """See that it is still all there, for the same key."""
        now = api.task(self.task["task_id"])
        assert {name: now["meta"].get(name) for name in self.task["meta"]} == self.task["meta"]
        assert {**now, "meta": self.task["meta"]} == self.task, "a release may add to meta, and to nothing else"
        assert api.http.get(self.file).content == self.content
        assert api.http.get(self.upload).content == PNG
        assert api.task(self.waits)["status"] in {"pending", "processing", "completed"}


def path_of(url: str) -> str:
    """Leave out where the server is: it listens elsewhere after a start."""
    return "/files/" + url.partition("/files/")[2]


def lived(old: Machine, sink: Sink) -> Left:
    """Let a customer of the release before order, upload and pay; a message stays owed and a task waits."""
    assert old.run("migrate").returncode == 0
    assert old.run("accounts", "add", "studio").returncode == 0
    assert old.run("credit", "top-up", "studio", str(CREDIT), "--reference", "invoice 1").returncode == 0
    key = old.run("keys", "add", "--account", "studio").stdout.strip()
    program, _ = old.serve()
    api = old.client(program, key)
    worker = old.work()
    announced = api.http.post("/api/v1/uploads", json={"file_name": "in.png", "size_bytes": len(PNG)}).json()["data"]
    api.http.put(announced["upload_url"], content=PNG).raise_for_status()
    upload = api.http.post(f"/api/v1/uploads/{announced['id']}/complete").json()["data"]["url"]
    hook = {"webhook_config": {"endpoint": sink.url(), "secret": SECRET}}
    body = {"model": "tester", "task_type": "do", "input": {"do": "save_file"}, "config": hook}
    done = api.http.post("/api/v1/task", json=body).json()["data"]["task_id"]
    task = api.ended(done)
    until(lambda: sink.received, within_s=20, what="a first attempt to deliver")
    worker.end()
    waits = api.order("save_file")
    file = path_of(task["output"]["image_url"])
    left = Left(key, task, file, api.http.get(file).content, path_of(upload), waits)
    follow_the_guide(old, "before-upgrade")
    program.end()
    return left


def spent(machine: Machine, **settings: str) -> int:
    """Read from the books what the customer has paid so far, or has on hold."""
    shown = machine.run("accounts", "show", "studio", **settings)
    available = re.search(r"([\d,]+) points", shown.stdout)
    assert available, shown
    return CREDIT - int(available[1].replace(",", ""))


def test_an_installation_is_upgraded_and_taken_back_by_the_guide(releases: tuple[Machine, Machine]) -> None:
    """Nothing is lost: tasks, files, uploads, keys, money, what waits, what is owed to a receiver; then back again."""
    old, new = releases
    for machine in releases:
        machine.settings["ALLOW_PRIVATE_NETWORKS"] = "true"
    with receiving(says(503), says()) as sink:
        left = lived(old, sink)
        new.settings["PORT"] = old.settings["PORT"]
        assert "run `unitask migrate`" in new.run("serve").stderr
        follow_the_guide(new, "upgrade")
        program, _ = new.serve()
        api = new.client(program, left.key)
        left.is_there(api)
        new.work()
        assert api.said(left.waits)
        until(lambda: len(sink.received) > 1, within_s=30, what="the message that was owed")
        assert len(set(sink.ids)) == 1, "the same message"
        assert sink.received[-1].task["task_id"] == left.task["task_id"]
        verify(sink.received[-1].headers, sink.received[-1].body, SECRET)
        assert api.said(api.order("ok"))
        assert spent(new) == 3 * PRICE_POINTS
        program.end()

    back, _ = old.serve()
    api = old.client(back, left.key)
    left.is_there(api)
    old.work()
    assert api.said(api.order("ok")), "the program alone goes back"
    back.end()

    before = {"DATABASE_URL": "", "DATA": str(old.folder / "before")}
    follow_the_guide(old, "go-back", **before)
    assert spent(old, **before) == 2 * PRICE_POINTS
    restored, _ = old.serve(**before)
    api = old.client(restored, left.key)
    left.is_there(api)


@pytest.mark.parametrize("empty_url", ["sqlite_template"], indirect=True)
def test_a_backup_of_a_newer_release_is_refused_by_name(releases: tuple[Machine, Machine]) -> None:
    """Going back with the data takes the backup from before."""
    old, new = releases
    assert new.run("migrate").returncode == 0
    assert new.run("backup", str(new.folder / "newer")).returncode == 0
    there = {"DATABASE_URL": "", "DATA": str(old.folder / "there")}
    done: subprocess.CompletedProcess[str] = old.run("restore", str(new.folder / "newer"), **there)
    assert done.returncode == 1
    assert re.search(rf"the backup has schema {HEAD}, this release \d+: take release", done.stderr)


def test_every_schema_is_in_the_guide() -> None:
    """With what it brought, and the oldest programs that work with it."""
    scripts = (ROOT / "src/unitask/db/migrations/versions").glob("[a-z]*.py")
    revisions = {
        match for path in scripts for match in re.findall(r'^revision = "(\w+)"', text_of(path) or "", re.MULTILINE)
    }
    (rows,) = tables(section(GUIDE, "What each schema brought"))
    assert revisions <= {row[0] for row in rows}
    assert all(brought and works for _, brought, works, _ in rows)
