"""API keys: several per account, shown once, with scopes, limits and an end."""

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Final

from unitask.accounts import repository
from unitask.accounts.limits import NO_LIMITS, Limits
from unitask.accounts.model import CUSTOMER_SCOPES, Key, Scope, earliest
from unitask.accounts.service import Accounts
from unitask.administration import audit
from unitask.db import Database, Transaction
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Conflict, InvalidRequest, NotFound
from unitask.kit.ids import new_secret

OVERLAP_S: Final = 24 * 3600
_NAME_LENGTH: Final = 200


class Keep(Enum):
    """Says that something stays as it is, where None says that there is to be none."""

    KEEP = "keep"


class KeyRing:
    """Makes, changes and ends keys. Where `account_id` is given, only that account's keys can be met."""

    def __init__(self, database: Database, clock: Clock, accounts: Accounts) -> None:
        self._database = database
        self._clock = clock
        self._accounts = accounts

    async def keys(self, account_id: int | None = None, *, after: int = 0, most: int = 1000) -> list[Key]:
        """List keys without their secrets, oldest first, those behind the number `after`."""
        return await repository.list_keys(self._database, account_id, after=after, most=most)

    async def key(self, key_id: int, account_id: int | None = None) -> Key | None:
        """Read a key without its secret; None if there is none."""
        return await repository.read_key(self._database, key_id, account_id)

    async def working(self, account_id: int) -> int:
        """Count the keys of an account that work."""
        return await repository.count_keys(self._database, account_id, self._clock.now_us())

    async def add(
        self,
        account_id: int,
        *,
        actor: str,
        name: str = "",
        scopes: Iterable[Scope] = CUSTOMER_SCOPES,
        limits: Limits = NO_LIMITS,
        expires_at: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key; gives it with its secret, which is shown this once.

        Raises:
            NotFound: there is no such account.
            InvalidRequest: no scope, a long name, or an end in the past.

        """
        now = self._clock.now_us()
        _check(name, scopes, expires_at, now)
        secret = new_secret()

        async def work(tx: Transaction) -> Key:
            if not await repository.lock(tx, [account_id]):
                raise NotFound(f"no account {account_id}")
            key = Key(0, account_id, "", "", name, frozenset(scopes), limits, now, expires_at, None, None)
            key_id = await self._write(tx, key, secret, now)
            await audit.write(
                tx,
                actor=actor,
                action="key.add",
                account_id=account_id,
                now=now,
                key=key_id,
                name=name,
                scopes=sorted(scopes),
                limits=repository.document(limits),
                expires_at=expires_at,
            )
            return await self._read(tx, key_id, account_id)

        return await self._database.write(work), secret

    async def rotate(
        self, key_id: int, *, actor: str, overlap_s: int = OVERLAP_S, account_id: int | None = None
    ) -> tuple[Key, str]:
        """Make a key with the same rights and end; the old one goes on working for `overlap_s` seconds at most.

        Raises:
            NotFound: no such key.
            Conflict: it was revoked or has expired.

        """
        now = self._clock.now_us()
        secret = new_secret()
        ends_at = now + overlap_s * SECOND_US

        async def work(tx: Transaction) -> Key:
            old = await self._read(tx, key_id, account_id)
            if not old.works(now):
                raise Conflict(f"key {key_id} does not work any more; make a new one")
            new_id = await self._write(tx, replace(old, created_at=now), secret, now)
            await repository.set_key(tx, replace(old, replaced_until=earliest(old.replaced_until, ends_at)))
            await audit.write(
                tx,
                actor=actor,
                action="key.rotate",
                account_id=old.account_id,
                now=now,
                key=new_id,
                old=key_id,
                overlap_s=overlap_s,
            )
            return await self._read(tx, new_id, account_id)

        key = await self._database.write(work)
        self._accounts.forget()
        return key, secret

    async def set(
        self,
        key_id: int,
        *,
        actor: str,
        name: str | None = None,
        scopes: Iterable[Scope] | None = None,
        limits: Limits | None = None,
        expires_at: int | Keep | None = Keep.KEEP,
        account_id: int | None = None,
    ) -> Key:
        """Change what is given. An end, or None for no end, also holds for a key in the overlap of a rotation.

        Raises:
            NotFound: no such key.

        """
        now = self._clock.now_us()

        async def work(tx: Transaction) -> Key:
            old = await self._read(tx, key_id, account_id)
            new = replace(
                old,
                name=old.name if name is None else name,
                scopes=old.scopes if scopes is None else frozenset(scopes),
                limits=old.limits if limits is None else limits,
            )
            if expires_at is not Keep.KEEP:
                new = replace(new, expires_at=expires_at, replaced_until=None)
            _check(new.name, new.scopes, None if expires_at is Keep.KEEP else expires_at, now)
            await repository.set_key(tx, new)
            await audit.write(
                tx,
                actor=actor,
                action="key.set",
                account_id=old.account_id,
                now=now,
                key=key_id,
                name=new.name,
                scopes=sorted(new.scopes),
                limits=repository.document(new.limits),
                expires_at=new.expires_at,
            )
            return new

        key = await self._database.write(work)
        self._accounts.forget()
        return key

    async def revoke(self, key_id: int, *, actor: str, account_id: int | None = None) -> None:
        """End a key; here at once, in other API processes within five seconds.

        Raises:
            NotFound: no key that works has this number.

        """
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            key = await self._read(tx, key_id, account_id)
            if not await repository.revoke_key(tx, key_id, now):
                raise NotFound(_NONE.format(key_id))
            await audit.write(tx, actor=actor, action="key.revoke", account_id=key.account_id, now=now, key=key_id)

        await self._database.write(work)
        self._accounts.forget()

    async def _read(self, tx: Transaction, key_id: int, account_id: int | None) -> Key:
        key = await repository.read_key(tx, key_id, account_id)
        if key is None:
            raise NotFound(_NONE.format(key_id))
        return key

    async def _write(self, tx: Transaction, key: Key, secret: str, now: int) -> int:
        key_id = await repository.add_key(
            tx,
            account_id=key.account_id,
            key_hash=self._accounts.hash(secret),
            hint=secret[-4:],
            name=key.name,
            scopes=key.scopes,
            limits=key.limits,
            expires_at=key.expires_at,
            now=now,
        )
        assert key_id is not None  # noqa: S101 - 256 bits of chance
        return key_id


_NONE: Final = "no key {} that works; `unitask keys list` shows them"


def _check(name: str, scopes: Iterable[Scope], expires_at: int | None, now: int) -> None:
    if len(name) > _NAME_LENGTH:
        raise InvalidRequest(f"invalid request: a key's name has at most {_NAME_LENGTH} characters")
    if not set(scopes):
        raise InvalidRequest(f"invalid request: a key needs a scope; there are {', '.join(Scope)}")
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("invalid request: expires_at is in the past")
