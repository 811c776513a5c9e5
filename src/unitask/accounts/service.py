"""Use cases of accounts and keys."""

import hashlib
import hmac
from typing import Final

from unitask.accounts import repository
from unitask.accounts.model import Caller, Key
from unitask.db import Database, Transaction
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import NotFound, Unauthorized
from unitask.kit.ids import new_secret

DEFAULT_ACCOUNT: Final = "default"
_REMEMBER_US: Final = 5 * SECOND_US
_REMEMBER_KEYS: Final = 10_000


class Accounts:
    """Keys are stored as HMAC-SHA256 under the installation's secret, so a stolen database opens nothing.

    A key that was right is remembered for five seconds: that is how long a revoked key may go on working.
    """

    def __init__(self, database: Database, clock: Clock, secret: str) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret.encode()
        self._remembered: dict[str, tuple[Caller, int]] = {}

    def _hash(self, key: str) -> str:
        return hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()

    async def authenticate(self, key: str) -> Caller:
        """Find who a key speaks for.

        Raises:
            Unauthorized: no such key, or it was revoked.

        """
        now = self._clock.now_us()
        remembered = self._remembered.get(key)
        if remembered is not None and remembered[1] > now:
            return remembered[0]
        self._remembered.pop(key, None)
        caller = await repository.find_key(self._database, self._hash(key)) if key else None
        if caller is None:
            raise Unauthorized("Unauthorized: the API key is missing, wrong or revoked; send it as X-API-Key")
        if len(self._remembered) >= _REMEMBER_KEYS:
            self._remembered.clear()
        self._remembered[key] = (caller, now + _REMEMBER_US)
        return caller

    async def add_key(self, *, account: str, name: str, key: str | None = None) -> str | None:
        """Add a key to the account of that name, which is made if there is none; returns the secret, shown once.

        A given `key` that exists already is left as it is, and None is returned.
        """
        secret = key or new_secret()
        now = self._clock.now_us()

        async def work(tx: Transaction) -> int | None:
            found = await repository.find_named(tx, account)
            account_id = (
                found.id if found else await repository.add(tx, name=account, unlimited=True, task_limit=None, now=now)
            )
            return await repository.add_key(
                tx, account_id=account_id, key_hash=self._hash(secret), hint=secret[-4:], name=name, now=now
            )

        return secret if await self._database.write(work) is not None else None

    async def list_keys(self) -> list[Key]:
        """List all keys without their secrets."""
        return await repository.list_keys(self._database)

    async def revoke_key(self, key_id: int) -> None:
        """Revoke a key.

        Raises:
            NotFound: no key that works has this number.

        """
        now = self._clock.now_us()
        if not await self._database.write(lambda tx: repository.revoke_key(tx, key_id, now)):
            raise NotFound(f"no key {key_id} that could be revoked; `unitask keys list` shows them")
        self._remembered.clear()
