"""Every mapping and graph that ships: the first example of its product goes to the simulator and comes back stored."""

from pathlib import Path
from typing import Any

import pytest

from sim.openai_media import OpenAIMedia
from support.decoding import film, picture, solid, sound
from support.remote import CASES, PRODUCTS, Bench, Case, benched, example_of
from unitask.engines.comfyui.graph import graph_of
from unitask.engines.openai import OpenaiEngine
from unitask.remote.binding import put
from unitask.remote.mapping import Mapped, mappings
from unitask.spec.product import Product

KINDS = {"image": "png", "video": "mp4", "audio": "wav", "model": "glb"}
DECODE = {"png": picture, "mp4": film, "wav": sound, "mp3": sound, "flac": sound, "glb": solid}
FIELDS = {"combined_video": "mp4", "no_background_image": "png", "model_file": "glb"}
MAPPED = [
    pytest.param(engine, key, id=f"{engine}:{key}")
    for engine in ("fal", "replicate", "openai")
    for key in mappings(f"unitask.engines.{engine}", None)
]
GRAPHS = [key for key in PRODUCTS if graph_of(key, None)]
SERVERS = CASES | {
    "openai": Case(lambda: OpenAIMedia(style="vllm"), OpenaiEngine),
    "sglang": Case(lambda: OpenAIMedia(style="sglang"), OpenaiEngine),
}


def result_of(mapped: Mapped, product: Product) -> Any:
    """Write a result of the model, with files at the places where the mapping looks for them."""
    where = mapped.files
    if isinstance(where, dict):
        found: dict[str, Any] = {}
        for name, path in where.items():
            put(found, path, f"${FIELDS[name]}")
        return found
    path, file = where[0].replace("*", "0"), f"${'mp4' if mapped.take == 'sound' else KINDS[product.media]}"
    whole: dict[str, Any] = {}
    put(whole, f"result{path if path[:1] in {'[', ''} else '.' + path}", file)
    return whole["result"]


async def makes(bench: Bench, product: Product) -> None:
    """Run the first example, and decode all that was stored."""
    made = await bench.run(bench.job(product=product.key, inputs=example_of(product)))
    product.output.model_validate(made.output.fields)
    assert bench.last.saved
    assert set(bench.last.saved) <= set(str(made.output.fields).replace("'", " ").split())
    for reference, stored in bench.last.saved.items():
        DECODE[reference.rpartition(".")[2]](stored)
    assert bench.sim.submitted == 1


@pytest.mark.parametrize(("engine", "key"), MAPPED)
async def test_a_mapped_product_is_made(engine: str, key: str, tmp_path: Path) -> None:
    """In the words of the provider, from the form of the model's answer."""
    product, mapped = PRODUCTS[key], mappings(f"unitask.engines.{engine}", None)[key]
    async with benched(SERVERS[engine], tmp_path) as bench:
        if engine != "openai":
            bench.sim.outputs[mapped.call.rpartition(":")[2]] = result_of(mapped, product)
        await makes(bench, product)
        assert "unitask.test" not in str(bench.sim.job.order)
        assert "'$" not in str(bench.sim.job.order)


@pytest.mark.parametrize(
    "key", [key for key, one in mappings("unitask.engines.openai", None).items() if one.call == "videos"]
)
async def test_a_film_is_made_by_sglang(key: str, tmp_path: Path) -> None:
    """With a picture by a form, without one by JSON."""
    async with benched(SERVERS["sglang"], tmp_path) as bench:
        await makes(bench, PRODUCTS[key])


@pytest.mark.parametrize("key", GRAPHS)
async def test_a_graph_s_product_is_made(key: str, tmp_path: Path) -> None:
    """By nodes of the classes that ComfyUI and the packs have."""
    async with benched(SERVERS["comfyui"], tmp_path) as bench:
        await makes(bench, PRODUCTS[key])


@pytest.mark.parametrize("key", PRODUCTS)
async def test_every_product_is_made_at_the_hub(key: str, tmp_path: Path) -> None:
    """In our own words."""
    async with benched(SERVERS["hub"], tmp_path) as bench:
        await makes(bench, PRODUCTS[key])


def test_what_ships_was_looked_at() -> None:
    """None of the lists is empty."""
    assert len(MAPPED) > 60
    assert len(GRAPHS) > 30
