"""An account's own keys for providers, which make its tasks in place of the operator's."""

from typing import Any, Final

from pydantic import Field, SecretStr
from starlette.requests import Request

from unitask.accounts.credentials import KEY, Credential
from unitask.accounts.model import Scope
from unitask.api.admin_messages import Body
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, message, route, services
from unitask.kit.clock import rfc3339
from unitask.kit.errors import NotFound

_ALL: Final = "/api/v1/account/credentials"
_ONE: Final = f"{_ALL}/{{provider}}"


class ProviderKey(Body):
    """A key that the account has from a provider."""

    key: SecretStr = Field(description="Kept encrypted, shown to nobody.", json_schema_extra={"pattern": KEY})


def _document(one: Credential) -> dict[str, Any]:
    return {"provider": one.provider, "hint": one.hint, "created_at": rfc3339(one.created_at)}


async def list_credentials(request: Request) -> JsonAnswer:
    """`GET /api/v1/account/credentials`: for which providers the account has a key of its own, without the keys."""
    who = await caller(request, Scope.ACCOUNT)
    return success([_document(one) for one in await services(request).credentials.shown(who.account_id)])


async def give(request: Request) -> JsonAnswer:
    """`PUT /api/v1/account/credentials/{provider}`: let the account's tasks at a provider use its own key."""
    who = await caller(request, Scope.ACCOUNT)
    provider = request.path_params["provider"]
    known = [name for name, one in services(request).providers.items() if one.takes_own_keys]
    if provider not in known:
        there = f"there are: {', '.join(sorted(known))}" if known else "there are none"
        raise NotFound(f"this installation has no provider {provider!r} that takes keys of accounts; {there}")
    wanted = await message(request, ProviderKey)
    given = await services(request).provider_keys.give(
        who.account_id,
        provider,
        wanted.key.get_secret_value(),
        actor=f"key {who.api_key_id}",
    )
    return success(_document(given))


async def take_back(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/account/credentials/{provider}`: forget the key."""
    who = await caller(request, Scope.ACCOUNT)
    await services(request).provider_keys.take_back(
        who.account_id, request.path_params["provider"], actor=f"key {who.api_key_id}"
    )
    return success(None)


ROUTES = [route("GET", _ALL, list_credentials), route("PUT", _ONE, give), route("DELETE", _ONE, take_back)]
