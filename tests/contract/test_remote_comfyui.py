"""The engine `comfyui` at the simulated ComfyUI: what a graph becomes, what is heard of it, and what is left alone."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from sim.comfyui import ComfyUI
from sim.faults import garbage, hang_up, status
from support.remote import OWN, PRODUCTS, Bench
from support.wait import seen
from unitask.kit.errors import JobFailed

LORA = "Qubico/hunyuan/txt2video-lora"
STRANGER = {"9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "theirs"}}}
WITHIN_S = 10
pytestmark = pytest.mark.parametrize("bench", ["comfyui"], indirect=True)


async def for_ever(seconds: float) -> None:
    """Wait until the wait is called off."""
    del seconds
    await asyncio.Event().wait()


def comfy(bench: Bench) -> ComfyUI:
    """Give the server as what it is."""
    assert isinstance(bench.sim, ComfyUI)
    return bench.sim


async def test_an_order_stands_in_the_graph(bench: Bench) -> None:
    """At the places that its file names, under an id of ours."""
    await bench.run()
    nodes = [node["inputs"] for node in bench.sim.job.order.values()]
    (sampler,) = [node for node in nodes if "seed" in node]
    assert (sampler["seed"], sampler["steps"]) == (11, 9)
    assert "a cat" in [node.get("text") for node in nodes]
    assert (512, 256) in [(node.get("width"), node.get("height")) for node in nodes]
    assert str(UUID(bench.sim.job.id)) == bench.sim.job.id


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_a_lora_that_is_not_wished_for_is_taken_out(bench: Bench, count: int) -> None:
    """The nodes behind it are linked to what it was linked to; the others follow each other."""
    wishes = [{"lora_type": f"style-{number}", "lora_strength": number / 10} for number in range(1, count + 1)]
    choices = comfy(bench).object_info["LoraLoaderModelOnly"]["input"]["required"]["lora_name"]
    choices[0].extend(f"style-{number}.safetensors" for number in range(1, count + 1))
    await bench.run(bench.job(product=LORA, inputs={"prompt": "a cat", "lora_settings": wishes}))
    graph = bench.sim.job.order
    loaders = {name: node["inputs"] for name, node in graph.items() if "Lora" in node["class_type"]}
    assert [one["lora_name"] for one in loaders.values()] == [f"style-{n}.safetensors" for n in range(1, count + 1)]
    assert [one["strength_model"] for one in loaders.values()] == [n / 10 for n in range(1, count + 1)]
    linked = [value[0] for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
    assert set(linked) <= graph.keys()
    users = [name for name, node in graph.items() for v in node["inputs"].values() if v == [list(loaders)[-1], 0]]
    assert users
    assert not set(users) & set(loaders)


async def test_files_are_uploaded_under_names_of_their_own(bench: Bench) -> None:
    """Two tasks do not overwrite each other's; a server may put them into a folder."""
    job = bench.job(product="Qubico/flux1-dev/img2img", inputs={"prompt": "a dog", "image": OWN["image"]})
    await bench.run(job)
    (load,) = [node for node in bench.sim.job.order.values() if node["class_type"] == "LoadImage"]
    name = load["inputs"]["image"]
    assert name.startswith(job.task_id)
    assert name.endswith(".png")
    assert (name, "", "input") in comfy(bench).files


async def test_progress_is_heard(bench: Bench) -> None:
    """Over the websocket, in the order of the nodes; how the job is comes from its history."""
    bench.sim.looks = 3
    job = bench.job()
    await bench.drive(job, for_ever).run()
    assert job.fractions == sorted(job.fractions)
    assert len(set(job.fractions)) >= 3
    assert 0 < max(job.fractions) < 1
    assert [path for path, _ in bench.sim.heard if path == "/ws"] == ["/ws"]


@pytest.mark.parametrize("fault", [status(503), hang_up(), garbage()], ids=["503", "hang", "half"])
async def test_nobody_needs_to_be_heard(bench: Bench, fault: Any) -> None:
    """Looks go on without a websocket."""
    bench.sim.faults.add("socket", fault)
    await bench.run()
    assert bench.sim.submitted == 1


async def test_another_s_prompt_is_left_alone(bench: Bench) -> None:
    """Neither one that runs while ours waits, nor one that waits while ours runs."""
    sim = comfy(bench)
    sim.object_info = {}
    sim.hold()
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as stranger:
        await stranger.post("/prompt", json={"prompt": STRANGER, "prompt_id": "theirs"})
        await stranger.get("/history/theirs")
        job = bench.job()
        drive = bench.drive(job)
        running = asyncio.create_task(drive.run())
        await seen(lambda: sim.submitted == 2 and sim.job.state == "running", within_s=WITHIN_S)
        await stranger.post("/prompt", json={"prompt": STRANGER, "prompt_id": "theirs too"})
        running.cancel()
        await asyncio.wait({running})
        await drive.stop()
    assert [one.cancelled for one in sim.jobs] == [False, True, False]


async def test_a_graph_is_taken_out_by_its_key_alone(bench: Bench) -> None:
    """Its id is made of the key, so that one whose order was never answered is found."""
    comfy(bench).object_info = {}
    await bench.engine.cancel(bench.calls(), {"key": "a-key"})
    assert ("POST", "/queue") in bench.sim.asked
    document = await bench.engine.submit(bench.job(), STRANGER, "a-key")
    assert not bench.sim.job.cancelled
    await bench.engine.cancel(bench.calls(), {"key": "a-key"})
    assert bench.sim.job.cancelled
    assert bench.sim.job.id == document["id"]


async def test_what_is_missing_is_said(bench: Bench) -> None:
    """A pack for a node, an update for one of its own, the file for a model; nothing where all is there."""
    there = comfy(bench).object_info
    frames, flux = PRODUCTS["Qubico/framepack/img2video"], PRODUCTS["Qubico/flux1-dev/txt2img"]
    every = list(PRODUCTS.values())
    assert await bench.engine.missing(bench.calls(), every) == {}
    del there["FramePackSampler"]
    there["UNETLoader"]["input"]["required"]["unet_name"][0].remove("flux1-dev.safetensors")
    del there["VAEDecode"]
    found = await bench.engine.missing(bench.calls(), [frames, flux])
    assert "install the node pack ComfyUI-FramePackWrapper (https://github.com/kijai/" in found[frames.key]
    assert "for FramePackSampler" in found[frames.key]
    assert "UNETLoader offers no unet_name 'flux1-dev.safetensors'" in found[flux.key]
    assert "update ComfyUI: it has no VAEDecode" in found[flux.key]


async def test_a_graph_that_cannot_be_made_there_may_be_made_elsewhere(bench: Bench) -> None:
    """The node says what it has not."""
    comfy(bench).object_info["UNETLoader"]["input"]["required"]["unet_name"][0].remove("flux1-dev.safetensors")
    with pytest.raises(JobFailed, match=r"UNETLoader: Value not in list: unet_name: 'flux1-dev.safetensors' not in"):
        await bench.run()
    assert (bench.sim.submitted, bench.last.document) == (0, None)


async def test_a_wish_that_the_graph_has_no_place_for_is_said(bench: Bench) -> None:
    """It is made without."""
    await bench.run(bench.job(inputs={**bench.case.input, "denoise": 0.3}))
    assert bench.last.warnings == ["input.denoise was not used by there: its graph has no place for it"]


async def test_one_that_was_interrupted_there_has_failed(bench: Bench) -> None:
    """Somebody pressed the button."""
    sim = comfy(bench)
    sim.hold()
    job = bench.job()
    running = asyncio.create_task(bench.run(job))
    await seen(lambda: sim.jobs and sim.job.state == "running", within_s=WITHIN_S)
    async with httpx.AsyncClient(base_url=sim.url, trust_env=False) as stranger:
        await stranger.post("/interrupt", json={})
    with pytest.raises(JobFailed, match="ComfyUI failed: it was interrupted"):
        await running
