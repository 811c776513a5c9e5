"""Every request that is documented, or that a known client sends, is accepted as it stands.

The requests are in `documented`, a file for each family. Beside `request` an entry may have `ignored`, the keys that
are not of the product; `echo`, what the checked input has where it is written otherwise than it was sent; `points`, the
documented price, with `measured` where it depends on what the engine measures; and `output`, the documented answer.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.answers import accepted
from unitask.catalogue import Catalogue
from unitask.spec.product import Product

FOLDER = Path(__file__).parent / "documented"
FAMILIES: dict[str, list[dict[str, Any]]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
ENTRIES = [entry for entries in FAMILIES.values() for entry in entries]
KEYS = {"title", "said_by", "request", "ignored", "echo", "points", "measured", "output"}
SOURCES = {
    "documentation",
    "product page",
    "n8n node",
    "MCP server",
    "command line client",
    "MindCloud connector",
    "another client",
    "live test of a client",
    "reading",
}
CATALOGUE = Catalogue.load()
NOT_A_FIELD = " is not a field of this product and was ignored"
EMPTY_CONFIG: dict[str, Any] = {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}}


def named(entry: dict[str, Any]) -> str:
    """Name an entry in a report."""
    request = entry["request"]
    return f"{request['model']} {request['task_type']}: {entry['title']} ({entry['said_by']})"


def product_of(entry: dict[str, Any]) -> Product:
    """Find what an entry orders."""
    return CATALOGUE.find(entry["request"]["model"], entry["request"]["task_type"])


def kept(sent: object, seen: object) -> bool:
    """Tell whether what was sent stands in what is seen; a file in the body is seen as an address of this server."""
    if isinstance(sent, Mapping):
        return isinstance(seen, Mapping) and all(name in seen and kept(sent[name], seen[name]) for name in sent)
    if isinstance(sent, list):
        return isinstance(seen, list) and len(sent) == len(seen) and all(map(kept, sent, seen))
    if isinstance(sent, str) and is_file(sent):
        return isinstance(seen, str) and seen.startswith("http://unitask.test/files/")
    return sent == seen and isinstance(sent, bool) == isinstance(seen, bool)


def is_file(text: str) -> bool:
    """Tell the files of these requests from their words: a data URI, or base64 of a PNG."""
    return text.startswith(("data:", "iVBOR"))


def expected(entry: dict[str, Any]) -> dict[str, Any]:
    """Give what the checked input must have: all that was sent, but for nulls and ignored keys."""
    ignored = entry.get("ignored", [])
    sent = entry["request"]["input"]
    read = {name: value for name, value in sent.items() if value is not None and name not in ignored}
    echo: dict[str, Any] = entry.get("echo", read)
    return echo


def check_answer(entry: dict[str, Any], task: dict[str, Any]) -> None:
    """Compare the task with the order."""
    request, product = entry["request"], product_of(entry)
    assert task["status"] == "pending"
    assert (task["model"], task["task_type"]) == (product.model, request["task_type"])
    assert kept(expected(entry), task["input"]), f"the input was read as {task['input']}"
    assert task["config"].keys() == EMPTY_CONFIG.keys()
    assert kept(request.get("config", EMPTY_CONFIG), task["config"]), f"the config was read as {task['config']}"
    unknown = [warning for warning in task["meta"]["warnings"] if NOT_A_FIELD in warning]
    assert sorted(warning.split(NOT_A_FIELD)[0] for warning in unknown) == sorted(
        f"input.{name}" for name in entry.get("ignored", [])
    )
    assert not set(entry.get("ignored", [])) & task["input"].keys()


def check_price(entry: dict[str, Any], frozen: int) -> None:
    """Compare the quote with the documented price; where that depends on a measure, the charge for it."""
    measured = entry.get("measured")
    if "points" not in entry:
        assert frozen > 0
    elif measured is None:
        assert frozen == entry["points"]
    else:
        price = product_of(entry).price
        assert measured.keys() == {price.unit}
        assert price.charge(frozen, measured) == entry["points"] <= frozen


@pytest.mark.parametrize("family", FAMILIES)
async def test_documented_requests_are_accepted_as_they_stand(client: httpx.AsyncClient, family: str) -> None:
    """Pending, priced as documented, echoed as sent, and no key that the documentation names is unknown."""
    for entry in FAMILIES[family]:
        answer = await client.post("/api/v1/task", json=entry["request"])
        try:
            task = accepted(answer)
            check_answer(entry, task)
            check_price(entry, task["meta"]["usage"]["frozen"])
        except AssertionError as error:
            error.add_note(named(entry))
            raise


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "output" in entry], ids=named)
def test_a_documented_output_is_one_of_the_product(entry: dict[str, Any]) -> None:
    """Its model reads the documented answer and leaves nothing of it out."""
    output = product_of(entry).output.model_validate(entry["output"], strict=True)
    assert kept(entry["output"], output.model_dump())


@pytest.mark.parametrize("product", tuple(CATALOGUE), ids=lambda product: product.key)
def test_every_product_has_a_documented_request_and_output(product: Product) -> None:
    """No product is sold whose wire is not written down here."""
    entries = [entry for entry in ENTRIES if product_of(entry) is product]
    assert entries
    assert any("output" in entry for entry in entries)
    assert any("points" in entry for entry in entries)


def test_entries_are_written_as_the_test_reads_them() -> None:
    """No misspelled key switches a check off, and no request stands there twice."""
    for entry in ENTRIES:
        assert entry.keys() <= KEYS
        assert {"title", "said_by", "request"} <= entry.keys()
        assert entry["said_by"] in SOURCES
        assert set(entry.get("ignored", [])) <= entry["request"]["input"].keys()
        assert "points" in entry or "measured" not in entry
    names = [named(entry) for entry in ENTRIES]
    assert len(names) == len(set(names))


async def test_no_name_is_looked_up_when_a_task_is_created(client: httpx.AsyncClient) -> None:
    """An address whose host does not exist is a matter of the run: create reads nothing but its text."""
    order = {
        "model": "Qubico/hug-video",
        "task_type": "image_to_video",
        "input": {"image_url": "https://no.invalid/a.jpg"},
    }
    assert accepted(await client.post("/api/v1/task", json=order))["status"] == "pending"
