"""Use cases of keys that every request needs."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from unitask.accounts import repository
from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import CUSTOMER_SCOPES, Caller, Scope
from unitask.accounts.rate import Rate
from unitask.db import Database, Transaction
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Forbidden, TooManyRequests, Unauthorized
from unitask.kit.ids import new_secret

DEFAULT_ACCOUNT: Final = "default"
OPEN_PLAN: Final = "open"
_REMEMBER_US: Final = 5 * SECOND_US
_REMEMBER_KEYS: Final = 10_000
_NOTE_USE_US: Final = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    enabled: bool
    limited: bool
    until: int


class Accounts:
    """Keys are stored as HMAC-SHA256 under the installation's secret, so a stolen database opens nothing.

    What is known of a key is remembered for five seconds: that is how late a change to it may be felt.
    """

    def __init__(self, database: Database, clock: Clock, secret: str) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret.encode()
        self._remembered: dict[str, _Known] = {}
        self._rate = Rate()
        self._used: set[int] = set()
        self._noted: dict[int, int] = {}

    def hash(self, key: str) -> str:
        """Turn a key into what is stored of it."""
        return hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()

    def forget(self) -> None:
        """Look every key up anew from now on."""
        self._remembered.clear()

    async def authenticate(self, key: str, address: str = "") -> Caller:
        """Find who a key speaks for, and count the request that came with it from an address.

        Raises:
            Unauthorized: no such key, or it was revoked or has expired.
            Forbidden: the account is disabled, or the key may not be used from there.
            TooManyRequests: the key or the account has sent too many this minute.

        """
        now = self._clock.now_us()
        known = self._remembered.get(key)
        if known is None or known.until <= now:
            known = await self._look_up(key, now)
        if known.limited:
            self._check(known.caller, address, now)
        if not known.enabled:
            raise Forbidden("this account is disabled; ask the operator of this server")
        return known.caller

    async def _look_up(self, key: str, now: int) -> _Known:
        self._remembered.pop(key, None)
        found = await repository.find_key(self._database, self.hash(key), now) if key else None
        if found is None:
            raise Unauthorized("Unauthorized: the API key is missing, wrong, expired or revoked; send it as X-API-Key")
        caller, enabled, ends_at = found
        limited = any(
            limits.networks is not None or limits.requests_per_minute is not None
            for limits in (caller.account_limits, caller.key_limits)
        )
        until = now + _REMEMBER_US if ends_at is None else min(ends_at, now + _REMEMBER_US)
        if len(self._remembered) >= _REMEMBER_KEYS:
            self._remembered.clear()
        known = self._remembered[key] = _Known(caller, enabled, limited, until)
        self._used.add(caller.api_key_id)
        return known

    def _check(self, caller: Caller, address: str, now: int) -> None:
        # The key comes first: what it may not send does not count for the other keys of its account.
        scopes = (
            ("key", caller.api_key_id, caller.key_limits),
            ("account", caller.account_id, caller.account_limits),
        )
        for what, _, limits in scopes:
            if not limits.allow_address(address):
                raise Forbidden(f"this {what} may not be used from the address {address}")
        for what, number, limits in scopes:
            per_minute = limits.requests_per_minute
            wait_s = self._rate.take(f"{what} {number}", per_minute, now) if per_minute else 0
            if wait_s:
                raise TooManyRequests(
                    f"too many requests: this {what} may send {per_minute} a minute; wait {wait_s} s",
                    retry_after_s=wait_s,
                )

    async def note_use(self) -> None:
        """Write down which keys were used in this process; each at most once a minute."""
        now = self._clock.now_us()
        due = [key_id for key_id in self._used if self._noted.get(key_id, 0) + _NOTE_USE_US <= now]
        if not due:
            return
        await self._database.write(lambda tx: repository.note_use(tx, due, now))
        self._used.difference_update(due)
        self._noted.update(dict.fromkeys(due, now))

    async def first_key(self, preset: str | None) -> str | None:
        """Make the first key of the installation, for an account without limits; None if there is nothing to show.

        A preset key that exists already is left as it is. One that we make may also administer; a preset one may not.
        """
        secret = preset or new_secret()
        now = self._clock.now_us()

        async def work(tx: Transaction) -> int | None:
            await repository.lock_first(tx)
            if preset is None and await repository.list_keys(tx, after=0, most=1):
                return None
            account = await repository.find_named(tx, DEFAULT_ACCOUNT)
            account_id = (
                account.id
                if account
                else await repository.add(
                    tx, name=DEFAULT_ACCOUNT, plan=OPEN_PLAN, limits=NO_LIMITS, unlimited=True, now=now
                )
            )
            return await repository.add_key(
                tx,
                account_id=account_id,
                key_hash=self.hash(secret),
                hint=secret[-4:],
                name="first key",
                scopes=CUSTOMER_SCOPES if preset else frozenset(Scope),
                limits=NO_LIMITS,
                expires_at=None,
                now=now,
            )

        return secret if await self._database.write(work) is not None else None
