"""The schema, once for both databases.

Times are microseconds since the epoch, money is points, documents are JSON text. Read by migrations and tests only: hot
statements are hand-written text in each domain's `queries.sql`.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)

_Number = BigInteger().with_variant(Integer, "sqlite")
_Id = Uuid(as_uuid=False).with_variant(Text, "sqlite")
_Document = JSON().with_variant(Text, "sqlite")


def _narrow(fill: int) -> dict[str, Any]:
    """Leave room in each page, so that updates stay in their page and dead rows go without a vacuum."""
    return {"postgresql_with": {"fillfactor": fill, "autovacuum_vacuum_scale_factor": 0.02}}


plans = Table(
    "plans",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("limits", _Document, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("plan", String(64), ForeignKey("plans.name"), nullable=False),
    Column("limits", _Document, nullable=False, server_default=text("'{}'")),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("unlimited", Boolean, nullable=False, server_default=text("false")),
    Column("available_points", BigInteger, nullable=False, server_default=text("0")),
    Column("held_points", BigInteger, nullable=False, server_default=text("0")),
    Column("used_points", BigInteger, nullable=False, server_default=text("0")),
    Column("spent_day", Integer, nullable=False, server_default=text("0")),
    Column("spent", _Document, nullable=False, server_default=text("'{}'")),
    Column("active_tasks", Integer, nullable=False, server_default=text("0")),
    Column("staged_tasks", Integer, nullable=False, server_default=text("0")),
    Column("active", _Document, nullable=False, server_default=text("'{}'")),
    Column("last_turns", _Document, nullable=False, server_default=text("'{}'")),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("unlimited or available_points >= 0", name="available"),
    CheckConstraint("held_points >= 0", name="held"),
    CheckConstraint("active_tasks >= 0 and staged_tasks >= 0", name="tasks"),
    **_narrow(50),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account_id", _Number, ForeignKey("accounts.id"), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("limits", _Document, nullable=False, server_default=text("'{}'")),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("replaced_until", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Index("api_keys_account", "account_id"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account_id", _Number, nullable=False),
    Column("api_key_id", _Number, nullable=False),
    Column("model", String(200), nullable=False),
    Column("task_type", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("input", _Document, nullable=False),
    Column("config", _Document, nullable=False),
    Column("output", _Document),
    Column("error", _Document),
    Column("warnings", _Document, nullable=False),
    Column("logs", _Document, nullable=False),
    Column("engine", String(64)),
    Column("engine_level", String(16)),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("price_points", BigInteger, nullable=False),
    Column("charged_points", BigInteger, nullable=False, server_default=text("0")),
    Column("timings", _Document),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("cost_points", BigInteger),
    Column("trace", String(600)),
    Index("tasks_account", "account_id", "id"),
    postgresql_partition_by="range (id)",
)

_ready = text("state = 'ready'")
_routed = text("state = 'ready' and routes <> ''")
_staged = text("state = 'staged'")
_processing = text("state = 'processing'")

queue = Table(
    "queue",
    metadata,
    Column("task_id", _Id, primary_key=True),
    Column("account_id", _Number, nullable=False),
    Column("api_key_id", _Number, nullable=False),
    Column("product", String(401), nullable=False),
    Column("family", String(64), nullable=False),
    Column("engine", String(64), nullable=False),
    Column("turn", BigInteger, nullable=False, server_default=text("0")),
    Column("state", String(10), nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("given_back", Integer, nullable=False, server_default=text("0")),
    Column("worker_id", String(64)),
    Column("price_points", BigInteger, nullable=False),
    Column("has_webhook", Boolean, nullable=False),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("progress", Float, nullable=False, server_default=text("0")),
    Column("note", String(200), nullable=False, server_default=text("''")),
    Column("attempt_deadline", BigInteger),
    Column("deadline", BigInteger, nullable=False),
    Column("routes", String(2000), nullable=False, server_default=text("''")),
    Column("remote", _Document),
    Index("queue_ready", "engine", "product", "turn", "task_id", postgresql_where=_ready, sqlite_where=_ready),
    Index("queue_routed", "product", "engine", postgresql_where=_routed, sqlite_where=_routed),
    Index("queue_staged", "account_id", "task_id", postgresql_where=_staged, sqlite_where=_staged),
    Index("queue_processing", "worker_id", postgresql_where=_processing, sqlite_where=_processing),
    Index("queue_deadline", "deadline"),
    **_narrow(70),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("engines", _Document, nullable=False),
    Column("devices", _Document, nullable=False, server_default=text("'[]'")),
    Column("memory", _Document, nullable=False, server_default=text("'{}'")),
    Column("makes", _Document),
    Column("loaded", _Document, nullable=False, server_default=text("'[]'")),
    Column("announced_at", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("providers", _Document, nullable=False, server_default=text("'[]'")),
)

# Jobs of providers whose tasks ended or went elsewhere without them: they are to be cancelled there.
leftovers = Table(
    "leftovers",
    metadata,
    Column("task_id", _Id, primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("account_id", _Number, nullable=False),
    Column("remote", _Document, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account_id", _Number, nullable=False),
    Column("task_id", _Id),
    Column("kind", String(16), nullable=False),
    Column("debit", String(16), nullable=False),
    Column("credit", String(16), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("reason", String(500), nullable=False, server_default=text("''")),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("task_id", "kind"),
    CheckConstraint("points >= 0", name="points"),
    Index("ledger_account", "account_id", "created_at", "id"),
)

# What ended on a day, so that nobody has to walk all tasks to draw a chart of them.
usage = Table(
    "usage",
    metadata,
    Column("account_id", _Number, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("product", String(401), primary_key=True),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("points", BigInteger, nullable=False),
    **_narrow(70),
)

_open = text("remaining > 0")

credit_packs = Table(
    "credit_packs",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account_id", _Number, ForeignKey("accounts.id"), nullable=False),
    Column("capacity", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("expired", BigInteger, nullable=False, server_default=text("0")),
    Column("reason", String(500), nullable=False, server_default=text("''")),
    Column("reference", String(200)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    UniqueConstraint("account_id", "reference"),
    CheckConstraint("remaining >= 0 and expired >= 0 and remaining + expired <= capacity", name="points"),
    Index("credit_packs_expiry", "expires_at", postgresql_where=_open, sqlite_where=_open),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("actor", String(200), nullable=False),
    Column("action", String(64), nullable=False),
    Column("account_id", _Number),
    Column("detail", _Document, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("audit_account", "account_id", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", _Number, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("task_id", _Id, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("idempotency_expiry", "expires_at"),
)

buckets = Table(
    "buckets",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("account_id", _Number, ForeignKey("accounts.id"), nullable=False),
    Column("place", _Document, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Index("buckets_account", "account_id", "retired_at"),
)

# Keys for providers that accounts bring themselves, encrypted under the installation's secret.
credentials = Table(
    "credentials",
    metadata,
    Column("account_id", _Number, ForeignKey("accounts.id"), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("hint", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

_kept = text("remove_at is null and not pinned")
_given_up = text("remove_at is not null")
_pinned = text("pinned")
_in_bucket = text("bucket_id is not null")

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account_id", _Number, nullable=False),
    Column("task_id", _Id),
    Column("attempt", Integer),
    Column("kind", String(16), nullable=False),
    Column("bucket_id", _Number),
    Column("path", String(300), nullable=False, unique=True),
    Column("content_type", String(100), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("published_at", BigInteger),
    Column("pinned", Boolean, nullable=False, server_default=text("false")),
    Column("remove_at", BigInteger),
    Column("remove_tries", Integer, nullable=False, server_default=text("0")),
    Index("artifacts_account", "account_id", "id"),
    Index("artifacts_bucket", "bucket_id", postgresql_where=_in_bucket, sqlite_where=_in_bucket),
    Index("artifacts_expiry", "expires_at", postgresql_where=_kept, sqlite_where=_kept),
    Index("artifacts_pinned", "account_id", postgresql_where=_pinned, sqlite_where=_pinned),
    Index("artifacts_removal", "remove_at", postgresql_where=_given_up, sqlite_where=_given_up),
    Index("artifacts_task", "task_id"),
)

_owed = text("state = 'owed'")

# `tries` counts the attempts of the current schedule, which begins at `due_at`; `sent` counts all that ever were.
# `next_at` of an owed delivery that a process has claimed is when its claim runs out.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account_id", _Number, nullable=False),
    Column("task_id", _Id, nullable=False),
    Column("event", String(32), nullable=False),
    Column("endpoint", String(2048), nullable=False),
    Column("secret", String(512), nullable=False),
    Column("host", String(300), nullable=False),
    Column("state", String(16), nullable=False, server_default=text("'owed'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("sent", Integer, nullable=False, server_default=text("0")),
    Column("due_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("last_reason", String(300), nullable=False, server_default=text("''")),
    UniqueConstraint("task_id", "event"),
    Index("deliveries_account", "account_id", "id"),
    Index("deliveries_late", "due_at", postgresql_where=_owed, sqlite_where=_owed),
    Index("deliveries_owed", "host", "next_at", postgresql_where=_owed, sqlite_where=_owed),
    **_narrow(70),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", _Id, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("reason", String(300), nullable=False),
    Column("answer", Text, nullable=False),
)

# Endpoints that fail; one that answers well has no row. `hash`: an address is too long for an index.
endpoints = Table(
    "endpoints",
    metadata,
    Column("account_id", _Number, primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("endpoint", String(2048), nullable=False),
    Column("failing_since", BigInteger, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Index("endpoints_failed", "failed_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("engine", String(64), primary_key=True),
    Column("turn", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
)

# What controllers of workers on Ray say of themselves; a row that is not renewed is not shown, and goes.
clusters = Table(
    "clusters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("report", _Document, nullable=False),
    Column("reported_at", BigInteger, nullable=False),
    **_narrow(50),
)

# One row: the oldest schema whose releases still work on this one, see docs/guide/scaling.md.
compatibility = Table("compatibility", metadata, Column("oldest", String(4), nullable=False))
