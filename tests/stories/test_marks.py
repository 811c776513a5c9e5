"""Marks as an installation makes them: an API, and a worker on another machine that has nothing but its door."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from support.machine import WORKER_TOKEN, Api, Machine
from support.marked import decoded, marked, small
from support.media import data_uri
from unitask.provenance.signing import Signer
from unitask.provenance.sources import Source

TOOLKIT = "Qubico/image-toolkit"
WITHIN_S = 90


@pytest.fixture
def api(machine: Machine) -> Api:
    """Serve, with a worker of two engines apart."""
    _, api = machine.serve(ALLOW_PRIVATE_NETWORKS="true")
    machine.work(ENGINES="preview,cpu", ALLOW_PRIVATE_NETWORKS="true")
    return api


def made(api: Api, task_type: str, image: str, model: str = TOOLKIT, **more: Any) -> str:
    """Have a picture made of a picture; gives its address."""
    order = {"model": model, "task_type": task_type, "input": {"image": image, **more}}
    answer = api.http.post("/api/v1/task", json=order)
    assert answer.status_code == 200, answer.text
    task = api.ended(answer.json()["data"]["task_id"], within_s=WITHIN_S)
    assert task["status"] == "completed", task["error"]
    assert not [one for one in task["meta"]["warnings"] if "mark" in one]
    url: str = task["output"]["image_url"]
    return url


def verified(api: Api, url: str) -> dict[str, Any]:
    """Read the marks of a file, which are ours and clean."""
    found: dict[str, Any] = api.http.get("/api/v1/verify", params={"url": url}, timeout=60).json()["data"]
    assert (found["c2pa"]["state"], found["c2pa"]["is_ours"], found["c2pa"]["problems"]) == ("trusted", True, [])
    return found


def test_no_conversion_launders_a_generated_picture(api: Api, machine: Machine, tmp_path: Path) -> None:
    """Enlarged and cut out, it is as generated as before, and its manifest leads back to where it came from.

    A picture without marks comes out as what it is: enhanced.
    """
    stranger = Signer.derived("the secret of another generator")
    generated = marked(small(tmp_path, "png"), Source.TRAINED, signer=stranger).path.read_bytes()
    enlarged = made(api, "upscale", data_uri(generated), scale=2)
    found = verified(api, enlarged)
    assert found["digital_source_type"] == Source.TRAINED
    assert [one["action"] for one in found["c2pa"]["actions"]] == ["c2pa.opened", "c2pa.edited"]
    assert [one["relationship"] for one in found["c2pa"]["inputs"]] == ["parentOf"]
    cut_out = verified(api, made(api, "background-remove", enlarged))
    assert cut_out["digital_source_type"] == Source.TRAINED
    plain = verified(api, made(api, "upscale", data_uri(small(tmp_path, "png").path.read_bytes()), scale=2))
    assert plain["digital_source_type"] == Source.ENHANCED
    assert plain["is_generated"] is False


def test_a_picture_with_parts_that_nobody_took_is_called_generated(api: Api, tmp_path: Path) -> None:
    """Whatever painted them: without weights it is a classical algorithm. What was painted onto stays its parent."""
    wider = [{"setting_type": "outpaint", "outpaint_left": 64}]
    picture = data_uri(small(tmp_path, "png").path.read_bytes())
    found = verified(api, made(api, "fill-outpaint", picture, "Qubico/flux1-dev-advanced", custom_settings=wider))
    assert found["digital_source_type"] == Source.SYNTHETIC
    assert found["is_generated"] is True
    assert [one["action"] for one in found["c2pa"]["actions"]] == ["c2pa.opened", "c2pa.edited"]


def test_marks_change_no_pixel_and_an_operator_can_turn_them_off(machine: Machine, tmp_path: Path) -> None:
    """The same order with marks and without: the same picture."""
    picture = data_uri(small(tmp_path, "png").path.read_bytes())
    seen = []
    for marks in ("true", "false"):
        server, api = machine.serve(MARKS=marks)
        worker = machine.work(ENGINES="cpu")
        url = made(api, "upscale", picture, scale=2)
        content = httpx.get(url, trust_env=False, timeout=20).content
        found = api.http.get("/api/v1/verify", params={"url": url}, timeout=60).json()["data"]
        assert found["marks"] == (["c2pa", "iptc"] if marks == "true" else [])
        seen.append(decoded(content, "png"))
        worker.end()
        server.end()
    assert seen[0] == seen[1]


def test_a_second_api_process_signs_by_the_very_same_certificates(machine: Machine) -> None:
    """They follow from the secret; nothing is stored or agreed upon."""
    chains = []
    for _ in range(2):
        server, api = machine.serve()
        token = {"Authorization": f"Bearer {WORKER_TOKEN}"}
        chains.append(api.http.get("/worker/v1/marks", headers=token).json()["chain"])
        server.end()
    assert chains[0] == chains[1]
    assert "BEGIN CERTIFICATE" in chains[0]
