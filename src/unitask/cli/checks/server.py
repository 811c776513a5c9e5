"""What is wrong with settings and addresses of a server, and with the address that a worker has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from unitask.cli.checks.known import Findings, Found, found
from unitask.kit.addresses import literal
from unitask.kit.clock import SECOND_US, Clock
from unitask.settings import Settings
from unitask.spec.protocol import PREFIX

_ASK_S: Final = 5.0
_LEAST_LENGTH: Final = 12
_LEAST_VARIETY: Final = 8
_CLOCK_S: Final = 60


def keys(settings: Settings) -> Findings:
    """Look for keys that a person would type."""
    for name in ("api_key", "secret", "worker_token"):
        value = getattr(settings, name)
        text = value.get_secret_value() if value else None
        if text is not None and (len(text) < _LEAST_LENGTH or len(set(text)) < _LEAST_VARIETY):
            yield found("key-weak", setting=f"UNITASK_{name.upper()}")
    if settings.secret is None and settings.database.startswith("postgresql://") and not settings.api_url:
        yield found("secret-of-one", path=settings.data / "secret")


def _is_loopback(host: str) -> bool:
    ip = literal(host)
    return ip.is_loopback if ip else host == "localhost"


def exposure(settings: Settings) -> Findings:
    """Look at what those settings mean that say who reaches this server. A worker listens to nobody."""
    if settings.api_url:
        return
    public = urlsplit(settings.public_url)
    is_reached = not _is_loopback(settings.host) or bool(public.hostname and not _is_loopback(public.hostname))
    if is_reached and settings.allow_private_networks:
        yield found("private-open")
    if not _is_loopback(settings.host) and not settings.public_url:
        yield found("public-unset", host=settings.host, url=settings.base_url)
    if public.hostname and not _is_loopback(public.hostname) and public.scheme == "http":
        yield found("public-plain")
    if public.scheme == "https" and not settings.trusted_proxies:
        yield found("proxy-unknown")


@asynccontextmanager
async def _asking() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=_ASK_S, follow_redirects=False) as client:
        yield client


def _is_ours(answer: httpx.Response) -> bool:
    try:
        said = answer.json()
    except ValueError:
        return False
    return answer.is_success and isinstance(said, dict) and said.get("server") == "unitask"


async def addresses(settings: Settings) -> list[Found]:
    """Ask at the port of the server, if it runs, and then at the address that clients have."""
    if settings.api_url:
        return await _of_worker(settings)
    async with _asking() as client:
        try:
            here = await client.get(f"{settings.local_url}/healthz")
        except (httpx.HTTPError, httpx.InvalidURL):
            return [found("server-away", url=settings.local_url)]  # nor can be said what leads to it
        if not _is_ours(here):
            return [found("port-taken", url=settings.local_url)]
        ready = await client.get(f"{settings.local_url}/readyz")
        why = ready.json().get("reason", ready.status_code) if not ready.is_success else None
        troubles = [found("not-ready", url=settings.local_url, why=why)] if why else []
        if settings.public_url:
            troubles += await _public(client, settings.public_url)
        return troubles


async def _public(client: httpx.AsyncClient, url: str) -> list[Found]:
    try:
        answer = await client.get(f"{url}/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [found("public-away", why=str(error) or type(error).__name__)]
    if answer.is_redirect:
        return [found("public-moved", target=answer.headers.get("location", "").removesuffix("/healthz"))]
    return [] if _is_ours(answer) else [found("public-other")]


async def _of_worker(settings: Settings) -> list[Found]:
    """Ask the server whose worker this machine is; its answer has its time."""
    troubles = [] if settings.worker_token else [found("worker-no-token")]
    async with _asking() as client:
        try:
            answer = await client.get(f"{settings.api_url}/healthz")
            if not _is_ours(answer):
                return [*troubles, found("api-away", why="what answers there is not Unitask")]
            if settings.worker_token and not await _takes(client, settings.api_url, settings.worker_token):
                troubles.append(found("worker-token", url=settings.api_url))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return [*troubles, found("api-away", why=str(error) or type(error).__name__)]
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return troubles
    return [*troubles, *clock_apart(theirs, settings.api_url)]


async def _takes(client: httpx.AsyncClient, url: str, token: SecretStr) -> bool:
    """Show the token where nothing happens by it."""
    headers = {b"Authorization": f"Bearer {token.get_secret_value()}".encode()}
    try:
        answer = await client.get(f"{url}{PREFIX}/marks", headers=headers)
    except httpx.LocalProtocolError:  # a line break in the token; the error would repeat it
        return False
    return answer.status_code != HTTPStatus.UNAUTHORIZED


def clock_apart(theirs_s: float, whom: str) -> list[Found]:
    """Compare a clock with this machine's."""
    off = abs(Clock().now_us() / SECOND_US - theirs_s)
    return [found("clock-off", off=round(off), whom=whom)] if off > _CLOCK_S else []
