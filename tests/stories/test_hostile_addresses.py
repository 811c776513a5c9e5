"""Hostile addresses against a server as it comes: nothing of it ever connects to where it must not, and it goes on."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from support import named
from support.hostile import ADDRESSES, CHAINS, PUBLIC, REBINDING, RESOLVED, Chain
from support.keys import API_KEY
from support.loopback import Server, Trap, redirect, serving, trap
from support.machine import Api, Machine
from support.orders import raw
from support.wait import until
from unitask.kit.net import LIMIT_REDIRECTS

LIMIT_S: Final = 60


@pytest.fixture(scope="module")
def trapped() -> Iterator[Trap]:
    """Set up a trap that nobody may walk into, whatever happens in this module."""
    with trap() as made:
        yield made
    assert made.visits == []


@pytest.fixture(scope="module")
def public(trapped: Trap) -> Iterator[dict[str, Server]]:
    """Run a server of the public internet for each chain of redirects, and one for the name that moves."""
    chains = {case.name: case.locations for case in CHAINS}
    chains[REBINDING.name] = (f"http://{REBINDING.name}.example:{{port}}/",)
    with ExitStack() as running:
        yield {
            name: running.enter_context(serving(*(redirect(one.format(port=trapped.port)) for one in locations)))
            for name, locations in chains.items()
        }


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, trapped: Trap, public: dict[str, Server]
) -> Iterator[Api]:
    """Start a server with the settings of production, for which this test is DNS and the public internet."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "SLOTS": "2"}
    machine = Machine(tmp_path_factory.mktemp("hostile"), sqlite_template, settings)
    shutil.copy(named.__file__, machine.folder / "plugin" / "sitecustomize.py")
    addresses = {name: f"93.184.217.{number}" for number, name in enumerate(public, 1)}
    names: dict[str, Any] = {f"{one.name}.example": one.answers for one in RESOLVED}
    names |= {f"{name}.chain.example": [[address]] for name, address in addresses.items()}
    names |= {"media.example": [[PUBLIC]], "moves.example": [[addresses[REBINDING.name]], ["127.0.0.1"]]}
    internet = {address: public[name].port for name, address in addresses.items()}
    machine.found_by["TEST_NAMES"] = json.dumps({"names": names, "internet": internet})
    program = machine.start("up")
    yield machine.client(program)
    machine.clear_away()
    assert "Traceback" not in program.err


def goes_on(api: Api) -> None:
    """Have the server answer and its worker work."""
    assert api.http.get("/readyz").json()["status"] == "ready"
    assert api.said(api.order("ok"))


def test_every_address_is_refused_at_the_door(api: Api, trapped: Trap) -> None:
    """As an input, as a webhook and as a webhook under test."""
    for case in ADDRESSES:
        url = case.url.format(port=trapped.port)
        plain = {"model": "tester", "task_type": "do"}
        orders = {
            "/api/v1/task": {**plain, "input": {"do": "fetch", "image": url}},
            "/api/v1/task?": {**plain, "input": {}, "config": {"webhook_config": {"endpoint": url}}},
            "/api/v1/webhooks/test": {"endpoint": url},
        }
        answers = [api.http.post(path, content=raw(body)) for path, body in orders.items()]
        assert [answer.status_code for answer in answers] == [400, 400, 400], case
    goes_on(api)


def test_names_are_looked_up_and_refused(api: Api, trapped: Trap) -> None:
    """The worker's fetch fails with the documented phrase, at once; a webhook's log says why nothing was sent."""
    urls = {case.name: f"http://{case.name}.example:{trapped.port}/" for case in RESOLVED}
    fetches = {name: api.order("fetch", image=url) for name, url in urls.items()}
    body = {"model": "tester", "task_type": "do", "input": {"do": "ok"}}
    for url in urls.values():
        hooked = {**body, "config": {"webhook_config": {"endpoint": url}}}
        assert api.http.post("/api/v1/task", json=hooked).status_code == 200
    for name, task_id in fetches.items():
        task = api.ended(task_id, LIMIT_S)
        assert task["error"]["message"] == "failed to get valid image: the address is not allowed", name
        assert len(task["logs"]) == 1

    def reasons() -> set[str] | None:
        found = api.http.get("/api/v1/webhooks/deliveries?limit=100").json()["data"]["deliveries"]
        tried = {one["endpoint"]: one["reason"] for one in found if one["attempts"]}
        return set(tried.values()) if len(tried) == len(urls) else None

    assert until(reasons, within_s=LIMIT_S, what="an attempt of every delivery") == {"the address is not allowed"}
    goes_on(api)


@pytest.mark.parametrize("case", CHAINS, ids=lambda case: case.name)
def test_a_public_server_leads_nowhere_else(api: Api, public: dict[str, Server], case: Chain) -> None:
    """What the worker reads is public, or nothing; it has asked the public server and none that this one named."""
    server = public[case.name]
    task = api.ended(api.order("fetch", image=server.url(host=f"{case.name}.chain.example")), LIMIT_S)
    assert task["error"]["message"].startswith("failed to get valid image: the "), task
    assert 1 <= len(server.heads) <= LIMIT_REDIRECTS + 1
    goes_on(api)


def test_a_name_that_moves_is_read_where_it_was_checked(api: Api, public: dict[str, Server]) -> None:
    """The public server is asked once; at its redirect to the same name, which is loopback by now, it ends."""
    server = public[REBINDING.name]
    task = api.ended(api.order("fetch", image=server.url(host="moves.example")), LIMIT_S)
    assert task["error"]["message"] == "failed to get valid image: the address is not allowed"
    assert len(server.heads) == 1
    goes_on(api)
