"""The simulated queues, Replicate's and fal's, asked by their own clients."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from sim.fal import Fal
from sim.provider import served
from sim.replicate import Replicate
from support.decoding import film, picture, solid
from support.media import PNG

# Both speak through models of old forms.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def fetched(address: str) -> bytes:
    """Fetch a result without a key."""
    return httpx.get(address, trust_env=False).raise_for_status().content


@contextmanager
def replicating(sim: Replicate, key: str) -> Iterator[Any]:
    """Open Replicate's client, which has no way to close it."""
    module = pytest.importorskip("replicate")
    opened = module.Client(api_token=key, base_url=sim.url)
    opened.poll_interval = 0
    yield opened
    opened._client.close()


@contextmanager
def queueing(key: str) -> Iterator[Any]:
    """Open fal's client; it forgets those with which it uploads."""
    module = pytest.importorskip("fal_client.client")
    with ExitStack() as stack:

        class Client(module.SyncClient):
            def _get_cdn_client(self) -> Any:
                return stack.enter_context(super()._get_cdn_client())

        opened = Client(key=key)
        stack.callback(opened._client.close)
        yield opened


@pytest.fixture
def replicate() -> Iterator[Replicate]:
    """Run Replicate."""
    with served(Replicate(looks=3)) as running:
        yield running


@pytest.fixture
def client(replicate: Replicate) -> Iterator[Any]:
    """Open its official client."""
    with replicating(replicate, replicate.key) as opened:
        yield opened


@pytest.fixture
def fal() -> Iterator[Fal]:
    """Run fal."""
    with served(Fal(looks=3)) as running:
        yield running


@pytest.fixture
def queue(fal: Fal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Open its official client, whose addresses are constants."""
    module = pytest.importorskip("fal_client.client")
    monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{fal.url}/")
    monkeypatch.setattr(module, "REST_URL", fal.url)
    monkeypatch.setattr(module, "CDN_URL", fal.url)
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 1)
    with queueing(fal.key) as opened:
        yield opened


def test_a_prediction_is_asked_for_until_it_succeeded(replicate: Replicate, client: Any) -> None:
    """Starting, processing with a bar, succeeded; its file needs no key."""
    prediction = client.predictions.create(model="black-forest-labs/flux-dev", input={"prompt": "a cat"})
    assert (prediction.status, prediction.model, prediction.version) == (
        "starting",
        "black-forest-labs/flux-dev",
        "hidden",
    )
    prediction.reload()
    assert prediction.status == "starting"
    prediction.reload()
    assert (prediction.status, prediction.progress.total) == ("processing", 10)
    prediction.wait()
    assert (prediction.status, prediction.error, prediction.metrics["predict_time"]) == ("succeeded", None, 2.530865)
    picture(fetched(prediction.output[0]))
    replicate.expire()
    assert httpx.get(prediction.output[0], trust_env=False).status_code == 404
    assert [one.id for one in client.predictions.list()] == [prediction.id]


def test_a_version_is_run_in_one_request(replicate: Replicate, client: Any) -> None:
    """Which waits for its end, and while jobs are held answers before."""
    version = "some/video-model:" + "ab" * 32
    prediction = client.predictions.create(version=version, input={"prompt": "a cat"}, wait=True)
    assert (prediction.status, prediction.version) == ("succeeded", "ab" * 32)
    film(fetched(prediction.output))
    replicate.outputs[version] = {"mesh": "$glb"}
    solid(fetched(client.predictions.create(version=version, input={}, wait=5).output["mesh"]))
    replicate.hold()
    assert client.predictions.create(version=version, input={}, wait=5).status == "processing"
    assert replicate.job.headers["prefer"] == "wait=5"


def test_a_prediction_is_cancelled(replicate: Replicate, client: Any) -> None:
    """One that has ended is not."""
    replicate.hold()
    prediction = client.predictions.create(model="some/model", input={})
    prediction.reload()
    prediction.cancel()
    assert (prediction.status, replicate.job.cancelled) == ("canceled", True)
    replicate.release()
    prediction = client.predictions.create(version="ab" * 32, input={}, wait=True)
    prediction.cancel()
    assert prediction.status == "succeeded"


def test_predictions_fail_in_three_ways(replicate: Replicate, client: Any) -> None:
    """Refused at once with the field, broken, and refused for what they show."""
    module = pytest.importorskip("replicate.exceptions")
    replicate.fail("seed must be an integer", why="input")
    with pytest.raises(module.ReplicateError, match="seed must be an integer") as refused:
        client.predictions.create(model="some/model", input={})
    assert (refused.value.status, refused.value.title) == (422, "Input validation failed")
    assert replicate.submitted == 0
    for why, error in (("provider", "CUDA out of memory"), ("content", "flagged as sensitive (E005)")):
        replicate.fail(error.removesuffix(" (E005)"), why=why)
        prediction = client.predictions.create(model="some/model", input={})
        prediction.wait()
        assert (prediction.status, prediction.error, prediction.output) == ("failed", error, None)


def test_problems_of_replicate_are_told(replicate: Replicate, client: Any) -> None:
    """A wrong key, an id that nobody knows, no version; its account is there."""
    module = pytest.importorskip("replicate")
    assert client.accounts.current().username == "somebody"
    with (
        replicating(replicate, "wrong") as stranger,
        pytest.raises(module.exceptions.ReplicateError, match="valid auth"),
    ):
        stranger.accounts.current()
    prediction = client.predictions.create(model="some/model", input={})
    replicate.forget()
    with pytest.raises(module.exceptions.ReplicateError, match="could not be found"):
        client.predictions.get(prediction.id)


def test_a_model_is_described(replicate: Replicate, client: Any) -> None:
    """One of those that it has; any other could not be found."""
    module = pytest.importorskip("replicate.exceptions")
    model = client.models.get("black-forest-labs/flux-dev")
    assert (model.id, model.visibility, len(model.latest_version.id)) == ("black-forest-labs/flux-dev", "public", 64)
    with pytest.raises(module.ReplicateError, match="could not be found") as refused:
        client.models.get("black-forest-labs/flux-next")
    assert refused.value.status == 404


def test_inputs_are_uploaded_to_replicate(replicate: Replicate, client: Any) -> None:
    """A file in an input goes up first, and the input names it."""
    file = io.BytesIO(PNG)
    file.name = "cat.png"
    client.predictions.create(version="ab" * 32, input={"image": file})
    assert (replicate.uploads[0].content, replicate.uploads[0].content_type) == (PNG, "image/png")
    assert replicate.job.order["input"]["image"] == f"{replicate.url}/v1/files/file-1"
    assert client.files.get("file-1").size == len(PNG)
    assert client.files.delete("file-1")


def test_a_deadline_is_kept() -> None:
    """It is part of the answer; one that is no duration is refused."""
    with served(Replicate()) as sim, httpx.Client(base_url=sim.url, headers=sim.headers, trust_env=False) as http:
        for after, code in (("1m30s", 201), ("90", 201), ("soon", 400)):
            answer = http.post("/v1/models/a/b/predictions", json={"input": {}}, headers={"Cancel-After": after})
            assert answer.status_code == code
            assert ("deadline" in answer.json()) is (code == 201)


def test_a_request_is_asked_for_until_it_is_completed(fal: Fal, queue: Any) -> None:
    """In the queue, in progress with logs, completed; the rest of the application's path is not in its addresses."""
    module = pytest.importorskip("fal_client.client")
    handle = queue.submit("fal-ai/flux/dev", {"prompt": "a cat"})
    assert handle.status_url == f"{fal.url}/fal-ai/flux/requests/{handle.request_id}/status"
    with pytest.raises(module.FalClientHTTPError, match="still in progress"):
        module._request(queue._client, "GET", handle.response_url)
    assert handle.status() == module.Queued(position=0)
    running = handle.status(with_logs=True)
    assert "33%" in running.logs[0]["message"] or "67%" in running.logs[0]["message"]
    done = handle.status()
    assert (done, done.metrics) == (module.Completed(None, {"inference_time": 2.5}), {"inference_time": 2.5})
    output = handle.get()
    picture(fetched(output["images"][0]["url"]))
    fal.expire()
    assert httpx.get(output["images"][0]["url"], trust_env=False).status_code == 404
    codes = [httpx.get(handle.status_url, headers=fal.headers, trust_env=False).status_code]
    queue.submit("fal-ai/flux/dev", {})
    codes.append(httpx.get(fal.addresses(fal.job)["status_url"], headers=fal.headers, trust_env=False).status_code)
    assert codes == [200, 202]


def test_outputs_are_of_the_model_s_form(fal: Fal, queue: Any) -> None:
    """As a test says, or as models of that kind have it."""
    film(fetched(queue.submit("fal-ai/wan/v2.2-5b/text-to-video", {}).get(interval=0)["video"]["url"]))
    fal.outputs["fal-ai/trellis"] = {"model_mesh": {"url": "$glb"}, "timings": {"a": 1}}
    output = queue.submit("fal-ai/trellis", {}).get(interval=0)
    assert output["timings"] == {"a": 1}
    solid(fetched(output["model_mesh"]["url"]))


@pytest.mark.parametrize(
    ("why", "code", "retryable"), [("input", 422, "false"), ("content", 422, "false"), ("provider", 503, "true")]
)
def test_requests_fail_in_three_ways(fal: Fal, queue: Any, why: Any, code: int, retryable: str) -> None:
    """All when the result is asked for; the machine's errors have a type of their own."""
    module = pytest.importorskip("fal_client.client")
    fal.fail("not that", why=why)
    with pytest.raises(module.FalClientHTTPError) as failed:
        queue.submit("fal-ai/flux/dev", {"prompt": "a cat"}).get(interval=0)
    assert (failed.value.status_code, failed.value.response_headers["x-fal-retryable"]) == (code, retryable)
    if why == "provider":
        assert (failed.value.message, failed.value.error_type) == ("not that", "runner_disconnected")
    else:
        (detail,) = failed.value.message
        kind = {"input": "value_error", "content": "content_policy_violation"}[why]
        assert (detail["type"], detail["msg"], detail["loc"]) == (kind, "not that", ["body", "prompt"])


def test_a_request_is_cancelled(fal: Fal, queue: Any) -> None:
    """One that has ended is not."""
    module = pytest.importorskip("fal_client.client")
    handle = queue.submit("fal-ai/flux/dev", {})
    fal.hold()
    handle.status()
    handle.cancel()
    assert fal.job.cancelled
    assert handle.status().error_type == "client_cancelled"
    with pytest.raises(module.FalClientHTTPError, match="ALREADY_COMPLETED"):
        handle.cancel()
    fal.forget()
    with pytest.raises(module.FalClientHTTPError, match="NOT_FOUND"):
        handle.cancel()


def test_inputs_are_uploaded_to_fal(fal: Fal, queue: Any) -> None:
    """In both ways that its client knows; a wrong key is refused."""
    module = pytest.importorskip("fal_client.client")
    for repository in ("fal_v3", "fal"):
        address = queue.upload(PNG, "image/png", "cat.png", repository=repository, fallback_repository=[])
        assert fetched(address) == fal.uploads[-1].content == PNG
    with queueing("wrong") as stranger, pytest.raises(module.FalClientHTTPError, match="No user found"):
        stranger.submit("fal-ai/flux/dev", {})
    assert fal.submitted == 0
