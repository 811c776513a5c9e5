"""What a worker offers of a provider after it has looked around there."""

import asyncio
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sim.provider import served
from sim.replicate import Replicate
from support.provided import options_of
from support.wait import seen
from support.written_api import WrittenApi
from unitask.engines import replicate
from unitask.remote.mapping import mappings
from unitask.routing import Routing
from unitask.worker.service import Worker

LIMIT_S: Final = 10
FLUX: Final = "black-forest-labs/flux-dev"
MODELS: Final = {
    product: mapped.call.partition(":")[0] for product, mapped in mappings(replicate.__name__, None).items()
}


async def offered(sim: Replicate) -> set[str]:
    """Run a worker until it has looked around, and give the products that its heartbeats offer from then on."""
    table = {"engine": "replicate", "url": sim.url}
    known = Routing.of({"provider": {"replicate": table}}, lambda _: SecretStr(sim.key), Path())
    api, stop = WrittenApi(), asyncio.Event()
    working = asyncio.create_task(Worker(api, options_of(known)).run(stop))
    await seen(lambda: api.claims or working.done(), within_s=LIMIT_S, what="a claim")
    before = len(api.beats)
    await seen(lambda: len(api.beats) > before + 1 or working.done(), within_s=LIMIT_S, what="two heartbeats")
    stop.set()
    await working
    told = [one.makes for one in api.beats if one.makes is not None]
    return {one.product for one in told[-1] if one.engine == "replicate"}


async def test_a_provider_that_has_all_models_is_offered_for_all_products() -> None:
    """Each of its models was asked for."""
    with served(Replicate()) as sim:
        assert await offered(sim) == MODELS.keys()
        assert {path for _, path in sim.asked} >= {f"/v1/models/{model}" for model in MODELS.values()}


async def test_what_is_made_by_a_model_that_is_gone_is_not_offered() -> None:
    """The rest is."""
    with served(Replicate()) as sim:
        sim.models.remove(FLUX)
        assert await offered(sim) == {product for product, model in MODELS.items() if model != FLUX}
