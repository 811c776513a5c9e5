"""The whole list of hostile addresses at every door where a client may name an address."""

from copy import deepcopy
from typing import Any
from urllib.parse import quote

import httpx

from support.answers import refused
from support.hostile import ADDRESSES
from support.orders import cat, raw
from support.places import places, planted
from support.traces import traces
from unitask.app import Services
from unitask.catalogue import Catalogue

LOOPBACK = "http://0x7f.1:8000/a.png"
GOOD = "https://media.example/a.png"


def at_every_door(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Write the requests that name this address, with the routes that take them."""
    swap = {"target_image": GOOD, "swap_image": GOOD}
    inputs = {"model": "Qubico/image-toolkit", "task_type": "background-remove", "input": {"image": url}}
    return [
        ("/api/v1/task", inputs),
        ("/api/v1/task", cat(config={"webhook_config": {"endpoint": url, "secret": "s"}})),
        ("/api/v1/webhooks/test", {"endpoint": url}),
        ("/api/face_swap/v1/async", {**swap, "target_image": url}),
        ("/api/face_swap/v1/async", {**swap, "swap_image": url}),
    ]


async def test_a_hostile_address_is_refused_at_every_door(client: httpx.AsyncClient, services: Services) -> None:
    """With status 400 and a sentence, before anything is stored, frozen or looked up."""
    before = await traces(services)
    for case in ADDRESSES:
        url = case.url.format(port=8000)
        asked = quote(url.encode("utf-8", "surrogatepass"), safe="")
        refused(await client.get(f"/api/v1/verify?url={asked}"), 400)
        for path, body in at_every_door(url):
            answer = await client.post(path, content=raw(body))
            assert answer.status_code == 400, (case, path, answer.text)
            refused(answer, 400)
    assert await traces(services) == before


async def test_every_field_that_takes_an_address_is_guarded(client: httpx.AsyncClient, services: Services) -> None:
    """Every place for a file in every product, at any depth; the sentence names the field."""
    before = await traces(services)
    asked = 0
    for product in Catalogue.load():
        for steps, _ in places(product.input.model_json_schema()):
            order = {"model": product.model, "task_type": product.task_type}
            inputs = planted(product, steps, LOOPBACK)
            message = refused(await client.post("/api/v1/task", json={**order, "input": inputs}), 400)
            assert message.startswith("invalid request: input."), message
            assert message.endswith(": the address is not allowed"), message
            assert str(steps[-1] or steps[-2]) in message
            asked += 1
    assert asked > len(list(Catalogue.load())) // 2
    assert await traces(services) == before


def test_no_field_takes_an_address_beside_those_for_files() -> None:
    """A field whose example or name is an address is known as a file, so that the guard sees it."""
    for product in Catalogue.load():
        guarded = {steps for steps, _ in places(product.input.model_json_schema())}
        for example in product.examples:
            for steps in addresses(deepcopy(example.input)):
                assert steps in guarded, (product.key, steps)


def addresses(inputs: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Find every address in an example; any item of a list stands for the first."""
    if isinstance(inputs, dict):
        return [one for name, value in inputs.items() for one in addresses(value, (*at, name))]
    if isinstance(inputs, list):
        return [one for value in inputs for one in addresses(value, (*at, 0))]
    return [at] if isinstance(inputs, str) and "://" in inputs else []
