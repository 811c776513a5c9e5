"""The OpenAPI document: valid, built from the catalogue, and true of what the API answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import BaseModel, create_model
from starlette.routing import Route

from unitask.api.application import PUBLIC
from unitask.api.envelope import failure, refused_task, success, task_object
from unitask.api.openapi import document
from unitask.artifacts.buckets import Buckets
from unitask.artifacts.service import Artifacts
from unitask.artifacts.store import LocalStore
from unitask.catalogue import Catalogue
from unitask.kit.clock import Clock
from unitask.kit.errors import UnitaskError
from unitask.kit.net import Guard
from unitask.spec.product import Example, Input, Product
from unitask.tasks.model import CANCELLED, Status, Task

BASE = "https://media.example:8443"
CATALOGUE = Catalogue.load()
PRODUCTS = tuple(CATALOGUE)
DOCUMENT = document(CATALOGUE, BASE)
FLUX = CATALOGUE.find("Qubico/flux1-dev", "txt2img")
CREATE = DOCUMENT["paths"]["/api/v1/task"]["post"]
CREATED_US = 1_800_000_000_000_000
TASK = Task(
    id="01987c5f-3b1e-7cc3-98c4-dc0c0c07398f",
    account_id=1,
    api_key_id=1,
    model=FLUX.model,
    task_type=FLUX.task_type,
    status=Status.PENDING,
    input='{"prompt":"a little cat"}',
    config='{"service_mode":"","webhook_config":{"endpoint":"","secret":""}}',
    warnings="[]",
    price_points=150_000,
    created_at=CREATED_US,
)
STARTED = {"engine": "cpu", "engine_level": "basic", "started_at": CREATED_US + 1, "progress": 0.25}
ENDED = {**STARTED, "ended_at": CREATED_US + 2}
OUTPUT = '{"image_url":"unitask-file:cat.png","image_urls":null,"image_base64":""}'


def checker(schema: dict[str, Any], within: dict[str, Any] = DOCUMENT) -> Draft202012Validator:
    """Check values against a schema that may refer to the components of a document."""
    return Draft202012Validator({**schema, "components": within["components"]})


def named(name: str, within: dict[str, Any] = DOCUMENT) -> Draft202012Validator:
    """Check values against a named schema."""
    return checker({"$ref": f"#/components/schemas/{name}"}, within)


def made_from(inputs: type[Input], **changes: Any) -> Product:
    """Make another product of a new input class."""
    return replace(FLUX, **{"model": "Example/other", "input": inputs, "examples": (), **changes})


def order_schema(product: Product, within: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """Find the one schema whose constants are this product's."""
    found = [
        schema
        for schema in within["components"]["schemas"].values()
        if schema.get("properties", {}).get("model", {}).get("const") == product.model
        and schema["properties"]["task_type"].get("const") == product.task_type
    ]
    assert len(found) == 1
    return found[0]


def each_error(kind: type[UnitaskError] = UnitaskError) -> list[type[UnitaskError]]:
    """List the error classes below one."""
    return [kind, *(error for below in kind.__subclasses__() for error in each_error(below))]


def test_the_document_is_valid_openapi() -> None:
    """A tool that reads OpenAPI 3.1 can read it."""
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["servers"] == [{"url": BASE}]


def test_the_document_can_be_written_as_json() -> None:
    """Nothing in it is of a type that JSON lacks."""
    assert orjson.loads(orjson.dumps(DOCUMENT)) == DOCUMENT


# What can be ordered


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)
def test_a_product_has_a_schema_told_by_its_model_and_task_type(product: Product) -> None:
    """Model and task type are constants, so that a body fits one product only."""
    schema = order_schema(product)
    assert schema["required"] == ["model", "task_type", "input"]
    assert schema["title"] == product.title
    assert product.summary in schema["description"]


def test_the_body_of_create_is_one_of_the_products() -> None:
    """The request schema offers each product once, under a readable name."""
    offered = [each["$ref"] for each in CREATE["requestBody"]["content"]["application/json"]["schema"]["oneOf"]]
    assert len(offered) == len(set(offered)) == len(PRODUCTS)
    assert "#/components/schemas/Qubico_flux1-dev_txt2img" in offered


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)
def test_every_example_of_a_product_fits_the_body_of_create(product: Product) -> None:
    """What the catalogue shows as an example can be sent."""
    body = checker(CREATE["requestBody"]["content"]["application/json"]["schema"])
    for example in product.examples:
        body.validate({"model": product.model, "task_type": product.task_type, "input": example.input})


def test_the_document_shows_every_example() -> None:
    """Each is there with its title and can be sent as it is."""
    shown = CREATE["requestBody"]["content"]["application/json"]["examples"].values()
    assert [each["summary"] for each in shown] == [
        f"{product.title}: {example.title}" for product in PRODUCTS for example in product.examples
    ]
    assert [each["value"]["input"] for each in shown] == [
        example.input for product in PRODUCTS for example in product.examples
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "Example/unknown"},
        {"task_type": "txt2video"},
        {"input": {}},
        {"input": {"prompt": "a cat", "steps": "many"}},
        {"config": "none"},
    ],
    ids=["model", "task type", "missing field", "wrong type", "config"],
)
def test_what_is_not_sold_does_not_fit_the_body_of_create(change: dict[str, Any]) -> None:
    """A product that does not exist, or an input it does not take, is refused by the schema too."""
    body = checker(CREATE["requestBody"]["content"]["application/json"]["schema"])
    order = {"model": FLUX.model, "task_type": FLUX.task_type, "input": {"prompt": "a cat"}}
    assert body.is_valid(order)
    assert not body.is_valid({**order, **change})


@pytest.mark.parametrize(
    "config", [None, {}, {"webhook_config": {"endpoint": "", "secret": ""}, "service_mode": "public"}]
)
def test_a_config_may_be_absent_empty_or_filled(config: dict[str, Any] | None) -> None:
    """Clients send all of these."""
    order = {"model": FLUX.model, "task_type": FLUX.task_type, "input": {"prompt": "a cat"}, "config": config}
    assert named("Qubico_flux1-dev_txt2img").is_valid(order)


def test_a_product_tells_its_price_and_limits() -> None:
    """For people in the description, for programs in extensions."""
    schema = order_schema(CATALOGUE.find("Qubico/image-toolkit", "upscale"))
    assert "10,000 points ($0.001) per output megapixel" in schema["description"]
    assert "ended after 60 s" in schema["description"]
    assert "kept for 3 days" in schema["description"]
    assert schema["x-price-points"] == 10_000
    assert schema["x-price-unit"] == "output megapixel"
    assert schema["x-family"] == "image_toolkit"


def test_two_products_whose_names_would_be_one_have_two_schemas() -> None:
    """Characters that a name cannot hold become one and the same; a number keeps the products apart."""
    first = replace(FLUX, model="a/b", task_type="c")
    second = replace(FLUX, model="a_b", task_type="c")
    made = document(Catalogue.of([first, second]), BASE)
    assert order_schema(first, made) != order_schema(second, made)
    validate(made)


def test_two_input_classes_of_one_name_stay_apart() -> None:
    """Two packages may both call a class `Upscale`."""
    words = create_model("Same", __base__=Input, __module__="one", words=(str, ...))
    number = create_model("Same", __base__=Input, __module__="two", number=(int, ...))
    first = made_from(words, task_type="words")
    second = made_from(number, task_type="number")
    made = document(Catalogue.of([first, second]), BASE)
    assert checker(order_schema(first, made)["properties"]["input"], made).is_valid({"words": "x"})
    assert not checker(order_schema(second, made)["properties"]["input"], made).is_valid({"words": "x"})


def test_a_products_class_cannot_take_the_name_of_a_schema_of_the_api() -> None:
    """A class called `Task` in a catalogue leaves the task object as it is."""
    taker = create_model("Task", __base__=Input, title=(str, ...))
    giver = create_model("TaskOutput", __base__=BaseModel, url=(str, ...))
    made = document(Catalogue.of([made_from(taker, output=giver)]), BASE)
    assert made["components"]["schemas"]["Task"] == DOCUMENT["components"]["schemas"]["Task"]
    assert "anyOf" in made["components"]["schemas"]["TaskOutput"]


def test_an_invalid_example_does_not_keep_the_document_from_being_built() -> None:
    """A package with a wrong example must not stop the server."""
    product = made_from(FLUX.input, examples=(Example("Wrong", {"prompt": 5, "unknown": 1}),))
    validate(document(Catalogue.of([product]), BASE))


# What is answered


@pytest.mark.parametrize(
    "task",
    [
        TASK,
        replace(TASK, status=Status.STAGED),
        replace(TASK, status=Status.PROCESSING, logs='["step 1"]', **STARTED),
        replace(TASK, status=Status.COMPLETED, output=OUTPUT, charged_points=150_000, **ENDED),
        replace(TASK, status=Status.FAILED, error=orjson.dumps(CANCELLED.as_document()).decode(), **ENDED),
    ],
    ids=lambda task: task.status,
)
def test_a_task_is_answered_as_documented(task: Task, tmp_path: Path) -> None:
    """In every status the real task object fits its schema and has the very keys that are documented."""
    artifacts = Artifacts(None, Clock(), Buckets(None, Clock(), LocalStore(tmp_path), "", Guard()), BASE)
    answer = orjson.loads(success(task_object(task, artifacts)).body)
    named("TaskAnswer").validate(answer)
    schemas = DOCUMENT["components"]["schemas"]
    assert list(answer["data"]) == list(schemas["Task"]["properties"])
    assert list(answer["data"]["meta"]) == list(schemas["TaskMeta"]["properties"])
    assert list(answer["data"]["error"]) == list(schemas["TaskError"]["properties"])


def test_the_sample_answer_is_a_true_one() -> None:
    """The task shown with create fits the schema beside it."""
    content = CREATE["responses"]["200"]["content"]["application/json"]
    checker(content["schema"]).validate(content["example"])


@pytest.mark.parametrize("data", [None, refused_task(400, "invalid request")], ids=["bare", "with a task"])
def test_a_refusal_is_answered_as_documented(data: dict[str, Any] | None) -> None:
    """Both shapes of a refusal fit its schema, and an answer that went well does not."""
    named("Refusal").validate(orjson.loads(failure(400, "invalid request", data=data).body))
    assert not named("Refusal").is_valid(orjson.loads(success(data).body))


def test_a_task_documents_exactly_the_five_statuses() -> None:
    """Lower case, and each explained."""
    status = DOCUMENT["components"]["schemas"]["Task"]["properties"]["status"]
    assert status["enum"] == list(Status)
    assert all(f"`{name}`" in status["description"] for name in Status)


def test_every_error_that_can_be_answered_is_documented() -> None:
    """A new class of error needs a line of its own."""
    statuses = {str(error.status) for error in each_error()}
    assert statuses == set(DOCUMENT["components"]["responses"])


def test_create_documents_its_answers() -> None:
    """All that a client has to expect, and how long to wait when there is too much."""
    assert set(CREATE["responses"]) == {"200", "400", "401", "402", "403", "413", "422", "429", "500", "503"}
    too_many = DOCUMENT["components"]["responses"]["429"]
    assert too_many["headers"]["Retry-After"]["schema"] == {"type": "integer"}
    assert [each["name"] for each in CREATE["parameters"]] == ["Idempotency-Key", "Prefer"]


def test_every_public_route_is_documented() -> None:
    """What the application serves beside the workers' door is in the document, method by method."""
    served = {
        (route.path.replace(":path", ""), method.lower())
        for module in PUBLIC
        for route in module.ROUTES
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    documented = {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert documented - served == {("/openapi.json", "get"), ("/docs", "get")}
    assert served <= documented


def test_a_key_is_asked_of_the_task_calls_only() -> None:
    """Files and the server's own pages answer without one."""
    open_paths = {
        path
        for path, operations in DOCUMENT["paths"].items()
        if all(operation.get("security") == [] for operation in operations.values())
    }
    assert open_paths == {"/files/{path}", "/uploads/{token}", "/healthz", "/readyz", "/openapi.json", "/docs"}
    assert DOCUMENT["security"] == [{"apiKey": []}, {"bearer": []}]
    assert DOCUMENT["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
