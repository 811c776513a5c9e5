"""Which store a file lies in: the installation's, or the own bucket of its account."""

from dataclasses import asdict
from typing import Final

import orjson

from unitask.artifacts.model import Bucket, Owned, new_name
from unitask.artifacts.s3 import S3Store
from unitask.artifacts.store import Store, trouble
from unitask.db import Database, Queries, Row, Transaction
from unitask.kit.clock import DAY_US, Clock
from unitask.kit.errors import InvalidRequest, Unavailable
from unitask.kit.net import Guard, Refused, Unreachable
from unitask.kit.seal import Broken, Seal
from unitask.kit.tunnel import Tunnel

SQL = Queries(__package__)
SEALED_AS: Final = b"unitask bucket secrets"
"""The purpose under which secrets are encrypted here, see `unitask.kit.seal`."""
_OPENED: Final = 100


class Buckets:
    """Own buckets of accounts. Rows never change, so that old files are found in the bucket they were put in.

    The secret of a bucket is encrypted under the installation's secret: a stolen database opens none. A bucket's
    server was named by a stranger, so that it is reached through the guard alone.
    """

    def __init__(self, database: Database, clock: Clock, own: Store, secret: str, guard: Guard) -> None:
        self._database = database
        self._clock = clock
        self.own = own
        self._seal = Seal(secret, SEALED_AS)
        self._guard = guard
        self._tunnel = Tunnel(guard)
        self._opened: dict[int, Store] = {}

    async def of_account(self, account_id: int) -> tuple[int | None, Store]:
        """Find where new outputs of an account go; without a number it is the installation's store."""
        rows = await self._database.fetch(SQL.account_bucket, account_id=account_id)
        return (rows[0]["id"], await self._open(rows[0])) if rows else (None, self.own)

    async def store(self, bucket_id: int | None) -> Store:
        """Open the store that a file lies in.

        Raises:
            Unavailable: its secret cannot be read any more.

        """
        if bucket_id is None:
            return self.own
        if bucket_id not in self._opened:
            rows = await self._database.fetch(SQL.read_bucket, id=bucket_id)
            if not rows:
                raise Unavailable("the bucket of this file is not known any more")
            return await self._open(rows[0])
        return self._opened[bucket_id]

    async def shown(self, account_id: int) -> Owned | None:
        """Read what may be shown of an account's own bucket."""
        rows = await self._database.fetch(SQL.account_bucket, account_id=account_id)
        return Owned(_place(rows[0]), rows[0]["created_at"]) if rows else None

    async def give(self, account_id: int, place: Bucket, secret: str) -> None:
        """Let new outputs of an account go to its own bucket; files that are elsewhere stay there.

        Raises:
            InvalidRequest: the address is not allowed, or a file cannot be written, read and deleted there.

        """
        if place.endpoint.startswith("http://") and not self._guard.allow_private:
            raise InvalidRequest("invalid request: endpoint: it must begin with https://")
        try:
            await (await self._guard.connect(place.address)).aclose()
            wrong = await trouble(await self._reached(place, secret), new_name("txt", self._clock.now_us()))
        except (Refused, Unreachable) as error:
            raise InvalidRequest(f"invalid request: endpoint: {error}") from error
        if wrong:
            raise InvalidRequest(f"invalid request: the bucket cannot be used: {wrong}")
        now = self._clock.now_us()
        document = orjson.dumps(asdict(place)).decode()
        sealed = self._seal.close(secret)

        async def work(tx: Transaction) -> None:
            await tx.execute(SQL.retire_buckets, account_id=account_id, now=now)
            await tx.execute(SQL.add_bucket, account_id=account_id, place=document, secret=sealed, now=now)

        await self._database.write(work)

    async def take_back(self, account_id: int) -> None:
        """Let new outputs of an account go to the installation's store again; files in the bucket stay there."""
        now = self._clock.now_us()
        await self._database.write(lambda tx: tx.execute(SQL.retire_buckets, account_id=account_id, now=now))

    async def forget(self, tx: Transaction, *, now: int, most: int) -> None:
        """Forget some buckets that were taken back and hold no file of ours any more, with their secrets."""
        until = now - DAY_US  # after that, no upload is still on its way
        await tx.execute(SQL.forget_buckets, until=until, most=most)

    async def close(self) -> None:
        """End all connections to buckets."""
        await self._tunnel.close()

    async def _open(self, row: Row) -> Store:
        number: int = row["id"]
        if number not in self._opened:
            store = await self._reached(_place(row), self._unsealed(row["secret"]))
            while len(self._opened) >= _OPENED:
                self._opened.pop(next(iter(self._opened)))
            self._opened[number] = store
        return self._opened[number]

    async def _reached(self, place: Bucket, secret: str) -> Store:
        # A plain address is for development alone, and goes without the proxy, which is for TLS.
        proxy = None if place.endpoint.startswith("http://") else await self._tunnel.address()
        return S3Store(place, secret, proxy)

    def _unsealed(self, sealed: str) -> str:
        try:
            return self._seal.open(sealed)
        except Broken:
            raise Unavailable(
                "the bucket's secret cannot be read: UNITASK_SECRET has changed since it was set; set the bucket again"
            ) from None


def _place(row: Row) -> Bucket:
    return Bucket(**orjson.loads(row["place"]))
