"""Previews from the engine to the client: `unitask up`, its worker, and an engine that shows what it has so far."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from support.machine import Api, Machine
from support.tester import PNG_HEAD
from support.wait import until


def order(api: Api, do: str, config: dict[str, Any], **inputs: Any) -> str:
    """Order a task of the engine `tester`."""
    body = {"model": "tester", "task_type": "do", "input": {"do": do, **inputs}, "config": config}
    return api.http.post("/api/v1/task", json=body).json()["data"]["task_id"]


def preview(api: Api, task_id: str) -> str | None:
    """Read where the preview is."""
    return api.task(task_id)["meta"]["preview_url"]


def test_who_asks_sees_what_there_is_so_far_until_the_task_ends(machine: Machine) -> None:
    """Then neither its address nor its file is left."""
    _, api = machine.serve()
    machine.work()
    go_on = machine.folder / "go-on"
    task_id = order(api, "show", {"preview": True}, marker=str(go_on))
    url = until(lambda: preview(api, task_id), within_s=10, what="a preview")
    assert httpx.get(url, trust_env=False).content == PNG_HEAD + b"so far"
    go_on.touch()
    said = api.said(task_id)
    assert said["wanted"]
    assert not said["again"]
    assert preview(api, task_id) is None
    assert httpx.get(url, trust_env=False).status_code == 404
    until(lambda: files(machine) == [], within_s=10, what=lambda: f"an end of {files(machine)}")


@pytest.mark.parametrize("config", [{}, {"preview": False}])
def test_who_does_not_ask_is_shown_nothing(machine: Machine, config: dict[str, Any]) -> None:
    """The engine is told so, and what it shows all the same goes nowhere."""
    _, api = machine.serve()
    machine.work()
    go_on = machine.folder / "go-on"
    task_id = order(api, "show", config, marker=str(go_on))
    until(lambda: api.task(task_id)["meta"]["progress"] == 0.5, within_s=10, what="progress")
    assert preview(api, task_id) is None
    go_on.touch()
    assert not api.said(task_id)["wanted"]
    assert files(machine) == []


def test_a_preview_that_is_refused_does_not_harm_the_task(machine: Machine) -> None:
    """It is missed by nobody."""
    _, api = machine.serve()
    worker = machine.work()
    assert api.said(order(api, "show_strange", {"preview": True}))
    worker.logged("a preview was not shown")


def files(machine: Machine) -> list[Path]:
    """List what lies in the store."""
    return [path for path in (machine.folder / "data/files").rglob("*") if path.is_file()]
