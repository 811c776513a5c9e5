"""The simulated media server, asked by OpenAI's own client."""

import base64
import io
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest

from sim.faults import status
from sim.openai_media import OpenAIMedia
from sim.provider import served
from support.decoding import film, picture, sound
from support.media import PNG
from support.wait import until

openai = pytest.importorskip("openai")
# OpenAI itself closes its videos; the servers that speak as it does go on.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture
def sim() -> Iterator[OpenAIMedia]:
    """Run the server."""
    with served(OpenAIMedia()) as running:
        yield running


@pytest.fixture
def client(sim: OpenAIMedia) -> Iterator[Any]:
    """Open the official client, which tries nothing twice."""
    with openai.OpenAI(api_key=sim.key, base_url=f"{sim.url}/v1", max_retries=0) as opened:
        yield opened


def test_models_are_listed(client: Any) -> None:
    """With the one for videos."""
    assert "sora-2" in {model.id for model in client.models.list()}


def test_images_come_with_the_answer(sim: OpenAIMedia, client: Any) -> None:
    """As base64 or as addresses that need no key, as many as were ordered."""
    drawn = client.images.generate(model="gpt-image-2", prompt="a cat", n=2, size="1024x1024", output_format="jpeg")
    assert [picture(base64.b64decode(one.b64_json)).format for one in drawn.data] == ["JPEG", "JPEG"]
    assert (drawn.output_format, drawn.size, drawn.usage.total_tokens) == ("jpeg", "1024x1024", 277)
    (linked,) = client.images.generate(model="flux", prompt="a cat", response_format="url").data
    picture(httpx.get(linked.url, trust_env=False).content)
    assert (sim.submitted, sim.job.fetched) == (2, 1)
    sim.expire()
    assert httpx.get(linked.url, trust_env=False).status_code == 404


def test_an_edit_brings_its_files(sim: OpenAIMedia, client: Any) -> None:
    """One, several, and a mask; equal files make equal orders."""
    for images in (io.BytesIO(PNG), [("a.png", PNG, "image/png"), ("b.png", PNG, "image/png")]):
        edited = client.images.edit(model="gpt-image-2", image=images, prompt="a hat", mask=("m.png", PNG))
        picture(base64.b64decode(edited.data[0].b64_json))
    assert [one["name"] for one in sim.job.order["image"]] == ["a.png", "b.png"]
    assert base64.b64decode(sim.job.order["mask"][0]["data"]) == PNG
    assert sim.duplicates == 0


def test_a_video_is_asked_for_until_it_is_there(sim: OpenAIMedia, client: Any) -> None:
    """Queued, in progress, completed; then it is fetched, and taken away."""
    video = client.videos.create(model="sora-2", prompt="a cat", seconds="4", size="1280x720", input_reference=PNG)
    assert (video.status, video.progress, video.seconds, video.size) == ("queued", 0, "4", "1280x720")
    with pytest.raises(openai.NotFoundError, match="not ready"):
        client.videos.download_content(video.id)
    seen = [client.videos.retrieve(video.id) for _ in range(3)]
    assert [(one.status, one.progress) for one in seen] == [("in_progress", 50), ("completed", 100), ("completed", 100)]
    assert film(client.videos.download_content(video.id).read()).codec == "h264"
    picture(client.videos.download_content(video.id, variant="thumbnail").read())
    assert [one.id for one in client.videos.list()] == [video.id]
    assert client.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.videos.retrieve(video.id)
    assert not sim.job.cancelled


def test_a_video_that_runs_is_cancelled_by_taking_it_away(sim: OpenAIMedia, client: Any) -> None:
    """There is no other way."""
    sim.hold()
    video = client.videos.create(prompt="a cat")
    assert {client.videos.retrieve(video.id).status for _ in range(5)} == {"in_progress"}
    client.videos.delete(video.id)
    assert sim.job.cancelled


def test_videos_fail_in_three_ways(sim: OpenAIMedia, client: Any) -> None:
    """Refused at once, broken, and refused for what they show."""
    sim.fail("'size' must be smaller", why="input")
    with pytest.raises(openai.BadRequestError, match="must be smaller"):
        client.videos.create(prompt="a cat")
    assert sim.submitted == 0
    for why, code in (("provider", "server_error"), ("content", "moderation_blocked")):
        sim.fail("no", why=why)
        video = client.videos.create(prompt="a cat")
        failed = [client.videos.retrieve(video.id) for _ in range(2)][-1]
        assert (failed.status, failed.error.code, failed.error.message) == ("failed", code, "no")


def test_speech_is_the_answer(client: Any) -> None:
    """In every format that has a head, MP3 if nothing is said."""
    heads = {"mp3": "mp3", "wav": "pcm_s16le", "flac": "flac", "opus": "opus", "aac": "aac"}
    for form, codec in heads.items():
        said = client.audio.speech.create(model="tts", voice="alloy", input="hello", response_format=form)
        assert sound(said.read()).codec.startswith(codec)
    assert sound(client.audio.speech.create(model="tts", voice="alloy", input="hello").read()).codec.startswith("mp3")


@pytest.mark.parametrize(
    ("why", "error"),
    [("input", "BadRequestError"), ("content", "BadRequestError"), ("provider", "InternalServerError")],
)
def test_images_fail_in_three_ways(sim: OpenAIMedia, client: Any, why: Any, error: str) -> None:
    """The answer is the refusal."""
    sim.fail("not that", why=why)
    with pytest.raises(getattr(openai, error), match="not that") as refused:
        client.images.generate(model="gpt-image-2", prompt="a cat")
    assert refused.value.code == {"content": "moderation_blocked", "input": "invalid_value", "provider": None}[why]


def test_errors_are_of_the_client_s_classes(sim: OpenAIMedia, client: Any) -> None:
    """A missing field, a wrong key, too many requests, a fault of theirs, an id that nobody knows."""
    with pytest.raises(openai.BadRequestError, match="Missing required parameter: 'prompt'"):
        client.images.generate(prompt="")
    with openai.OpenAI(api_key="sk-wrong", base_url=f"{sim.url}/v1", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as unknown:
            stranger.models.list()
        assert (unknown.value.code, unknown.value.type) == ("invalid_api_key", "invalid_request_error")
    for code, error in ((429, openai.RateLimitError), (500, openai.InternalServerError)):
        sim.faults.add("submit", status(code))
        with pytest.raises(error):
            client.videos.create(prompt="a cat")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve("video_nobody")
    assert sim.submitted == 0


def test_an_image_waits_while_jobs_are_held(sim: OpenAIMedia, client: Any) -> None:
    """It is drawn when they are released."""
    sim.hold()
    drawn: list[Any] = []
    thread = Thread(target=lambda: drawn.append(client.images.generate(prompt="a cat")))
    thread.start()
    until(lambda: sim.submitted, within_s=10)
    assert not drawn
    sim.release()
    thread.join()
    picture(base64.b64decode(drawn[0].data[0].b64_json))


FORM = {"prompt": (None, "a cat")}
PICTURE = {**FORM, "input_reference": ("a.png", PNG)}


@pytest.mark.parametrize(
    ("style", "taken", "refused"),
    [
        ("vllm", {"files": FORM}, {"json": {"prompt": "a cat"}}),
        ("sglang", {"json": {"prompt": "a cat"}}, {"files": FORM}),
    ],
)
def test_open_servers_take_videos_in_their_own_ways(style: Any, taken: dict[str, Any], refused: dict[str, Any]) -> None:
    """By forms alone, or by forms with a picture; what they refuse is a `detail`."""
    with (
        served(OpenAIMedia(style=style)) as sim,
        httpx.Client(base_url=sim.url, headers=sim.headers, trust_env=False) as http,
    ):
        told = http.post("/v1/videos", **refused)
        assert (told.status_code in {400, 422}, list(told.json()), sim.submitted) == (True, ["detail"], 0)
        assert http.post("/v1/videos", files=PICTURE).is_success
        at = f"/v1/videos/{http.post('/v1/videos', **taken).json()['id']}"
        assert [http.get(at).json()["status"] for _ in range(2)] == ["in_progress", "completed"]
        assert film(http.get(f"{at}/content").content).codec == "h264"


@pytest.mark.parametrize(("style", "code", "cancelled"), [("vllm", 500, True), ("sglang", 200, False)])
def test_open_servers_fail_and_cancel_in_their_own_ways(style: Any, code: int, cancelled: bool) -> None:  # noqa: FBT001 - a case
    """A look at a failed video may itself be a failure; taking a video away need not stop it."""
    with (
        served(OpenAIMedia(style=style)) as sim,
        httpx.Client(base_url=sim.url, headers=sim.headers, trust_env=False) as http,
    ):
        sim.fail("CUDA out of memory")
        at = f"/v1/videos/{http.post('/v1/videos', files=PICTURE).json()['id']}"
        failed = [http.get(at) for _ in range(2)][-1]
        told = failed.json()
        assert (failed.status_code, told["status"], told["error"]["message"]) == (code, "failed", "CUDA out of memory")
        sim.hold()
        at = f"/v1/videos/{http.post('/v1/videos', files=PICTURE).json()['id']}"
        assert http.delete(at).is_success
        assert (sim.job.cancelled, http.get(at).status_code) == (cancelled, 404)
