"""Every media field of every product, given what cannot be fetched or decoded, through a server and real engines."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from support.accounts import Person, open_account
from support.machine import Api, Machine
from support.media import base64_of
from support.places import places, planted
from support.tester import PNG_HEAD
from unitask.app import Services
from unitask.catalogue import Catalogue
from unitask.settings import Settings
from unitask.spec.product import Product

POINTS: Final = 10**9
LIMIT_S: Final = 120
PHRASES: Final = {
    "image": "failed to get valid image: ",
    "video": "failed to get valid video: ",
    "audio": "failed to get input audio: ",
}
GARBAGE: Final = bytes(range(256)) * 8
DAMAGED: Final = {
    "image": PNG_HEAD + GARBAGE,
    "video": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42" + GARBAGE,
    "audio": b"RIFF\x24\x08\x00\x00WAVE" + GARBAGE,
}
NOBODY: Final = "http://127.0.0.1:9/media"
WHY: Final = {
    "unreachable": "no connection to the server of the address could be made",
    "missing": "the address answers with status 404",
    "damaged": "the file cannot be decoded as ",
}


@dataclass(frozen=True)
class Case:
    """One media field of a product, what kind of file it takes, and what is wrong with the one that it gets."""

    product: Product
    steps: tuple[str | int, ...]
    kind: str
    trouble: str

    def __str__(self) -> str:
        return "-".join([self.product.key, *map(str, self.steps), self.trouble])

    def order(self, api: Api) -> dict[str, Any]:
        """Take the first example of the product that is accepted with this file in this place."""
        source = {
            "unreachable": NOBODY,
            "missing": str(api.http.base_url.join("/no/such/file")),
            "damaged": base64_of(DAMAGED[self.kind]),
        }[self.trouble]
        return {
            "model": self.product.model,
            "task_type": self.product.task_type,
            "input": planted(self.product, self.steps, source),
        }


CASES: Final = [
    Case(product, steps, kind, trouble)
    for product in Catalogue.load()
    for steps, kind in places(product.input.model_json_schema())
    for trouble in WHY
]


def settings(machine: Machine) -> Settings:
    """Find the database of a machine."""
    return Settings.load(data=machine.folder / "data")


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Api]:
    """Come with points to a server that reads private addresses, since what does not answer is on this machine."""
    machine = Machine(
        tmp_path_factory.mktemp("media"), sqlite_template, {"PORT": "0", "SLOTS": "2", "ALLOW_PRIVATE_NETWORKS": "true"}
    )
    machine.prepare()
    person = asyncio.run(opened(machine))
    program = machine.start("up")
    yield machine.client(program, person.headers["X-API-Key"])
    machine.clear_away()
    assert "Traceback" not in program.err, "a bad file is the client's mistake and no news for the operator"


async def opened(machine: Machine) -> Person:
    """Open an account that pays."""
    services = await Services.open(settings(machine))
    try:
        return await open_account(services, "paying", points=POINTS)
    finally:
        await services.close()


@pytest.fixture(scope="module")
def tasks(customer: Api) -> Mapping[str, dict[str, Any]]:
    """Order all at once and wait for the ends."""
    ids = {}
    for case in CASES:
        answer = customer.http.post("/api/v1/task", json=case.order(customer))
        assert answer.status_code == 200, f"{case}: {answer.text}"
        ids[str(case)] = answer.json()["data"]["task_id"]
    return {name: customer.ended(task_id, LIMIT_S) for name, task_id in ids.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_task_fails_and_costs_nothing_and_says_why(case: Case, tasks: Mapping[str, dict[str, Any]]) -> None:
    """With the phrase that clients match on, after one attempt, and the reason is in the log, too."""
    task = tasks[str(case)]
    error = task["error"]
    assert (task["status"], task["output"]) == ("failed", None), error
    assert error["message"].startswith(PHRASES[case.kind])
    assert WHY[case.trouble] in error["message"]
    assert error["code"] > 0
    assert error["raw_message"]
    assert task["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}
    assert task["logs"] == [f"attempt 1: {error['raw_message']}"]


@pytest.mark.usefixtures("tasks")
def test_all_points_are_back(customer: Api) -> None:
    """What the orders froze can be spent again."""
    wallet = customer.http.get("/account/info").json()["data"]["wallet"]
    assert (wallet["point_remain"], wallet["point_frozen"], wallet["point_used"]) == (POINTS, 0, 0)
