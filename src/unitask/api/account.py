"""Account information, the task list by family, and history by pages."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request

from unitask.accounts.model import Account, Scope
from unitask.api.envelope import JsonAnswer, success, task_object
from unitask.api.requests import SECONDS_LIMIT, caller, number, route, services, text
from unitask.billing.model import Pack
from unitask.kit.clock import rfc3339
from unitask.kit.money import usd
from unitask.queue.model import State
from unitask.tasks.history import History, ListRequest, PageRequest
from unitask.tasks.model import Task

_UNLIMITED_TASKS = 10_000
_SERVED = ("flux", "trellis", "image_toolkit")
_NOT_SERVED = ("hailuo", "internal_proxy", "kling", "luma", "suno", "udio")
_SIZED_POOLS = ("", "chat_gpt_", "hailuo_", "kling_", "luma_", "suno_", "udio_")
_USED_POOLS = ("", "flux_", "trellis_", "image_toolkit_", "chat_gpt_", "kling_", "luma_", "suno_", "udio_")
_FAILOVERS = ("kling", "luma", "mj", "suno")
_OTHER_MONEY = ("gpts_remain", "llm_remain", "llm_used", "luma_remain", "mj_remain", "suno_remain")


def _at_once(account: Account, family: str) -> int:
    """Tell how many tasks of a family may run; its own limit counts only below that of all."""
    limits = (account.limits.family_tasks.get(family), account.task_limit)
    return min((limit for limit in limits if limit is not None), default=_UNLIMITED_TASKS)


def _pack(pack: Pack, now: int) -> dict[str, Any]:
    over = pack.expires_at is not None and pack.expires_at <= now
    return {
        "id": pack.id,
        "active": pack.remaining > 0 and not over,
        "capacity": pack.capacity,
        "expired_at": rfc3339(pack.expires_at),
    }


def _information(account: Account, packs: Sequence[Pack], now: int) -> dict[str, Any]:
    """Build the documented object; what this server has no notion of is zero, empty or false."""
    return {
        "id": account.id,
        "name": account.name,
        "type": "user",
        "plan": account.plan,
        "platform": "unitask",
        "account_group": "",
        "account_tags": [],
        "is_enable": account.enabled,
        "is_verified": True,
        "created_at": rfc3339(account.created_at),
        "updated_at": rfc3339(account.updated_at),
        "notification_hook_url": "",
        "max_concurrent_task_count": _at_once(account, ""),
        **{f"max_{family}_concurrency": _at_once(account, family) for family in _SERVED},
        **{f"max_{family}_concurrency": 0 for family in _NOT_SERVED},
        **{f"private_{pool}pool_size": 0 for pool in _SIZED_POOLS},
        **{f"is_using_private_{pool}pool": False for pool in _USED_POOLS},
        **{f"{family}_failover_enabled": False for family in _FAILOVERS},
        "equivalent_in_usd": usd(account.available_points),
        "credit_pack_info": {
            "available_credits": account.available_points,
            "total_credits": sum(pack.capacity for pack in packs),
            "used_credits": account.used_points,
            "frozen_credits": account.held_points,
            "expired_credits": sum(pack.expired for pack in packs),
            "inactive_credits": 0,
            "credit_packs_count": len(packs),
            "credit_packs": [_pack(pack, now) for pack in packs],
        },
        "wallet": {
            "id": account.id,
            "point_remain": account.available_points,
            "point_used": account.used_points,
            "point_frozen": account.held_points,
            **dict.fromkeys(_OTHER_MONEY, 0),
            "auto_recharge_enabled": False,
        },
    }


async def information(request: Request) -> JsonAnswer:
    """`GET /account/info`: who the key speaks for, and what is left."""
    who = await caller(request, Scope.ACCOUNT)
    unitask = services(request)
    account = await unitask.registry.account(who.account_id)
    return success(_information(account, await unitask.credit.packs(account), unitask.clock.now_us()))


async def active_tasks(request: Request) -> JsonAnswer:
    """`GET /account/active_tasks`: live tasks counted by family and status."""
    who = await caller(request, Scope.ACCOUNT)
    counts = await services(request).history.active(who)
    return success(
        {
            family: {
                "staged_count": states[State.STAGED],
                "pending_count": states[State.READY],
                "processing_count": states[State.PROCESSING],
            }
            for family, states in counts.items()
        }
    )


def _row(task: Task, history: History) -> dict[str, Any]:
    """Build one row of the documented history; its `id` is the microsecond of the task's creation."""
    return {
        "id": task.created_at,
        "account_id": task.account_id,
        "api_key_id": task.api_key_id,
        "task_id": task.id,
        "task_model": history.family_of(task),
        "action": task.task_type,
        "status": task.status,
        "usage": task.price_points if not task.status.final else task.charged_points,
        "usage_type": "point",
        "service_mode": orjson.loads(task.config).get("service_mode", ""),
        "detail": {
            "model": task.model,
            "task_id": task.id,
            "workflow_type": task.task_type,
            "error": orjson.Fragment(task.error) if task.error else None,
        },
        "fixed": False,
        "created_at": rfc3339(task.created_at),
        "updated_at": rfc3339(task.ended_at or task.started_at or task.created_at),
        "deleted_at": None,
    }


async def histories(request: Request) -> JsonAnswer:
    """`GET /api/open/tasks/histories`: an account's tasks by pages, newest first."""
    who = await caller(request, Scope.TASKS)
    history = services(request).history
    asked = PageRequest()
    wanted = PageRequest(
        page=number(request, "page", asked.page),
        size=number(request, "page_size", asked.size),
        family=text(request, "model"),
        start_s=number(request, "start_time", asked.start_s, most=SECONDS_LIMIT),
        end_s=number(request, "end_time", asked.end_s, most=SECONDS_LIMIT),
    )
    page = await history.page(who, wanted)
    rows = [_row(task, history) for task in page.tasks]
    return success({"data": rows, "page": wanted.page, "size": wanted.size, "total": page.total})


async def list_tasks(request: Request) -> JsonAnswer:
    """`GET /api/v1/task`: an account's tasks by cursor, newest first."""
    who = await caller(request, Scope.TASKS)
    unitask = services(request)
    asked = ListRequest()
    wanted = ListRequest(
        before=text(request, "cursor"),
        size=number(request, "limit", asked.size),
        status=text(request, "status"),
        model=text(request, "model"),
        task_type=text(request, "task_type"),
        start_s=number(request, "start_time", asked.start_s, most=SECONDS_LIMIT),
        end_s=number(request, "end_time", asked.end_s, most=SECONDS_LIMIT),
        idempotency_key=text(request, "idempotency_key"),
    )
    found = await unitask.history.newest(who, wanted)
    tasks = [task_object(task, unitask.artifacts) for task in found.tasks]
    return success({"tasks": tasks, "next_cursor": found.cursor})


ROUTES = [
    route("GET", "/account/info", information),
    route("GET", "/account/active_tasks", active_tasks),
    route("GET", "/api/open/tasks/histories", histories),
    route("GET", "/api/v1/task", list_tasks),
]
