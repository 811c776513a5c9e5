"""The simulated ComfyUI: its queue, its history, its files, its refusals, and what its websocket tells."""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sim.comfyui import ComfyUI
from sim.faults import hang_up, status
from sim.provider import served
from support.decoding import film, picture, solid, sound
from support.media import PNG

CLIENT = "a-client"
SAMPLER = {"seed": ["INT", {"min": 0, "max": 99}], "name": [["euler", "heun"]], "model": ["MODEL"]}
NODES = {
    "Sampler": {"input": {"required": SAMPLER}, "output": ["IMAGE"], "output_node": False},
    "Loader": {
        "input": {"required": {"ckpt": ["COMBO", {"options": ["a.safetensors"]}]}},
        "output": ["MODEL"],
        "output_node": False,
    },
    "SaveImage": {"input": {"required": {"images": ["IMAGE"]}, "optional": {}}, "output_node": True},
}


def save(class_type: str = "SaveImage", **inputs: Any) -> dict[str, Any]:
    """Write a graph with a node that saves."""
    return {"9": {"class_type": class_type, "inputs": inputs}}


def graph(**changes: Any) -> dict[str, Any]:
    """Write a graph that NODES can make, with other inputs of the sampler."""
    sampler = {"seed": 1, "name": "euler", "model": ["1", 0], **changes}
    loader = {"class_type": "Loader", "inputs": {"ckpt": "a.safetensors"}}
    return {
        "1": loader,
        "3": {"class_type": "Sampler", "inputs": {name: value for name, value in sampler.items() if value is not None}},
        **save(images=["3", 0]),
    }


@pytest.fixture
def comfy() -> Iterator[ComfyUI]:
    """Run it, with nodes of any class."""
    with served(ComfyUI()) as sim:
        yield sim


@contextmanager
def speaking(sim: ComfyUI) -> Iterator[httpx.Client]:
    """Speak to it."""
    with httpx.Client(base_url=sim.url, trust_env=False, timeout=10) as opened:
        yield opened


@pytest.fixture
def client(comfy: ComfyUI) -> Iterator[httpx.Client]:
    """Speak to the one with nodes of any class."""
    with speaking(comfy) as opened:
        yield opened


def order(client: httpx.Client, prompt: dict[str, Any], **more: Any) -> str:
    """Order, and give the id."""
    told = client.post("/prompt", json={"prompt": prompt, "client_id": CLIENT, **more}).raise_for_status().json()
    assert (told["node_errors"], set(told)) == ({}, {"prompt_id", "number", "node_errors"})
    name: str = told["prompt_id"]
    return name


def history(client: httpx.Client, prompt_id: str) -> dict[str, Any]:
    """Look at a job."""
    told: dict[str, Any] = client.get(f"/history/{prompt_id}").json()
    return told


def test_a_graph_goes_from_the_queue_into_the_history(comfy: ComfyUI, client: httpx.Client) -> None:
    """Its id may be the client's; the file is there under its name, with and without `/api`."""
    assert order(client, save(filename_prefix="cats/cat"), prompt_id="my-own") == "my-own"
    queue = client.get("/queue").json()
    assert (queue["queue_running"], queue["queue_pending"][0][1:4]) == (
        [],
        ["my-own", comfy.job.order, {"client_id": CLIENT}],
    )
    assert history(client, "my-own") == {}
    assert [item[1] for item in client.get("/queue").json()["queue_running"]] == ["my-own"]
    done = history(client, "my-own")["my-own"]
    assert (done["status"]["status_str"], done["status"]["completed"]) == ("success", True)
    assert [name for name, _ in done["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]
    (image,) = done["outputs"]["9"]["images"]
    assert image == {"filename": "cat_00001_.png", "subfolder": "cats", "type": "output"}
    for prefix in ("", "/api"):
        picture(client.get(f"{prefix}/view", params=image).raise_for_status().content)
    assert comfy.job.fetched == 2
    comfy.expire()
    assert client.get("/view", params=image).status_code == 404


def test_nodes_save_what_their_class_says(client: httpx.Client) -> None:
    """Pictures, videos among pictures, sounds, meshes."""
    kinds = {
        "SaveVideo": ("images", film),
        "VHS_VideoCombine": ("gifs", film),
        "SaveAudioMP3": ("audio", sound),
        "SaveAudio": ("audio", sound),
        "SaveGLB": ("3d", solid),
        "PreviewImage": ("images", picture),
    }
    for class_type, (name, decode) in kinds.items():
        prompt_id = order(client, save(class_type))
        output = [history(client, prompt_id) for _ in range(2)][-1][prompt_id]["outputs"]["9"]
        decode(client.get("/view", params=output[name][0]).raise_for_status().content)
        assert output.get("animated") == ([True] if class_type == "SaveVideo" else None)


def test_a_job_that_waits_leaves_no_trace_when_taken_out(comfy: ComfyUI, client: httpx.Client) -> None:
    """One that runs is interrupted, and its history says so."""
    waits = order(client, save())
    assert client.post("/queue", json={"delete": [waits]}).status_code == 200
    assert (comfy.job.cancelled, history(client, waits)) == (True, {})
    comfy.hold()
    runs = order(client, save())
    for _ in range(5):
        assert history(client, runs) == {}
    client.post("/interrupt", json={"prompt_id": "another"})
    assert not comfy.job.cancelled
    client.post("/interrupt", json={"prompt_id": runs})
    assert comfy.job.cancelled
    told = history(client, runs)[runs]
    assert (told["status"]["status_str"], told["outputs"]) == ("error", {})
    assert told["status"]["messages"][-1][0] == "execution_interrupted"


def test_a_graph_that_cannot_be_made_is_refused() -> None:
    """By its nodes, in the forms that they have."""
    wrong = {
        "required_input_missing": graph(seed=None),
        "value_bigger_than_max": graph(seed=100),
        "value_not_in_list": graph(name="other"),
        "invalid_input_type": graph(seed="many"),
        "bad_linked_input": graph(model=["77", 0]),
        "return_type_mismatch": graph(model=["3", 0]),
    }
    with served(ComfyUI(NODES)) as sim, speaking(sim) as client:
        assert client.get("/object_info").json() == NODES
        assert client.get("/object_info/Loader").json() == {"Loader": NODES["Loader"]}
        for kind, prompt in wrong.items():
            refused = client.post("/prompt", json={"prompt": prompt})
            told = refused.json()
            assert (refused.status_code, told["error"]["type"]) == (400, "prompt_outputs_failed_validation")
            assert told["node_errors"]["3"]["errors"][0]["type"] == kind
            assert (told["node_errors"]["3"]["class_type"], told["node_errors"]["3"]["dependent_outputs"]) == (
                "Sampler",
                ["9"],
            )
        for body, kind in (
            ({"prompt": {"1": {"class_type": "Nothing", "inputs": {}}}}, "invalid_prompt"),
            ({"prompt": {"1": graph()["1"]}}, "prompt_no_outputs"),
            ({}, "no_prompt"),
        ):
            assert client.post("/prompt", json=body).json()["error"]["type"] == kind
        sim.fail("Invalid image file: cat.png", why="input")
        told = client.post("/prompt", json={"prompt": graph()}).json()
        assert "Invalid image file: cat.png" in told["error"]["details"]
        assert sim.submitted == 0
        order(client, graph())


def test_an_execution_fails(comfy: ComfyUI, client: httpx.Client) -> None:
    """The history tells the node and the exception."""
    comfy.fail("CUDA out of memory")
    prompt_id = order(client, save())
    told = [history(client, prompt_id) for _ in range(2)][-1][prompt_id]
    event, data = told["status"]["messages"][-1]
    assert (event, data["node_id"], data["exception_message"]) == ("execution_error", "9", "CUDA out of memory\n")


def test_inputs_are_uploaded(comfy: ComfyUI, client: httpx.Client) -> None:
    """Of any kind through one route; a name that is taken by something else gets a number."""

    def send(content: bytes, **fields: str) -> str:
        told = client.post("/upload/image", files={"image": ("a.mp4", content, "video/mp4")}, data=fields).json()
        assert told["type"] == "input"
        name: str = told["name"]
        return name

    assert [send(PNG), send(PNG), send(b"other"), send(b"third", overwrite="true")] == [
        "a.mp4",
        "a.mp4",
        "a (1).mp4",
        "a.mp4",
    ]
    assert client.get("/view", params={"filename": "a (1).mp4", "type": "input"}).content == b"other"
    assert len(comfy.uploads) == 4
    assert client.post("/upload/image", data={"x": "y"}).status_code == 400
    assert client.get("/system_stats").json()["devices"][0]["type"] == "cuda"


@contextmanager
def listening(sim: ComfyUI) -> Iterator[Any]:
    """Listen as the client."""
    module = pytest.importorskip("websockets.sync.client")
    with module.connect(f"{sim.url.replace('http', 'ws')}/ws?clientId={CLIENT}", proxy=None) as socket:
        first = json.loads(socket.recv(10))
        assert (first["type"], first["data"]["sid"]) == ("status", CLIENT)
        yield socket


def heard(socket: Any, last: str) -> list[Any]:
    """Hear all until an event, without the queue's length; frames stay bytes."""
    events: list[Any] = []
    while not events or isinstance(events[-1], bytes) or events[-1]["type"] != last:
        said = socket.recv(10)
        event = said if isinstance(said, bytes) else json.loads(said)
        if isinstance(event, bytes) or event["type"] != "status":
            events.append(event)
    return events


def names(events: list[Any]) -> list[str]:
    """Name the events."""
    return ["preview" if isinstance(event, bytes) else event["type"] for event in events]


BEGINNING = ["execution_start", "execution_cached", "executing", "progress_state", "progress", "preview"]


def test_a_listener_hears_the_whole_story(comfy: ComfyUI, client: httpx.Client) -> None:
    """Without a look; frames of previews are pictures behind two numbers."""
    with listening(comfy) as socket:
        prompt_id = order(client, save())
        events = heard(socket, "execution_success")
        ending = heard(socket, "executing")
    assert names(events) == [*BEGINNING, "progress_state", "progress", "preview", "executed", "execution_success"]
    assert ending[-1]["data"] == {"node": None, "prompt_id": prompt_id}
    kind, form = struct.unpack(">II", events[5][:8])
    assert (kind, form, picture(events[5][8:]).size) == (1, 2, (64, 48))
    assert events[4]["data"] == {"value": 1, "max": 2, "prompt_id": prompt_id, "node": "9"}
    state = events[3]["data"]["nodes"]["9"]
    assert (state["state"], state["value"], state["max"]) == ("running", 1, 2)
    assert events[-2]["data"]["output"]["images"][0]["filename"] == "ComfyUI_00001_.png"
    assert history(client, prompt_id)[prompt_id]["status"]["completed"]


def test_a_listener_hears_of_a_held_job_when_it_goes_on(comfy: ComfyUI, client: httpx.Client) -> None:
    """And of an interruption, and of an error."""
    with listening(comfy) as socket:
        comfy.hold()
        order(client, save())
        assert names(heard(socket, "progress")) == BEGINNING[:-1]
        comfy.release()
        heard(socket, "execution_success")
        comfy.hold()
        runs = order(client, save())
        heard(socket, "progress")
        client.post("/interrupt", json={"prompt_id": runs})
        assert heard(socket, "execution_interrupted")[-1]["data"]["prompt_id"] == runs
        comfy.release()
        comfy.fail("CUDA out of memory")
        order(client, save())
        assert heard(socket, "execution_error")[-1]["data"]["exception_type"] == "RuntimeError"


def test_a_listener_that_can_read_more_gets_more(comfy: ComfyUI, client: httpx.Client) -> None:
    """Previews with the node that they are of, after both sides have said what they can."""
    with listening(comfy) as socket:
        socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        assert heard(socket, "feature_flags")[-1]["data"]["supports_preview_metadata"]
        prompt_id = order(client, save())
        frame = heard(socket, "execution_success")[5]
    kind, size = struct.unpack(">II", frame[:8])
    about = json.loads(frame[8 : 8 + size])
    assert (kind, about["prompt_id"], about["image_type"]) == (4, prompt_id, "image/png")
    picture(frame[8 + size :])


def test_a_late_listener_hears_the_rest(comfy: ComfyUI, client: httpx.Client) -> None:
    """Of an order that it made before."""
    order(client, save())
    with listening(comfy) as socket:
        assert names(heard(socket, "execution_success"))[0] == "execution_start"


def test_a_websocket_meets_faults(comfy: ComfyUI) -> None:
    """It is refused, or breaks before it is open."""
    module = pytest.importorskip("websockets.exceptions")
    comfy.faults.add("socket", status(503))
    comfy.faults.add("socket", hang_up())
    for error in (module.InvalidStatus, (module.InvalidHandshake, OSError, EOFError)):
        with pytest.raises(error), listening(comfy):
            pass
    with listening(comfy):
        assert comfy.faults.left == 0
