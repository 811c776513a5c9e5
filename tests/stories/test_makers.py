"""Workers say what they make and what they have in memory; orders and claims follow that."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.orders import cat
from support.wait import seen
from support.worker import HandWorker
from unitask.app import Services
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import Unavailable
from unitask.queue.makers import REMEMBERED_US
from unitask.queue.model import Offer
from unitask.queue.turns import LEAD
from unitask.settings import Settings
from unitask.tasks.claims import Ask
from unitask.tasks.model import Task

DEV, SCHNELL = "Qubico/flux1-dev/txt2img", "Qubico/flux1-schnell/txt2img"
SCHNELL_CAT = cat(model="Qubico/flux1-schnell")
CARDS = {DEV: ("flux1-dev",), SCHNELL: ("flux1-schnell",)}

# A fresh process prints what every engine that keeps models has in memory, and which modules asking has imported.
ASKS = """
import json, sys
from pathlib import Path
from unitask.engines import installed
engines = [engine for engine in installed().values() if hasattr(engine, "loaded")]
before = set(sys.modules)
found = {engine.name: sorted(engine.loaded(Path("models"))) for engine in engines}
heavy = {"PIL", "cv2", "diffusers", "numpy", "onnxruntime", "scipy", "torch", "transformers"} & set(sys.modules)
print(json.dumps([found, sorted(set(sys.modules) - before | heavy)]))
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Every engine is in use, also those that only workers elsewhere have."""
    return settings.model_copy(update={"engines": None})


def painter(services: Services, name: str, *products: str, loaded: Sequence[str] = ()) -> HandWorker:
    """Write down a worker with a GPU that makes these products from real weights."""
    offers = [Offer(product, "diffusers", "full") for product in products]
    return HandWorker(services, name, ("diffusers",), makes=offers, loaded=loaded)


def level(services: Services, product: str) -> str:
    """Tell who would make a product now, and how well."""
    recipe = services.orders.choice(services.orders._catalogue.find(*product.rsplit("/", 1))).recipe
    return f"{recipe.engine} {recipe.level}" if recipe else "nobody"


async def never() -> bool:
    """Never hang up."""
    return False


async def test_an_order_goes_to_what_a_worker_says_it_makes(services: Services, customer: Customer) -> None:
    """Whatever this machine has itself; and from the moment at which the worker has said so."""
    local = level(services, DEV)
    assert local != "diffusers full"
    await painter(services, "gpu", DEV).beat()
    await services.tasks.claims.follow()
    assert level(services, DEV) == "diffusers full"
    task = await customer.order()
    (work,) = await painter(services, "gpu", DEV).claim()
    assert (work.task_id, work.engine) == (task.id, "diffusers")


async def test_what_no_worker_makes_is_refused(services: Services, customer: Customer) -> None:
    """With a sentence that says so, also where this machine could make it; there are only workers elsewhere."""
    await painter(services, "gpu", DEV).beat()
    await services.tasks.claims.follow()
    with pytest.raises(Unavailable, match="preview: no worker of the last minutes makes it"):
        await customer.order(SCHNELL_CAT)
    missing = services.orders.choice(services.orders._catalogue.find(*SCHNELL.rsplit("/", 1))).missing
    assert missing.startswith("diffusers: "), "what this machine would need for a better one is said too"


async def test_a_worker_is_given_only_what_it_makes(services: Services, customer: Customer) -> None:
    """Two with the same engine and other weights; one of an older release, that says nothing, takes both."""
    dev, schnell = painter(services, "one", DEV), painter(services, "two", SCHNELL)
    for worker in (dev, schnell):
        await worker.beat()
    await services.tasks.claims.follow()
    tasks = [await customer.order(order) for order in (cat(), SCHNELL_CAT, cat(), SCHNELL_CAT)]
    assert [work.task_id for work in await schnell.claim(3)] == [tasks[1].id, tasks[3].id]
    assert [work.task_id for work in await dev.claim(1)] == [tasks[0].id]
    tasks.append(await customer.order(SCHNELL_CAT))
    older = HandWorker(services, "older", ("diffusers",))
    assert [work.task_id for work in await older.claim(9)] == [tasks[2].id, tasks[4].id]


async def test_a_worker_counts_for_some_minutes_after_it_was_seen(
    services: Services, clock: ManualClock, customer: Customer
) -> None:
    """Orders are taken while it is started anew; later this machine decides by itself again."""
    local = level(services, DEV)
    await painter(services, "gpu", DEV).beat()
    clock.pass_s(services.settings.lease_s + REMEMBERED_US / SECOND_US - 1)
    await services.tasks.claims.follow()
    assert (await customer.order()).status == "pending"
    assert level(services, DEV) == "diffusers full"
    clock.pass_s(2)
    await services.tasks.claims.follow()
    assert level(services, DEV) == local


async def test_every_api_process_hears_of_it(services: Services, clock: ManualClock) -> None:
    """Also of what changes: weights come and go while a worker runs."""
    replica = await Services.open(services.settings, clock)
    for products in ([DEV], [DEV, SCHNELL], [SCHNELL]):
        await painter(services, "gpu", *products).beat()
        clock.pass_s(1)
        for one in (services, replica):
            await one.tasks.claims.follow()
            assert [product for product in (DEV, SCHNELL) if level(one, product) == "diffusers full"] == products
    await replica.close()


async def test_a_sign_of_life_without_news_changes_nothing(services: Services) -> None:
    """A worker says what it makes every ten seconds only."""
    await painter(services, "gpu", DEV).beat()
    await HandWorker(services, "gpu", ("diffusers",)).beat()
    await services.tasks.claims.follow()
    assert level(services, DEV) == "diffusers full"


async def names(worker: HandWorker, tasks: dict[str, str], number: int) -> str:
    """Claim one after another, and tell by a letter each what it was."""
    found = [work.task_id for _ in range(number) for work in await worker.claim()]
    return "".join(tasks[task_id] for task_id in found)


async def lettered(customer: Customer, letters: str) -> dict[str, str]:
    """Order dev for a capital letter and schnell for a small one."""
    tasks: list[tuple[Task, str]] = [
        (await customer.order(cat() if letter.isupper() else SCHNELL_CAT), letter) for letter in letters
    ]
    return {task.id: letter for task, letter in tasks}


@pytest.mark.parametrize(
    ("loaded", "expected"),
    [((), "AbCdEf"), (CARDS[DEV], "ACEbdf"), (CARDS[SCHNELL], "bdfACE"), (("flux1-dev", "flux1-schnell"), "AbCdEf")],
)
async def test_tasks_for_what_is_in_memory_come_first(
    services: Services, customer: Customer, loaded: Sequence[str], expected: str
) -> None:
    """One account orders of two models by turns: with one of them in memory, it is made first."""
    worker = painter(services, "gpu", DEV, SCHNELL, loaded=loaded)
    await worker.beat()
    await services.tasks.claims.follow()
    tasks = await lettered(customer, "AbCdEf")
    assert await names(worker, tasks, 6) == expected


async def test_nobody_gets_far_ahead_by_what_is_in_memory(services: Services, customer: Customer) -> None:
    """An account with a long backlog of the loaded model against one order of another model: LEAD turns, no more."""
    worker = painter(services, "gpu", DEV, SCHNELL, loaded=CARDS[DEV])
    await worker.beat()
    await services.tasks.claims.follow()
    tasks = await lettered(customer, "A" * 40)
    assert await names(worker, tasks, 5) == "AAAAA"
    newcomer = await Customer.of(services, "newcomer")
    tasks |= await lettered(newcomer, "n")
    line = await names(worker, tasks, 20)
    assert 0 < line.index("n") <= LEAD + 1


async def test_a_task_goes_to_the_idle_worker_that_has_its_model(services: Services, customer: Customer) -> None:
    """Though the other waits longer; and when the first is busy, the other takes the next at once."""
    cold, warm = painter(services, "cold", DEV), painter(services, "warm", DEV, loaded=CARDS[DEV])
    for worker in (cold, warm):
        await worker.beat()
    claims = services.tasks.claims
    waiting = {}
    for worker in (cold, warm):
        ask = Ask(worker.id, ("diffusers",), 1, frozenset(worker.said.loaded))
        waiting[worker.id] = asyncio.create_task(claims.claim(ask, wait_s=20, gone=never))
        await asyncio.sleep(0)
    await seen(lambda: len(claims._waiting) == 2, within_s=10, what="that both wait")
    await claims.follow()
    first = await customer.order()
    async with asyncio.timeout(10):
        assert [work.task_id for work in await waiting["warm"]] == [first.id]
    assert not waiting["cold"].done()
    second = await customer.order()
    async with asyncio.timeout(10):
        assert [work.task_id for work in await waiting["cold"]] == [second.id]


async def cold_claim(
    services: Services, customer: Customer, *, wait_s: float, gone: Callable[[], Awaitable[bool]] = never
) -> None:
    """Claim the one task without its model in memory, while another that has it waits and does not take the task."""
    cold = painter(services, "cold", DEV)
    await cold.beat()
    claims = services.tasks.claims
    claims._waiting.add(Ask("stuck", ("diffusers",), 1, frozenset(CARDS[DEV])))
    await claims.follow()
    task = await customer.order()
    async with asyncio.timeout(10):
        (work,) = await claims.claim(Ask(cold.id, ("diffusers",)), wait_s=wait_s, gone=gone)
    assert work.task_id == task.id


async def test_a_worker_waits_for_another_no_longer_than_a_second(services: Services, customer: Customer) -> None:
    """One that has the model in memory and does not take the task, for whatever reason, stops nobody."""
    await cold_claim(services, customer, wait_s=1.9)


async def test_a_worker_does_not_wait_for_one_that_does_not_make_the_product(
    services: Services, customer: Customer
) -> None:
    """Though that has the model in memory, for another product of it."""
    await painter(services, "stuck", SCHNELL).beat()
    await cold_claim(services, customer, wait_s=0)


async def test_a_bell_that_rings_all_the_time_does_not_keep_a_worker_waiting(
    services: Services, customer: Customer
) -> None:
    """Every ring is a chance for the one that has the model; but not for ever."""
    looks = 0

    async def ring() -> None:
        while True:
            services.tasks.claims._bell.ring()
            await asyncio.sleep(0)

    async def count() -> bool:
        nonlocal looks
        looks += 1
        return False

    ringing = asyncio.create_task(ring())
    await cold_claim(services, customer, wait_s=3, gone=count)
    ringing.cancel()
    assert looks > 2, "it was left to the other first"


def test_engines_of_real_models_say_what_they_have_in_memory() -> None:
    """Where none of them has been used in this process, that is nothing; and asking loads nothing."""
    ran = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    found, came = json.loads(ran.stdout)
    assert found.keys() >= {"diffusers", "networks", "onnx"}
    assert not any(found.values()), found
    assert came == []
