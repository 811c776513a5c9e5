"""Who a key speaks for, what is left, and what runs."""

from typing import Any

import httpx
import pytest

from support.accounts import ACTOR, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS, cutout
from support.worker import HandWorker
from unitask.accounts.limits import Limits
from unitask.app import Services
from unitask.kit.clock import DAY_US

KEYED = (
    ("GET", "/account/info"),
    ("GET", "/account/active_tasks"),
    ("GET", "/api/open/tasks/histories"),
    ("GET", "/api/v1/task"),
    ("DELETE", "/api/v1/tasks?created_before=1"),
    ("GET", "/api/v1/catalogue"),
    ("POST", "/api/ephemeral_resource"),
    ("POST", "/api/face_swap/v1/async"),
    ("POST", "/api/face_swap/v1/fetch"),
    ("GET", "/api/v1/task/00000000-0000-0000-0000-000000000000/events"),
)
# fmt: off
INFORMATION = {
    "id", "name", "type", "plan", "platform", "account_group", "account_tags", "is_enable", "is_verified", "created_at",
    "updated_at", "notification_hook_url", "max_concurrent_task_count", "max_flux_concurrency",
    "max_trellis_concurrency", "max_image_toolkit_concurrency", "max_kling_concurrency", "max_luma_concurrency",
    "max_suno_concurrency", "max_udio_concurrency", "max_hailuo_concurrency", "max_internal_proxy_concurrency",
    "private_pool_size", "private_chat_gpt_pool_size", "private_hailuo_pool_size", "private_kling_pool_size",
    "private_luma_pool_size", "private_suno_pool_size", "private_udio_pool_size", "is_using_private_pool",
    "is_using_private_flux_pool", "is_using_private_trellis_pool", "is_using_private_image_toolkit_pool",
    "is_using_private_chat_gpt_pool", "is_using_private_kling_pool", "is_using_private_luma_pool",
    "is_using_private_suno_pool", "is_using_private_udio_pool", "kling_failover_enabled", "luma_failover_enabled",
    "mj_failover_enabled", "suno_failover_enabled", "equivalent_in_usd", "credit_pack_info", "wallet",
}
# fmt: on


@pytest.mark.parametrize(("method", "path"), KEYED, ids=[path for _, path in KEYED])
async def test_every_route_asks_for_a_key(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Without one it is 401, before anything else is looked at."""
    refused(await client.request(method, path, headers={"X-API-Key": ""}), 401)
    refused(await client.request(method, path, headers={"X-API-Key": "wrong"}), 401)


async def test_the_balance_is_told_in_points_and_dollars(client: httpx.AsyncClient, services: Services) -> None:
    """Ten million points are a dollar; what a task holds or has used is not available."""
    person = await open_account(services, "careful", points=10_000_000, task_limit=3)
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    worker = HandWorker(services)
    (work,) = await worker.claim()
    assert await worker.complete(work)
    data = accepted(await client.get("/account/info", headers=person.headers))
    left = 10_000_000 - 2 * CAT_POINTS
    assert data["equivalent_in_usd"] == left / 10_000_000
    assert data["wallet"] == {
        "id": person.account_id,
        "point_remain": left,
        "point_used": CAT_POINTS,
        "point_frozen": CAT_POINTS,
        "gpts_remain": 0,
        "llm_remain": 0,
        "llm_used": 0,
        "luma_remain": 0,
        "mj_remain": 0,
        "suno_remain": 0,
        "auto_recharge_enabled": False,
    }
    assert data["credit_pack_info"] == {
        "available_credits": left,
        "total_credits": 10_000_000,
        "used_credits": CAT_POINTS,
        "frozen_credits": CAT_POINTS,
        "expired_credits": 0,
        "inactive_credits": 0,
        "credit_packs_count": 1,
        "credit_packs": [{"id": 1, "active": True, "capacity": 10_000_000, "expired_at": "0001-01-01T00:00:00Z"}],
    }


async def test_packs_are_listed_with_their_end(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """What came in counts whole; a pack that is used up or past its time is not active, cleared or not."""
    person = await open_account(services, "careful")
    for points, days in ((CAT_POINTS, 1), (70, 2), (500, 30), (9, None)):
        expires_at = None if days is None else clock.now_us() + days * DAY_US
        await services.credit.top_up(person.account_id, points, actor=ACTOR, expires_at=expires_at)
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    (work,) = await HandWorker(services).claim()
    assert await HandWorker(services).complete(work)

    async def told() -> tuple[dict[str, Any], list[bool]]:
        info = accepted(await client.get("/account/info", headers=person.headers))["credit_pack_info"]
        return info, [pack["active"] for pack in info["credit_packs"]]

    info, active = await told()
    assert [pack["capacity"] for pack in info["credit_packs"]] == [CAT_POINTS, 70, 500, 9]
    assert active == [False, True, True, True]
    assert info["credit_packs"][0]["expired_at"] == "2027-01-16T08:00:00Z"
    clock.pass_s(2 * 24 * 3600)
    info, active = await told()
    assert (active, info["expired_credits"]) == ([False, False, True, True], 0)
    await services.credit.expire()
    info, active = await told()
    assert (active, info["expired_credits"]) == ([False, False, True, True], 70)
    assert (info["total_credits"], info["available_credits"]) == (CAT_POINTS + 579, 509)
    assert (info["credit_packs_count"], info["inactive_credits"]) == (4, 0)


async def test_limits_are_told_as_numbers(client: httpx.AsyncClient, services: Services) -> None:
    """A family's own where it has one below that of all; those of the plan too, under its name."""
    await services.registry.put_plan("studio", Limits(concurrent_tasks=9), actor=ACTOR)
    person = await open_account(services, "careful", family_tasks={"flux": 2, "trellis": 50})
    await services.registry.set_account(person.account_id, actor=ACTOR, plan="studio")
    data = accepted(await client.get("/account/info", headers=person.headers))
    assert (data["plan"], data["max_concurrent_task_count"]) == ("studio", 9)
    families = ("flux", "trellis", "image_toolkit")
    assert [data[f"max_{family}_concurrency"] for family in families] == [2, 9, 9]


async def test_a_decision_of_the_operator_moves_the_time_of_the_account(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Work does not."""
    person = await open_account(services, "careful", unlimited=True)
    clock.pass_s(60)
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    data = accepted(await client.get("/account/info", headers=person.headers))
    assert (data["created_at"], data["updated_at"]) == ("2027-01-15T08:00:00Z",) * 2
    await services.registry.set_account(person.account_id, actor=ACTOR, unlimited=True)
    data = accepted(await client.get("/account/info", headers=person.headers))
    assert data["updated_at"] == "2027-01-15T08:01:00Z"


async def test_an_account_is_described_with_the_documented_keys(client: httpx.AsyncClient, services: Services) -> None:
    """Clients read the limits and switches by name; no key is ever shown."""
    person = await open_account(services, "careful", task_limit=3)
    data = accepted(await client.get("/account/info", headers=person.headers))
    assert (data["id"], data["name"], data["type"], data["plan"]) == (person.account_id, "careful", "user", "open")
    assert (data["is_enable"], data["is_verified"], data["account_tags"]) == (True, True, [])
    assert data["created_at"] == "2027-01-15T08:00:00Z"
    families = ("flux", "trellis", "image_toolkit")
    assert {data[f"max_{family}_concurrency"] for family in families} == {data["max_concurrent_task_count"]} == {3}
    assert data["is_using_private_flux_pool"] is data["is_using_private_pool"] is False
    assert data["private_pool_size"] == 0
    assert person.headers["X-API-Key"] not in str(data)


async def test_the_information_has_every_documented_key_and_no_other(client: httpx.AsyncClient) -> None:
    """Of what this server does not have, limits and pools are 0 and switches off."""
    data = accepted(await client.get("/account/info"))
    assert set(data) == INFORMATION
    pools = {key for key in INFORMATION if key.startswith("private_")}
    foreign = {f"max_{family}_concurrency" for family in ("kling", "luma", "suno", "udio", "hailuo", "internal_proxy")}
    assert {(type(data[key]), data[key]) for key in pools | foreign} == {(int, 0)}
    switches = {key for key in INFORMATION if key.startswith("is_using_") or key.endswith("_failover_enabled")}
    assert all(data[key] is False for key in switches)


async def test_an_account_without_limits_says_so_in_numbers(client: httpx.AsyncClient) -> None:
    """Clients format and compare these, so none of them is null."""
    data = accepted(await client.get("/account/info"))
    assert data["plan"] == "open"
    assert data["max_concurrent_task_count"] == data["max_flux_concurrency"] == 10_000
    assert isinstance(data["equivalent_in_usd"], float)


async def test_live_tasks_are_counted_by_family_and_status(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Every family is there; tasks that have ended and those of other accounts are not."""
    person = await open_account(services, "busy", unlimited=True, task_limit=3)
    accepted(await client.post("/api/v1/task", json=CAT))
    nothing = {"staged_count": 0, "pending_count": 0, "processing_count": 0}
    before = accepted(await client.get("/account/active_tasks", headers=person.headers))
    assert set(before) == set(services.history.families)
    assert all(counts == nothing for counts in before.values())
    assert await HandWorker(services).claim()
    for order in (CAT, CAT, cutout("https://example.com/a.png"), CAT):
        accepted(await client.post("/api/v1/task", json=order, headers=person.headers))
        clock.pass_s(1)
    worker = HandWorker(services, "worker-2", ("preview",))
    _, second = await worker.claim(most=2)
    assert await worker.fail(second)
    after = accepted(await client.get("/account/active_tasks", headers=person.headers))
    assert after["flux"] == {"staged_count": 0, "pending_count": 1, "processing_count": 1}
    assert after["image_toolkit"] == {"staged_count": 0, "pending_count": 1, "processing_count": 0}
    assert all(counts == nothing for family, counts in after.items() if family not in {"flux", "image_toolkit"})


async def test_tasks_beyond_the_limit_are_counted_as_staged(client: httpx.AsyncClient, services: Services) -> None:
    """They are live too."""
    person = await open_account(services, "busy", unlimited=True, task_limit=1)
    for _ in range(3):
        accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    data = accepted(await client.get("/account/active_tasks", headers=person.headers))
    assert data["flux"] == {"staged_count": 2, "pending_count": 1, "processing_count": 0}
