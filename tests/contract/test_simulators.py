"""What all simulators of providers share: jobs that are counted, keys, faults, files; and the hub's own ways."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args

import httpx
import pytest

from sim.cog import Cog
from sim.comfyui import ComfyUI
from sim.fal import Fal
from sim.faults import Step, delay, garbage, hang_up, huge, leak, status, wrong_type
from sim.openai_media import OpenAIMedia
from sim.provider import Simulator, served
from sim.replicate import Replicate
from sim.results import TYPES, content, kind_of
from sim.unified import Unified
from support.clients import opened
from support.decoding import film, picture, solid, sound
from support.hosted import STORY
from support.media import PNG, base64_of
from support.piapi import OFTEN, Cli, said
from unitask.catalogue import Catalogue
from unitask_sdk import InvalidRequest, NotFound, TaskFailed, Unauthorized

FLUX = {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": {"prompt": "a cat"}}
GRAPH = {"9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "cat"}}}


class Provider(NamedTuple):
    """A simulator, and how a client orders something that takes a while, or at least comes to an end."""

    make: Callable[[], Simulator]
    path: str
    order: dict[str, Any]


PROVIDERS = {
    "unified": Provider(Unified, "/api/v1/task", FLUX),
    "openai": Provider(OpenAIMedia, "/v1/videos", {"prompt": "a cat", "model": "sora-2"}),
    "replicate": Provider(Replicate, "/v1/models/some/model/predictions", {"input": {"prompt": "a cat"}}),
    "fal": Provider(Fal, "/fal-ai/flux/dev", {"prompt": "a cat"}),
    "comfyui": Provider(ComfyUI, "/prompt", {"prompt": GRAPH}),
    "cog": Provider(Cog, "/predictions", {"input": {"prompt": "a cat"}}),
}


class Client:
    """Orders from one simulator."""

    def __init__(self, name: str, sim: Simulator, http: httpx.Client) -> None:
        self.name, self.sim, self.http = name, sim, http

    def order(self, **more: Any) -> httpx.Response:
        """Order."""
        provider = PROVIDERS[self.name]
        return self.http.post(provider.path, json=provider.order, **more)


@pytest.fixture(params=PROVIDERS)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Open a client of a simulator of each provider."""
    with (
        served(PROVIDERS[request.param].make()) as sim,
        httpx.Client(base_url=sim.url, headers=sim.headers, trust_env=False, timeout=10) as http,
    ):
        yield Client(request.param, sim, http)


@pytest.fixture
def hub() -> Iterator[Unified]:
    """Run the hub."""
    with served(Unified(looks=3)) as sim:
        yield sim


def test_orders_are_counted_and_kept(client: Client) -> None:
    """With their headers; the same order twice is a duplicate, unless somebody made it one by a key."""
    assert client.order(headers={"Idempotency-Key": "k"}).is_success
    assert (client.sim.submitted, client.sim.duplicates, client.sim.job.key) == (1, 0, "k")
    assert client.order().is_success
    assert (client.sim.submitted, client.sim.duplicates, client.sim.job.key) == (2, 1, None)
    assert "a cat" in json.dumps(client.sim.job.order) or client.name == "comfyui"


def test_a_wrong_key_makes_no_job(client: Client) -> None:
    """Where there are keys."""
    if not client.sim.key:
        pytest.skip("nobody needs a key there")
    for wrong in ("Bearer wrong", "Key wrong", client.sim.key, ""):
        assert client.order(headers={"Authorization": wrong, "X-API-Key": ""}).status_code == 401
    assert client.sim.submitted == 0


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_refused_submit_makes_no_job(client: Client, code: int) -> None:
    """As often as it was wanted, and in order."""
    client.sim.faults.add("submit", status(code, retry_after="0"), times=2)
    for _ in range(2):
        refused = client.order()
        assert (refused.status_code, refused.headers["retry-after"]) == (code, "0")
    assert (client.sim.submitted, client.sim.faults.left) == (0, 0)
    assert client.order().is_success
    assert client.sim.submitted == 1


def test_a_connection_breaks_before_or_after_the_job_is_made(client: Client) -> None:
    """The client cannot tell the two apart."""
    client.sim.faults.add("submit", hang_up())
    client.sim.faults.add("submit", hang_up(after=True))
    for jobs in (0, 1):
        with pytest.raises(httpx.TransportError):
            client.order()
        assert client.sim.submitted == jobs


def test_answers_of_a_submit_are_spoilt(client: Client) -> None:
    """A page, half of a document, and a refusal that tells a secret."""
    client.sim.faults.add("submit", wrong_type())
    page = client.order()
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert client.sim.submitted == 0
    client.sim.faults.add("submit", garbage())
    half = client.order()
    assert (half.status_code, half.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match=r"line|char"):
        half.json()
    assert client.sim.submitted == 1
    client.sim.faults.add("submit", leak())
    told = client.order()
    assert told.status_code == 400
    assert client.sim.key in told.text


def test_an_answer_does_not_end(client: Client) -> None:
    """For as long as somebody reads it."""
    client.sim.faults.add("submit", huge())
    provider, size = PROVIDERS[client.name], 0
    with client.http.stream("POST", provider.path, json=provider.order) as answer:
        for piece in answer.iter_raw():
            size += len(piece)
            if size > 2**24:
                break
    assert client.sim.submitted == 0


def test_an_answer_comes_when_a_test_wants(client: Client) -> None:
    """The job is made by then; the client may have left."""
    event = threading.Event()
    client.sim.faults.add("submit", delay(event), times=2)
    with pytest.raises(httpx.ReadTimeout):
        client.order(timeout=0.3)
    assert client.sim.submitted == 1
    event.set()
    assert client.order().is_success


def test_every_request_has_a_step(client: Client) -> None:
    """So that faults can happen to it; where jobs are looked at they can happen to that too."""
    steps = {route.name.partition(":")[0] for route in client.sim._router.routes} - {""}
    assert steps <= set(get_args(Step))
    assert {"submit", "cancel", "ping", "file"} <= steps
    assert ("look" in steps) is (client.name != "cog")
    for step in steps:
        client.sim.faults.add(step, status(500))
    assert client.order().status_code == 500
    assert client.sim.faults.left == len(steps) - 1


def test_results_are_files_of_their_kind() -> None:
    """All of them decode to the end."""
    for extension, content_type in TYPES.items():
        kind = content_type.partition("/")[0]
        if extension == "pcm":
            continue
        decode = {"image": picture, "video": film, "audio": sound, "model": solid}[kind]
        assert decode(content(extension)) is not None


def test_the_kind_of_every_product_is_guessed_from_its_name() -> None:
    """The hub's outputs have the fields of the product's."""
    for product in Catalogue.load():
        usual = Unified.usual[kind_of(str(product.key))]
        assert set(usual) == set(product.output.model_fields), product.key


def test_the_sdk_runs_a_task_at_the_hub(hub: Unified) -> None:
    """From pending to the file, and what fails there fails here."""
    with opened("sync", hub.url, hub.key) as client:
        seen: list[str] = []
        task = client.run(*FLUX.values(), progress=lambda event: seen.append(event.status))
        assert seen == ["pending", "processing", "completed"]
        assert (task.usage.charged, hub.submitted) == (20000, 1)
        picture(httpx.get(task.files[0].url, trust_env=False).content)
        assert hub.job.fetched == 1
        hub.fail("no face found in the image")
        with pytest.raises(TaskFailed, match="no face found"):
            client.run(*FLUX.values())
        hub.fail("invalid request: prompt is missing", why="input")
        with pytest.raises(InvalidRequest, match="prompt is missing"):
            client.create(*FLUX.values())
        assert hub.submitted == 2
        hub.forget()
        with pytest.raises(NotFound, match="task not found"):
            client.get(task.id)
    with opened("sync", hub.url, "sk-wrong") as stranger, pytest.raises(Unauthorized):
        stranger.create(*FLUX.values())


def test_another_s_client_runs_a_task_at_the_hub(hub: Unified) -> None:
    """`piapi-cli`, unmodified."""
    cli = Cli(hub.url, hub.key)
    task = said(cli("run", "Qubico/wanx", "txt2video-1.3b", '{"prompt": "a cat"}', *OFTEN, "--timeout", "60"))
    assert task["status"] == "completed"
    film(httpx.get(task["output"]["video_url"], trust_env=False).content)


def test_a_job_at_the_hub_is_taken_back_while_it_waits(hub: Unified) -> None:
    """Not once it runs; results expire."""
    with httpx.Client(base_url=hub.url, headers={"x-api-key": hub.key}, trust_env=False) as client:
        hub.staged = True
        order = client.post("/api/v1/task", json=FLUX).json()["data"]
        assert order["status"] == "staged"
        gone = client.delete(f"/api/v1/task/{order['task_id']}").json()["data"]
        assert (gone["status"], gone["error"]["message"]) == ("failed", "the task was cancelled")
        assert hub.job.cancelled
        order = client.post("/api/v1/task", json=FLUX).json()["data"]
        hub.hold()
        at = f"/api/v1/task/{order['task_id']}"
        assert {client.get(at).json()["data"]["status"] for _ in range(9)} == {"processing"}
        assert client.delete(at).status_code == 400
        hub.release()
        statuses = [client.get(at).json()["data"]["status"] for _ in range(3)]
        assert statuses[-1] == "completed"
        assert set(statuses) <= set(STORY)
        hub.expire()
        assert client.get(client.get(at).json()["data"]["output"]["image_url"]).status_code == 404


def test_keys_mean_something_to_one_that_is_idempotent() -> None:
    """The same order under the same key is the same task; to the hub it is another."""
    for idempotent, jobs in ((True, 1), (False, 2)):
        with served(Unified(idempotent=idempotent)) as sim, httpx.Client(base_url=sim.url, trust_env=False) as client:
            headers = {"X-API-Key": sim.key, "Idempotency-Key": "k"}
            ids = [client.post("/api/v1/task", json=FLUX, headers=headers).json()["data"]["task_id"] for _ in range(2)]
            assert (len(set(ids)), sim.submitted, sim.duplicates) == (jobs, jobs, jobs - 1)
            other = {**FLUX, "input": {"prompt": "a dog"}}
            assert client.post("/api/v1/task", json=other, headers=headers).is_success is not idempotent


def test_a_job_that_runs_at_another_unitask_is_taken_back() -> None:
    """The answer is the job as it was; the next look tells, and a second time there is nothing to take."""
    with (
        served(Unified(idempotent=True)) as sim,
        httpx.Client(base_url=sim.url, headers=sim.headers, trust_env=False) as client,
    ):
        sim.hold()
        at = f"/api/v1/task/{client.post('/api/v1/task', json=FLUX).json()['data']['task_id']}"
        client.get(at)
        assert client.post(f"{at}/cancel").json()["data"]["status"] == "processing"
        gone = client.get(at).json()["data"]
        assert (gone["status"], gone["error"]["message"]) == ("failed", "the task was cancelled")
        assert client.delete(at).status_code == 409


def test_the_hub_takes_inputs_and_tells_what_is_left(hub: Unified) -> None:
    """Base64 under a name; the address is in both places where clients look."""
    with httpx.Client(base_url=hub.url, headers={"x-api-key": hub.key}, trust_env=False) as client:
        told = client.post("/api/ephemeral_resource", json={"file_name": "a.PNG", "file_data": base64_of(PNG)}).json()
        assert told["url"] == told["data"]["url"]
        assert httpx.get(told["url"], trust_env=False).content == hub.uploads[0].content == PNG
        assert client.post("/api/ephemeral_resource", json={"file_name": "a.exe", "file_data": ""}).status_code == 400
        for path in ("/account/info", "/api/v1/account/info"):
            account = client.get(path).json()["data"]
            assert account["equivalent_in_usd"] == account["credit_pack_info"]["available_credits"] / 10**7
        assert client.get("/nothing").text == "404 page not found"
