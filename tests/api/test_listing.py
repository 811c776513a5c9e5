"""The catalogue for programs."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from support.answers import accepted, refused
from support.keys import API_KEY
from unitask.api import Application
from unitask.app import Services
from unitask.settings import Settings

ROUTE = "/api/v1/catalogue"
KEYS = [
    *("model", "task_type", "family", "title", "summary", "price", "limits", "expected_s", "engine", "engine_level"),
    *("missing", "input_schema", "output_schema", "choices", "examples"),
]


@pytest.fixture
async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Read the catalogue, by model and type."""
    return {f"{one['model']}/{one['task_type']}": one for one in accepted(await client.get(ROUTE))}


async def test_every_product_is_described(listed: dict[str, dict[str, Any]], services: Services) -> None:
    """With the keys that a form and a price list are made of."""
    assert set(listed) == {product.key for product in services.catalogue}
    for entry in listed.values():
        assert list(entry) == KEYS
        assert entry["input_schema"]["properties"]
        assert entry["output_schema"]["properties"]
        assert all(set(example) == {"title", "input"} for example in entry["examples"])
        assert (entry["engine"] is None) == (entry["engine_level"] is None)
        assert entry["engine"] or entry["missing"]


async def test_a_product_tells_price_limits_and_maker(listed: dict[str, dict[str, Any]]) -> None:
    """In points and dollars; in seconds and days."""
    entry = listed["Qubico/flux1-dev/txt2img"]
    assert entry["price"]["usd"] * 10_000_000 == entry["price"]["points"]
    assert entry["price"]["unit"]
    assert (entry["family"], entry["engine"], entry["engine_level"]) == ("flux", "preview", "preview")
    assert entry["limits"]["seconds"] > entry["expected_s"]
    assert entry["limits"]["keep_days"] == 3


async def test_names_to_choose_from_stand_by_themselves(listed: dict[str, dict[str, Any]]) -> None:
    """Wherever they are in the schema."""
    assert "mystic-realism" in listed["Qubico/flux1-dev-advanced/txt2img-lora"]["choices"]["loras"]
    assert "depth" in listed["Qubico/flux1-dev-advanced/controlnet-lora"]["choices"]["controlnets"]
    assert "zoom_in" in listed["Qubico/wanx/img2video-14b-control-camera"]["choices"]["camera_motions"]
    assert listed["Qubico/flux1-dev/txt2img"]["choices"] == {}


async def test_examples_can_be_sent_as_they_are(
    client: httpx.AsyncClient, listed: dict[str, dict[str, Any]], subtests: pytest.Subtests
) -> None:
    """A client that copies one gets a task."""
    for key, entry in listed.items():
        order = {"model": entry["model"], "task_type": entry["task_type"], "input": entry["examples"][0]["input"]}
        with subtests.test(key):
            assert accepted(await client.post("/api/v1/task", json=order))["meta"]["warnings"] == []


async def test_a_product_without_a_maker_says_what_is_missing(settings: Settings) -> None:
    """In the words with which an order would be refused."""
    services = await Services.open(settings.model_copy(update={"engines": ("cpu",), "api_key": SecretStr(API_KEY)}))
    await services.first_key()
    transport = httpx.ASGITransport(Application(services))
    headers = {"X-API-Key": API_KEY}
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test", headers=headers) as client:
        entries = accepted(await client.get(ROUTE))
        (entry,) = [one for one in entries if (one["model"], one["task_type"]) == ("Qubico/flux1-dev", "txt2img")]
        assert (entry["engine"], entry["engine_level"]) == (None, None)
        assert "UNITASK_ENGINES" in entry["missing"]
        order = {"model": entry["model"], "task_type": entry["task_type"], "input": entry["examples"][0]["input"]}
        assert entry["missing"] in refused(await client.post("/api/v1/task", json=order), 503)
    await services.close()
