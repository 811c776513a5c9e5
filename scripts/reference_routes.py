"""The page of all routes. Which key a route takes is found by asking a server, with keys that lack scopes."""

import asyncio
import inspect
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from pydantic import SecretStr
from starlette.routing import Route

from unitask.accounts.model import Scope
from unitask.api.openapi import document
from unitask.api.requests import Endpoint
from unitask.catalogue import Catalogue
from unitask.db.migrate import upgrade
from unitask.emulator.application import EmulatedApplication
from unitask.emulator.run import emulated, opened
from unitask.settings import Settings

USUAL: Final = ("401", "403", "429", "500", "503")
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ADDRESS: Final = "http://unitask.test"
DOORS: Final = {
    "tasks": "Ordering and following tasks.",
    "webhooks": "What was sent to receivers, and sending it again.",
    "account": "Balance, keys, usage and statements of the account that asks.",
    "files": "What tasks have made, and what they are given.",
    "older routes": "For clients from before the unified calls.",
    "operators": "Accounts, credit, plans and keys of everyone; what the server is doing.",
    "server": "The server about itself.",
    "workers": "How workers and controllers of clusters speak to the API. They may change with every release: the "
    "worker of a release speaks to the API of the same release, and to its neighbours. Messages that are not "
    "understood are answered with 400.",
    "emulator": "The clock and the record of [the emulator](../guide/emulator.md); a real server does not have them.",
    "pages": "Pages for people, and the files that they load.",
}
FILES: Final = {
    "/": "Leads to `/docs`",
    "/dashboard": "The dashboard",
    "/docs": "The reference for people",
}


class Line(NamedTuple):
    """A route as its row shows it."""

    method: str
    path: str
    key: str
    summary: str
    answers: str


def routes_page() -> str:
    """Write every route below the door to which it belongs."""
    lines = asyncio.run(_lines())
    parts = [
        "# API routes\n",
        (
            "For whoever speaks HTTP to a server: every route with the key that it takes and the statuses that it "
            "answers. The fields of requests and answers are on the server's own page `/docs`, and for programs in "
            "`/openapi.json`; what a status means is in [errors](errors.md).\n"
        ),
        (
            "A key comes as `X-API-Key` or as a bearer token. Where a scope is named, the key needs it; a worker token "
            f"comes as a bearer token. Beside what the tables list, a route that takes a key may answer "
            f"{', '.join(USUAL)}.\n"
        ),
        "This page is written by `make reference` from the code, so that it cannot say anything else.\n",
    ]
    for door, about in DOORS.items():
        parts += [f"## {door.capitalize()}\n", f"{about}\n", _table(lines.pop(door))]
    if lines:
        raise ValueError(f"say in DOORS what these are for: {set(lines)}")
    return "\n".join(parts)


def _table(lines: Iterable[Line]) -> str:
    rows = [
        f"| `{one.method} {one.path}` | {one.key} | {one.summary} | {one.answers or '200'} |"
        for one in sorted(lines, key=lambda one: (one.path, METHODS.index(one.method)))
    ]
    return "\n".join(["| route | key | what it does | answers |", "| --- | --- | --- | --- |", *rows]) + "\n"


async def _lines() -> dict[str, list[Line]]:
    described = document(Catalogue.load(), ADDRESS)["paths"]
    found: dict[str, list[Line]] = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings.model_construct(
            **{
                **{name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()},
                "data": Path(folder),
                "secret": SecretStr("a secret for one moment"),
                "worker_token": SecretStr("a token for one moment"),
            }
        )
        settings = emulated(chosen)
        upgrade(settings.database_direct)
        async with opened(settings) as application:
            ask = await _Asking.ready(application)
            for route in application.routes:
                if isinstance(route, Route):
                    for method in sorted((route.methods or set()) - {"HEAD"}):
                        path = re.sub(r":\w+}", "}", route.path)
                        operation = described.get(path, {}).get(method.lower(), {})
                        door, summary = _told(route, method, path, operation)
                        if summary:
                            key = await ask.key(method, route.path)
                            usual = USUAL if key != "none" else ()
                            answers = ", ".join(sorted(set(operation.get("responses", {})).difference(usual)))
                            found.setdefault(door, []).append(Line(method, path, key, summary, answers))
    return found


def _told(route: Route, method: str, path: str, operation: dict[str, Any]) -> tuple[str, str]:
    """Find to which door a route belongs and what it does; no text for the files that a page loads."""
    if operation:
        return operation["tags"][0], operation["summary"]
    if path in FILES:
        return "pages", FILES[path]
    if path.startswith(tuple(f"{page}/" for page in FILES if page != "/")):
        return "pages", ""
    endpoint = route.endpoint
    says = inspect.getdoc(endpoint._handler if isinstance(endpoint, Endpoint) else endpoint)  # noqa: SLF001 - its own
    if not says:
        raise ValueError(f"{method} {path} says nowhere what it does")
    return ("workers" if path.startswith("/worker/") else path.split("/")[1]), says.splitlines()[0].rstrip(".")


class _Asking:
    """Asks every route with keys that have one scope each, and hears which is missing."""

    def __init__(self, client: httpx.AsyncClient, keys: dict[Scope, str]) -> None:
        self._client, self._keys = client, keys

    @classmethod
    async def ready(cls, application: EmulatedApplication) -> "_Asking":
        """Make the keys."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=ADDRESS)
        account = await application.services.registry.open_account("asking", actor="the reference", unlimited=True)
        keys = {}
        for scope in (Scope.FILES, Scope.TASKS):
            _, keys[scope] = await application.services.keyring.add(
                account.id, actor="the reference", name=scope, scopes=frozenset({scope})
            )
        return cls(client, keys)

    async def key(self, method: str, path: str) -> str:
        """Say which key a route takes."""
        address = re.sub(r"{\w+(:\w+)?}", lambda part: NOBODY if part[1] == ":uuid" else "1", path)
        message = await self._refusal(method, address, {}, 401)
        if message is None:
            return "none"
        if "worker token" in message:
            return "worker token"
        for key in self._keys.values():
            message = await self._refusal(method, address, {"X-API-Key": key}, 403)
            if message and (scope := re.search(r"lacks the scope (\w+)", message)):
                return f"scope `{scope[1]}`"
        return "any key"

    async def _refusal(self, method: str, address: str, headers: dict[str, str], status: int) -> str | None:
        answer = await self._client.request(method, address, headers=headers)
        return str(answer.json()["message"]) if answer.status_code == status else None
