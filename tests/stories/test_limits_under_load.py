"""Limits hold whatever many clients send at the same time, to two API processes on one database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from support.accounts import ACTOR, Person, open_account, read
from support.answers import accepted, refused
from support.books import troubles
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS, cutout
from support.sql import rows
from support.worker import HandWorker
from unitask.accounts.limits import Limits
from unitask.api import Application
from unitask.app import Services

CUTOUT = cutout("https://example.com/a.png")
HOME = "203.0.113.7"
Answers = list[httpx.Response]


def connect(services: Services, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Make a client that comes from this address."""
    transport = httpx.ASGITransport(Application(services), raise_app_exceptions=False, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://unitask.test")


@dataclass(frozen=True, slots=True)
class Apis:
    """Two API processes on one database."""

    services: tuple[Services, Services]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]

    async def flood(self, number: int, *headers: dict[str, str], order: dict[str, Any] = CAT) -> Answers:
        """Send so many orders at once, to both in turn, with each of these keys in turn."""
        return await asyncio.gather(
            *(
                self.clients[index % 2].post("/api/v1/task", json=order, headers=headers[index // 2 % len(headers)])
                for index in range(number)
            )
        )


@pytest.fixture
async def apis(services: Services, clock: ManualClock) -> AsyncIterator[Apis]:
    """Open a second one beside the first; after the story the books must be right."""
    async with AsyncExitStack() as stack:
        second = await Services.open(services.settings, clock)
        stack.push_async_callback(second.close)
        both = (services, second)
        clients = [await stack.enter_async_context(connect(one)) for one in both]
        yield Apis(both, (clients[0], clients[1]))
    assert await troubles(services.database) == []


def statuses(answers: Answers) -> Counter[str]:
    """Count the statuses of the tasks that were accepted."""
    return Counter(accepted(answer)["status"] for answer in answers if answer.is_success)


def codes(answers: Answers) -> Counter[int]:
    """Count the status codes."""
    return Counter(answer.status_code for answer in answers)


async def another_key(services: Services, person: Person, limits: Limits) -> dict[str, str]:
    """Make a key with limits for an account; gives its headers."""
    _, secret = await services.keyring.add(person.account_id, actor=ACTOR, limits=limits)
    return {"X-API-Key": secret}


async def finish(apis: Apis, check: Callable[[], Awaitable[None]]) -> int:
    """Let a worker at each API make all there is, one by one; look after each. Gives how many tasks ended."""
    workers = [HandWorker(services, f"worker-{number}") for number, services in enumerate(apis.services)]
    ended = 0
    while True:
        works = [(worker, work) for worker in workers for work in await worker.claim()]
        await check()
        if not works:
            return ended
        for worker, work in works:
            assert await worker.complete(work)
            await check()
        ended += len(works)


async def active(services: Services, where: str = "1 = 1") -> int:
    """Count the tasks of the queue that occupy a slot."""
    (row,) = await rows(services.database, f"select count(*) as n from queue where state <> 'staged' and {where}")
    number: int = row["n"]
    return number


async def test_no_more_tasks_than_allowed_run_at_once(apis: Apis, services: Services) -> None:
    """The others are staged, and take their places one by one until all are made."""
    person = await open_account(services, "busy", unlimited=True, task_limit=3)
    assert statuses(await apis.flood(16, person.headers)) == {"pending": 3, "staged": 13}

    async def check() -> None:
        assert await active(services) <= 3

    assert await finish(apis, check) == 16


async def test_no_more_tasks_of_a_family_than_allowed_run_at_once(apis: Apis, services: Services) -> None:
    """Tasks of another family do not wait behind them."""
    person = await open_account(services, "busy", unlimited=True, family_tasks={"flux": 2})
    flux, others = await asyncio.gather(apis.flood(10, person.headers), apis.flood(6, person.headers, order=CUTOUT))
    assert statuses(flux) == {"pending": 2, "staged": 8}
    assert statuses(others) == {"pending": 6}

    async def check() -> None:
        assert await active(services, "family = 'flux'") <= 2

    assert await finish(apis, check) == 16


async def test_no_more_tasks_of_a_key_than_allowed_run_at_once(apis: Apis, services: Services) -> None:
    """Another key of the account is not held up; the promotion of staged tasks keeps to the key's limit, too."""
    person = await open_account(services, "busy", unlimited=True)
    narrow = await another_key(services, person, Limits(concurrent_tasks=1))
    by_family = await another_key(services, person, Limits(family_tasks={"flux": 2}))
    answers = await apis.flood(18, person.headers, narrow, by_family)
    found = Counter((answer.request.headers["x-api-key"], accepted(answer)["status"]) for answer in answers)
    assert found == {
        (person.headers["X-API-Key"], "pending"): 6,
        (narrow["X-API-Key"], "pending"): 1,
        (narrow["X-API-Key"], "staged"): 5,
        (by_family["X-API-Key"], "pending"): 2,
        (by_family["X-API-Key"], "staged"): 4,
    }
    _, one, two = [key.id for key in await services.keyring.keys(person.account_id)]

    async def check() -> None:
        assert await active(services, f"api_key_id = {one}") <= 1
        assert await active(services, f"api_key_id = {two}") <= 2

    assert await finish(apis, check) == 18


async def test_orders_that_come_while_others_end_pass_no_limit(apis: Apis, services: Services) -> None:
    """Clients and workers at once: slots that come free are given out once."""
    person = await open_account(services, "busy", unlimited=True, task_limit=3, family_tasks={"flux": 2})
    seen = []

    async def check() -> None:
        seen.append((await active(services), await active(services, "family = 'flux'")))

    async def clients() -> int:
        number = 0
        for _ in range(4):
            for order in (CAT, CUTOUT):
                number += codes(await apis.flood(5, person.headers, order=order))[200]
        return number

    async def workers() -> int:
        return sum([await finish(apis, check) for _ in range(40)])

    ordered, ended = await asyncio.gather(clients(), workers())
    assert ended + await finish(apis, check) == ordered == 40
    assert max(number for number, _ in seen) == 3
    assert max(flux for _, flux in seen) == 2


async def test_no_more_tasks_than_allowed_are_staged(apis: Apis, services: Services) -> None:
    """The others are told when to come again, and leave nothing."""
    person = await open_account(services, "busy", points=10**9, task_limit=1, staged_tasks=3)
    answers = await apis.flood(12, person.headers)
    assert codes(answers) == {200: 4, 429: 8}
    assert statuses(answers) == {"pending": 1, "staged": 3}
    for answer in answers:
        if answer.status_code == 429:
            assert refused(answer, 429).startswith("too many tasks: 1 run or wait and 3 are staged")
            assert int(answer.headers["retry-after"]) > 0
    account = await read(services, person.account_id)
    assert (account.active_tasks, account.staged_tasks, account.held_points) == (1, 3, 4 * CAT_POINTS)


async def test_a_keys_limit_of_staged_tasks_counts_its_own_alone(apis: Apis, services: Services) -> None:
    """What another key of the account has staged does not count."""
    person = await open_account(services, "busy", unlimited=True, task_limit=1)
    narrow = await another_key(services, person, Limits(staged_tasks=2))
    assert statuses(await apis.flood(6, person.headers)) == {"pending": 1, "staged": 5}
    answers = await apis.flood(6, narrow)
    assert codes(answers) == {200: 2, 429: 4}


@pytest.mark.parametrize("of_key", [False, True])
async def test_a_day_costs_no_more_than_its_cap(
    apis: Apis,
    services: Services,
    clock: ManualClock,
    of_key: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Of the account or of the key; points that were not charged may be spent; the next day begins at zero."""
    cap = Limits(daily_points=4 * CAT_POINTS + 1)
    person = await open_account(
        services, "capped", unlimited=True, **({} if of_key else {"daily_points": cap.daily_points})
    )
    headers = await another_key(services, person, cap) if of_key else person.headers
    answers = await apis.flood(10, headers)
    assert codes(answers) == {200: 4, 402: 6}
    what = "key" if of_key else "account"
    for answer in answers:
        if answer.status_code == 402:
            assert refused(answer, 402) == (
                f"insufficient credits: this {what} may spend 600001 points a day and has spent 600000; "
                "the task costs 150000; the next day begins at 00:00 UTC"
            )
    other = await another_key(services, person, Limits())
    assert codes(await apis.flood(2, other)) == ({200: 2} if of_key else {402: 2})
    worker = HandWorker(services)
    first, second, *_ = await worker.claim(2)
    await worker.complete(first)
    await worker.fail(second)
    assert codes(await apis.flood(4, headers)) == {200: 1, 402: 3}
    clock.pass_s(24 * 3600)
    assert codes(await apis.flood(6, headers)) == {200: 4, 402: 2}


async def test_exactly_what_the_balance_covers_is_accepted(apis: Apis, services: Services) -> None:
    """Neither one more nor one less, and the rest is left to the point."""
    person = await open_account(services, "exact", points=5 * CAT_POINTS + 149_999)
    answers = await apis.flood(14, person.headers)
    assert codes(answers) == {200: 5, 402: 9}
    account = await read(services, person.account_id)
    assert (account.available_points, account.held_points) == (149_999, 5 * CAT_POINTS)


async def test_one_order_under_one_key_is_one_task(apis: Apis, services: Services) -> None:
    """Sent twenty times at once to both: one hold, and every answer names the same task."""
    person = await open_account(services, "again", points=5 * CAT_POINTS)
    answers = await apis.flood(20, {**person.headers, "Idempotency-Key": "one"})
    assert len({accepted(answer)["task_id"] for answer in answers}) == 1
    assert (await read(services, person.account_id)).held_points == CAT_POINTS


async def test_a_minute_lets_through_what_is_allowed(apis: Apis, services: Services, clock: ManualClock) -> None:
    """The others are told how long to wait, and get through then; each API process counts for itself."""
    person = await open_account(services, "hasty", unlimited=True, requests_per_minute=10)
    client = apis.clients[0]

    async def ask(number: int) -> Answers:
        return await asyncio.gather(*(client.get("/account/info", headers=person.headers) for _ in range(number)))

    answers = await ask(25)
    assert codes(answers) == {200: 10, 429: 15}
    slow = next(answer for answer in answers if answer.status_code == 429)
    assert refused(slow, 429) == "too many requests: this account may send 10 a minute; wait 6 s"
    assert slow.headers["retry-after"] == "6"
    clock.pass_s(6)
    assert codes(await ask(3)) == {200: 1, 429: 2}
    assert codes(await apis.flood(30, person.headers)) == {200: 10, 429: 20}


async def test_what_a_key_may_not_send_does_not_count_for_its_account(apis: Apis, services: Services) -> None:
    """A client out of hand with a limited key leaves the other keys their requests."""
    person = await open_account(services, "hasty", unlimited=True, requests_per_minute=10)
    narrow = await another_key(services, person, Limits(requests_per_minute=2))
    client = apis.clients[0]
    answers = [await client.get("/account/info", headers=narrow) for _ in range(50)]
    assert codes(answers) == {200: 2, 429: 48}
    assert refused(answers[-1], 429) == "too many requests: this key may send 2 a minute; wait 30 s"
    answers = [await client.get("/account/info", headers=person.headers) for _ in range(9)]
    assert codes(answers) == {200: 8, 429: 1}


async def test_only_the_named_models_can_be_ordered(apis: Apis, services: Services) -> None:
    """By the account and by the key; the sentence says what may be ordered."""
    person = await open_account(services, "choosy", unlimited=True, models=("qubico/FLUX*", "Qubico/image-toolkit"))
    narrow = await another_key(services, person, Limits(models=("Qubico/image-toolkit/background-remove",)))
    nothing = await another_key(services, person, Limits(models=()))
    tts = {"model": "Qubico/wanx", "task_type": "txt2video-1.3b", "input": {"prompt": "a cat"}}
    client = apis.clients[0]

    async def order(body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        return await client.post("/api/v1/task", json=body, headers=headers)

    accepted(await order(CAT, person.headers))
    accepted(await order(CUTOUT, person.headers))
    accepted(await order(CUTOUT, narrow))
    assert refused(await order(tts, person.headers), 403) == (
        "this account may not order Qubico/wanx/txt2video-1.3b; it may order: qubico/FLUX*, Qubico/image-toolkit"
    )
    assert refused(await order(CAT, narrow), 403) == (
        "this key may not order Qubico/flux1-dev/txt2img; it may order: Qubico/image-toolkit/background-remove"
    )
    assert refused(await order(CAT, nothing), 403).endswith("it may order: nothing")


async def test_requests_come_from_the_named_networks_only(services: Services) -> None:
    """Of the account and of the key both."""
    person = await open_account(services, "home", unlimited=True, networks=(ip_network("203.0.113.0/24"),))
    narrow = await another_key(services, person, Limits(networks=(ip_network(f"{HOME}/32"), ip_network("::1/128"))))
    seen = {}
    for address in (HOME, f"::ffff:{HOME}", "203.0.113.8", "203.0.114.7", "::1"):
        async with connect(services, address) as client:
            answers = [await client.get("/account/info", headers=headers) for headers in (person.headers, narrow)]
            seen[address] = [answer.status_code for answer in answers]
    assert seen == {
        HOME: [200, 200],
        f"::ffff:{HOME}": [200, 200],
        "203.0.113.8": [200, 403],
        "203.0.114.7": [403, 403],
        "::1": [403, 403],
    }
    async with connect(services, "198.51.100.1") as client:
        answer = await client.post("/api/v1/task", json=CAT, headers=person.headers)
        assert refused(answer, 403) == "this account may not be used from the address 198.51.100.1"


async def test_a_key_ends_at_its_time_to_the_second(apis: Apis, services: Services, clock: ManualClock) -> None:
    """Though a process remembers keys for five seconds."""
    person = await open_account(services, "guest", unlimited=True)
    end = clock.now_us() + 2_000_000
    _, secret = await services.keyring.add(person.account_id, actor=ACTOR, expires_at=end)
    headers = {"X-API-Key": secret}
    clock.pass_s(1.9)
    assert codes(await apis.flood(4, headers)) == {200: 4}
    clock.pass_s(0.1)
    answers = await apis.flood(4, headers)
    assert codes(answers) == {401: 4}
    assert "expired" in refused(answers[0], 401)


async def test_a_disabled_account_orders_nothing(apis: Apis, services: Services, clock: ManualClock) -> None:
    """From five seconds later at the latest, in every process; what it ordered before goes on."""
    person = await open_account(services, "late payer", points=10**9)
    assert codes(await apis.flood(4, person.headers)) == {200: 4}
    await services.registry.set_account(person.account_id, actor=ACTOR, enabled=False)
    clock.pass_s(5)
    answers = await apis.flood(4, person.headers)
    assert codes(answers) == {403: 4}
    assert refused(answers[0], 403) == "this account is disabled; ask the operator of this server"
    worker = HandWorker(services)
    for work in await worker.claim(4):
        assert await worker.complete(work)
    await services.registry.set_account(person.account_id, actor=ACTOR, enabled=True)
    clock.pass_s(5)
    assert codes(await apis.flood(4, person.headers)) == {200: 4}
