"""Keys for providers that accounts bring themselves: used for their tasks in place of the operator's."""

import re
from dataclasses import dataclass
from typing import Final

from unitask.accounts import repository
from unitask.db import Database, Queries, Transaction
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Conflict, InvalidRequest, NotFound, Unavailable
from unitask.kit.seal import Broken, Seal
from unitask.spec.remote import PROVIDER_NAME

SQL = Queries(__package__)
SEALED_AS: Final = b"unitask provider keys"
"""The purpose under which secrets are encrypted here, see `unitask.kit.seal`."""
PROVIDER: Final = f"^{PROVIDER_NAME}$"
"""What stands where an account names one."""
KEY: Final = r"^[!-~]([ -~]{0,4094}[!-~])?$"
"""What goes for a key: it is sent as a field of a head."""
MOST_CREDENTIALS: Final = 100
"""Providers for which an account may have a key."""
_HINTED: Final = 12
_REMEMBER_US: Final = SECOND_US
_REMEMBER_ACCOUNTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Credential:
    """What may be shown of a key; `hint` is its last four characters, empty where these would be much of it."""

    provider: str
    hint: str
    created_at: int


class Credentials:
    """Keys are encrypted under the installation's secret: a stolen database opens none.

    For which providers an account has a key is remembered for a second: that is how late a change made by another
    process may be felt. Keys themselves are never remembered.
    """

    def __init__(self, database: Database, clock: Clock, secret: str) -> None:
        self._database = database
        self._clock = clock
        self._seal = Seal(secret, SEALED_AS)
        self._remembered: dict[int, tuple[frozenset[str], int]] = {}

    async def shown(self, account_id: int) -> list[Credential]:
        """List what may be shown of an account's keys, by provider."""
        rows = await self._database.fetch(SQL.list_credentials, account_id=account_id)
        return sorted(
            (Credential(row["provider"], row["hint"], row["created_at"]) for row in rows), key=lambda one: one.provider
        )

    async def providers(self, account_id: int) -> frozenset[str]:
        """Tell for which providers an account has a key."""
        now = self._clock.now_us()
        remembered = self._remembered
        known, until = remembered.get(account_id, (frozenset[str](), now))
        if until <= now:
            known = frozenset(one.provider for one in await self.shown(account_id))
            if len(remembered) >= _REMEMBER_ACCOUNTS:
                remembered.clear()
            remembered[account_id] = known, now + _REMEMBER_US
        return known

    def forget(self) -> None:
        """Look everything up anew from now on."""
        self._remembered = {}  # another object: what is being looked up at this moment is not remembered either

    async def find(self, account_id: int, provider: str) -> str | None:
        """Open an account's key for a provider; None if it has none.

        Raises:
            Unavailable: it cannot be read any more.

        """
        rows = await self._database.fetch(SQL.read_credential, account_id=account_id, provider=provider)
        try:
            return self._seal.open(rows[0]["sealed"]) if rows else None
        except Broken:
            raise Unavailable(
                f"the account's key for {provider} cannot be read: UNITASK_SECRET has changed since it was given; "
                "give the key again"
            ) from None

    async def put(self, tx: Transaction, account_id: int, provider: str, key: str) -> Credential:
        """Keep a key, in place of the one that was there; to be forgotten by `forget` after the commit.

        Raises:
            InvalidRequest: no key is like this one.
            Conflict: the account has keys for too many providers.
            Unavailable: keys cannot be encrypted here.

        """
        if not re.fullmatch(KEY, key):
            raise InvalidRequest("invalid request: key: 1 to 4096 printable ASCII characters, no space at either end")
        given = Credential(provider, key[-4:] if len(key) >= _HINTED else "", self._clock.now_us())
        await repository.lock(tx, [account_id])
        others = [row["provider"] for row in await tx.fetch(SQL.list_credentials, account_id=account_id)]
        if len(others) >= MOST_CREDENTIALS and provider not in others:
            raise Conflict(f"this account has keys for {MOST_CREDENTIALS} providers; take one back first")
        await tx.execute(
            SQL.put_credential,
            account_id=account_id,
            provider=provider,
            sealed=self._seal.close(key),
            hint=given.hint,
            now=given.created_at,
        )
        return given

    async def remove(self, tx: Transaction, account_id: int, provider: str) -> None:
        """Keep a key no longer; to be forgotten by `forget` after the commit.

        Raises:
            NotFound: there is none.

        """
        known = re.fullmatch(PROVIDER, provider) is not None
        if not known or not await tx.fetch_one(SQL.remove_credential, account_id=account_id, provider=provider):
            raise NotFound(f"no key for a provider {provider!r}; GET /api/v1/account/credentials lists them")
