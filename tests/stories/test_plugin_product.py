"""Adding a product touches exactly one file, which may be in a package of someone else."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from support import postcard
from support.machine import Api, Machine
from support.plugin import install

ORDER = {"model": "Quince/postcards", "task_type": "print", "input": {"prompt": "a lighthouse", "batch_size": 2}}


@pytest.fixture
def extended(machine: Machine) -> Machine:
    """Install one file with one product, and its entry point."""
    install(machine.folder / "plugin", Path(postcard.__file__), products={"quince": "PRODUCT"})
    return machine


def test_an_added_product_is_in_the_catalogue(extended: Machine) -> None:
    """With its price, its engine and the schema of its input."""
    listed: list[dict[str, Any]] = json.loads(extended.run("catalogue", "--json").stdout)
    (product,) = [one for one in listed if one["model"] == "Quince/postcards"]
    assert product["task_type"] == "print"
    assert (product["price"]["points"], product["price"]["unit"]) == (1_500, "postcard")
    assert (product["engine"], product["engine_level"]) == ("preview", "preview")
    assert product["input_schema"]["required"] == ["prompt"]


def test_an_added_product_is_validated_priced_described_and_made(extended: Machine) -> None:
    """Over HTTP it is like any other: nothing but its own file says anything about it."""
    api = extended.client(extended.start("up"))
    _is_described(api)
    _is_validated(api)
    task = api.http.post("/api/v1/task", json=ORDER).json()["data"]
    assert task["meta"]["usage"]["frozen"] == 2 * 1_500
    task = api.ended(task["task_id"])
    assert task["status"] == "completed", task["error"]
    assert task["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 2 * 1_500}
    assert len(task["output"]["image_urls"]) == 2
    for url in task["output"]["image_urls"]:
        assert Image.open(io.BytesIO(api.http.get(url).content)).size == (320, 240)


def _is_described(api: Api) -> None:
    document = api.http.get("/openapi.json").json()
    orders = [
        schema["properties"]
        for schema in document["components"]["schemas"].values()
        if schema.get("properties", {}).get("model", {}).get("const") == "Quince/postcards"
    ]
    assert [order["task_type"]["const"] for order in orders] == ["print"]
    assert "Postcards with a picture of what you say." in json.dumps(document)
    assert "Quince/postcards" in api.http.get("/docs").text


def _is_validated(api: Api) -> None:
    refused = api.http.post("/api/v1/task", json={**ORDER, "input": {"prompt": "a lighthouse", "batch_size": 5}})
    assert refused.status_code == 400
    assert refused.json()["message"] == "invalid request: input.batch_size: Input should be less than or equal to 4"
