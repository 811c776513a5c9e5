"""The composition root: settings in, services out. The only module that knows them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from unitask.accounts.credentials import Credentials
from unitask.accounts.rate import Rate
from unitask.accounts.service import Accounts
from unitask.administration import demand
from unitask.administration.credit import Credit
from unitask.administration.keyring import KeyRing
from unitask.administration.providers import ProviderKeys
from unitask.administration.registry import Registry
from unitask.artifacts.buckets import Buckets
from unitask.artifacts.model import Bucket
from unitask.artifacts.s3 import S3Store
from unitask.artifacts.service import Artifacts, Keeping
from unitask.artifacts.store import LocalStore, Store
from unitask.artifacts.uploads import Uploads
from unitask.catalogue import Catalogue
from unitask.db import Database, open_database
from unitask.db.migrate import check
from unitask.kit.clock import Clock
from unitask.kit.errors import Unavailable
from unitask.kit.net import Guard
from unitask.provenance.signing import Signing
from unitask.routing import Routing
from unitask.settings import Settings
from unitask.spec.remote import Provider
from unitask.tasks.history import History
from unitask.tasks.housekeeping import Chores
from unitask.tasks.live import Live
from unitask.tasks.months import Months
from unitask.tasks.orders import Orders, OwnKeys
from unitask.tasks.service import Rules, Tasks
from unitask.webhooks.service import Webhooks
from unitask.weights import Shelf


@dataclass(frozen=True, slots=True)
class Services:
    """What the API, the command line and the housekeeping work with."""

    settings: Settings
    clock: Clock
    database: Database
    catalogue: Catalogue
    accounts: Accounts
    credentials: Credentials
    registry: Registry
    keyring: KeyRing
    provider_keys: ProviderKeys
    credit: Credit
    artifacts: Artifacts
    uploads: Uploads
    orders: Orders
    tasks: Tasks
    history: History
    live: Live
    months: Months
    guard: Guard
    webhooks: Webhooks
    providers: Mapping[str, Provider]
    signing: Signing

    @classmethod
    async def open(
        cls,
        settings: Settings,
        clock: Clock | None = None,
        *,
        catalogue: Catalogue | None = None,
        orders: type[Orders] = Orders,
    ) -> Self:
        """Open the database and build every service on it. Without a catalogue: all products, at the operator's prices.

        Raises:
            Unavailable: the database is away, or its schema is not this release's.

        """
        clock = clock or Clock()
        database = await _database(settings)
        await _follow(clock, database)
        guard = Guard(allow_private=settings.allow_private_networks)
        catalogue = catalogue or settings.products_here().priced(settings.price_list()).keeping(settings.keep_days)
        secret = settings.key_secret()
        credentials = Credentials(database, clock, secret)
        accounts = Accounts(database, clock, secret)
        buckets = Buckets(database, clock, open_store(settings), secret, guard)
        artifacts = Artifacts(database, clock, buckets, settings.base_url, _keeping(settings))
        tasks = Tasks(database=database, clock=clock, catalogue=catalogue, artifacts=artifacts, rules=_rules(settings))
        await tasks.open()
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            catalogue=catalogue,
            accounts=accounts,
            credentials=credentials,
            registry=Registry(database, clock),
            keyring=KeyRing(database, clock, accounts),
            provider_keys=ProviderKeys(database, clock, credentials),
            credit=Credit(database, clock),
            artifacts=artifacts,
            uploads=Uploads(database, clock, artifacts, settings.base_url, secret),
            orders=orders(
                catalogue=catalogue,
                artifacts=artifacts,
                guard=guard,
                clock=clock,
                shelf=Shelf(settings.models_folder),
                engines=frozenset(settings.engines) if settings.engines is not None else None,
                makers=tasks.claims.makers,
                own_keys=_own_keys(credentials, settings.routing()),
                deadline_us=settings.task_deadline_s * 1_000_000,
            ),
            tasks=tasks,
            history=History(database, catalogue),
            live=Live(tasks),
            months=Months(database, clock, settings.history_months, tasks.claims.vigil),
            guard=guard,
            webhooks=Webhooks(database, clock, guard, Rate().take),
            providers=settings.routing().providers,
            signing=_signing(settings, secret),
        )

    async def first_key(self) -> str | None:
        """Make the preset key, or a new one if there is none at all; None if there is nothing to show."""
        return await self.accounts.first_key(
            self.settings.api_key.get_secret_value() if self.settings.api_key else None
        )

    async def follow_clock(self) -> None:
        """Take the time from the database: several machines then agree on it, whatever happens to their own clocks."""
        await _follow(self.clock, self.database)

    def chores(self) -> Chores:
        """List what has to happen without anyone asking; see `unitask.tasks.housekeeping`."""
        return Chores(
            everywhere=(self.follow_clock, self.tasks.claims.follow, self.follow_clusters, self.accounts.note_use),
            by_one=(
                self.tasks.reap,
                self.tasks.reroute,
                self.tasks.promote_all,
                self.artifacts.sweep,
                self.artifacts.sweep_orphans,
                self.credit.expire,
                self.webhooks.sweep,
                self.tasks.forget,
                self.months.tend,
            ),
        )

    async def follow_clusters(self) -> None:
        """Learn what pools of workers make that may be empty, see `unitask.cluster`. Once a second."""
        seen = await demand.reports(self.database, self.clock.now_us())
        self.tasks.claims.makers.promise(demand.promised(seen, self.catalogue) if seen else ())

    async def close(self) -> None:
        """Let go of the database, and of accounts' own buckets."""
        await self.artifacts.buckets.close()
        await self.database.close()


async def _database(settings: Settings) -> Database:
    if wrong := await check(settings.database_direct):
        raise Unavailable(wrong)
    return await open_database(settings.database, settings.database_direct_url)


def _signing(settings: Settings, secret: str) -> Signing:
    """Find who signs; a certificate of the operator's is looked at now, when somebody reads what is wrong with it."""
    signing = Signing(secret, settings.mark_certificate, settings.mark_key)
    if signing.is_own:
        signing.signer()
    return signing


async def _follow(clock: Clock, database: Database) -> None:
    time_us = await database.now_us()
    if time_us is not None:
        clock.follow(time_us)


def _own_keys(credentials: Credentials, routing: Routing) -> OwnKeys:
    """Tell for which providers an account has a key of its own, of those that take one."""
    takers = frozenset(name for name, one in routing.providers.items() if one.takes_own_keys)

    async def own_keys(account_id: int) -> frozenset[str]:
        return takers & await credentials.providers(account_id)

    return own_keys


def open_store(settings: Settings) -> Store:
    """Open the place where files lie.

    Raises:
        Unavailable: its client is not installed, or it cannot be used as it is set.

    """
    if not settings.store:
        return LocalStore(settings.data / "files")
    bucket, _, prefix = settings.store.removeprefix("s3://").partition("/")
    place = Bucket(bucket, prefix, settings.s3_endpoint, settings.s3_region, settings.s3_access_key_id)
    return S3Store(place, settings.s3_secret_access_key.get_secret_value() if settings.s3_secret_access_key else None)


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        input_hours=settings.upload_hours,
        pin_limit_bytes=settings.pin_limit_bytes,
        upload_limit_bytes=settings.upload_limit_bytes,
    )


def _rules(settings: Settings) -> Rules:
    return Rules(
        max_attempts=settings.max_attempts,
        staged_limit=settings.staged_limit,
        lease_s=settings.lease_s,
        deadline_s=settings.task_deadline_s,
    )
