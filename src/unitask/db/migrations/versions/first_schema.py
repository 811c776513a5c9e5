"""The first schema, a function for each domain."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(sa.Text(), "sqlite")
ID = sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite")
EMPTY, ZERO, FALSE = sa.text("'{}'"), sa.text("0"), sa.text("false")

# What the operator finds at first, and may change. An account on the plan without limits is a private team's.
PLANS = """insert into plans (name, limits, updated_at) values
  ('open', '{}', 0),
  ('free', '{"concurrent_tasks": 2, "requests_per_minute": 60}', 0),
  ('creator', '{"concurrent_tasks": 10, "requests_per_minute": 300}', 0),
  ('pro', '{"concurrent_tasks": 30, "requests_per_minute": 1200}', 0)"""


def upgrade() -> None:
    """Apply."""
    _accounts()
    _keys()
    _money()
    _tasks()
    _queue()
    _artifacts()
    _webhooks()


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    some = sa.text(where) if where else None
    op.create_index(name, table, columns, postgresql_where=some, sqlite_where=some)


def _accounts() -> None:
    """Hold who orders, and what they may."""
    op.create_table(
        "plans",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("limits", DOCUMENT, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="plans_pkey"),
    )
    op.execute(PLANS)
    op.create_table(
        "accounts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("limits", DOCUMENT, server_default=EMPTY, nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("unlimited", sa.Boolean(), server_default=FALSE, nullable=False),
        sa.Column("available_points", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("held_points", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("used_points", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("spent_day", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("spent", DOCUMENT, server_default=EMPTY, nullable=False),
        sa.Column("active_tasks", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("staged_tasks", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("active", DOCUMENT, server_default=EMPTY, nullable=False),
        sa.Column("last_turns", DOCUMENT, server_default=EMPTY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("active_tasks >= 0 and staged_tasks >= 0", name="accounts_tasks"),
        sa.CheckConstraint("held_points >= 0", name="accounts_held"),
        sa.CheckConstraint("unlimited or available_points >= 0", name="accounts_available"),
        sa.ForeignKeyConstraint(["plan"], ["plans.name"], name="accounts_plan_fkey"),
        sa.PrimaryKeyConstraint("id", name="accounts_pkey"),
        sa.UniqueConstraint("name", name="accounts_name_key"),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.02},
    )


def _keys() -> None:
    """Hold what opens accounts, and who decided what about them."""
    op.create_table(
        "api_keys",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("limits", DOCUMENT, server_default=EMPTY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("replaced_until", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="api_keys_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("key_hash", name="api_keys_key_hash_key"),
    )
    _index("api_keys_account", "api_keys", ["account_id"])
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("account_id", NUMBER, nullable=True),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_pkey"),
    )
    _index("audit_account", "audit", ["account_id", "id"])


def _money() -> None:
    """Hold what was paid and used."""
    op.create_table(
        "credit_packs",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("reason", sa.String(length=500), server_default=sa.text("''"), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "remaining >= 0 and expired >= 0 and remaining + expired <= capacity", name="credit_packs_points"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="credit_packs_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="credit_packs_pkey"),
        sa.UniqueConstraint("account_id", "reference", name="credit_packs_account_id_reference_key"),
    )
    _index("credit_packs_expiry", "credit_packs", ["expires_at"], "remaining > 0")
    op.create_table(
        "ledger",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("debit", sa.String(length=16), nullable=False),
        sa.Column("credit", sa.String(length=16), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("points >= 0", name="ledger_points"),
        sa.PrimaryKeyConstraint("id", name="ledger_pkey"),
        sa.UniqueConstraint("task_id", "kind", name="ledger_task_id_kind_key"),
    )
    _index("ledger_account", "ledger", ["account_id", "created_at", "id"])
    op.create_table(
        "usage",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(length=401), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day", "product", name="usage_pkey"),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )


def _tasks() -> None:
    """Hold what was ordered, and which requests may be repeated."""
    op.create_table(
        "tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("api_key_id", NUMBER, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("task_type", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("input", DOCUMENT, nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("output", DOCUMENT, nullable=True),
        sa.Column("error", DOCUMENT, nullable=True),
        sa.Column("warnings", DOCUMENT, nullable=False),
        sa.Column("logs", DOCUMENT, nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=True),
        sa.Column("engine_level", sa.String(length=16), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("price_points", sa.BigInteger(), nullable=False),
        sa.Column("charged_points", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("timings", DOCUMENT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="tasks_pkey"),
        postgresql_with={"fillfactor": 80},
    )
    _index("tasks_account", "tasks", ["account_id", "id"])
    op.create_table(
        "idempotency",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name="idempotency_pkey"),
    )
    _index("idempotency_expiry", "idempotency", ["expires_at"])


def _queue() -> None:
    """Hold what waits and runs, whose turn it is, and who holds what."""
    op.create_table(
        "queue",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("api_key_id", NUMBER, nullable=False),
        sa.Column("product", sa.String(length=401), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("given_back", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("price_points", sa.BigInteger(), nullable=False),
        sa.Column("has_webhook", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=FALSE, nullable=False),
        sa.Column("progress", sa.Float(), server_default=ZERO, nullable=False),
        sa.Column("note", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("attempt_deadline", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="queue_pkey"),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )
    _index("queue_deadline", "queue", ["deadline"])
    _index("queue_processing", "queue", ["worker_id"], "state = 'processing'")
    _index("queue_ready", "queue", ["engine", "product", "turn", "task_id"], "state = 'ready'")
    _index("queue_staged", "queue", ["account_id", "task_id"], "state = 'staged'")
    op.create_table(
        "turns",
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("engine", name="turns_pkey"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("engines", DOCUMENT, nullable=False),
        sa.Column("devices", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="workers_pkey"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pkey"),
    )


def _artifacts() -> None:
    """Hold where files lie, and the buckets of accounts."""
    op.create_table(
        "artifacts",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bucket_id", NUMBER, nullable=True),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("pinned", sa.Boolean(), server_default=FALSE, nullable=False),
        sa.Column("remove_at", sa.BigInteger(), nullable=True),
        sa.Column("remove_tries", sa.Integer(), server_default=ZERO, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artifacts_pkey"),
        sa.UniqueConstraint("path", name="artifacts_path_key"),
    )
    _index("artifacts_account", "artifacts", ["account_id", "id"])
    _index("artifacts_bucket", "artifacts", ["bucket_id"], "bucket_id is not null")
    _index("artifacts_expiry", "artifacts", ["expires_at"], "remove_at is null and not pinned")
    _index("artifacts_pinned", "artifacts", ["account_id"], "pinned")
    _index("artifacts_removal", "artifacts", ["remove_at"], "remove_at is not null")
    _index("artifacts_task", "artifacts", ["task_id"])
    op.create_table(
        "buckets",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("place", DOCUMENT, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="buckets_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="buckets_pkey"),
    )
    _index("buckets_account", "buckets", ["account_id", "retired_at"])


def _webhooks() -> None:
    """Hold what receivers are owed, what was tried, and which of them fail."""
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("secret", sa.String(length=512), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=16), server_default=sa.text("'owed'"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("sent", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("last_reason", sa.String(length=300), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="deliveries_pkey"),
        sa.UniqueConstraint("task_id", "event", name="deliveries_task_id_event_key"),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )
    _index("deliveries_account", "deliveries", ["account_id", "id"])
    _index("deliveries_late", "deliveries", ["due_at"], "state = 'owed'")
    _index("deliveries_owed", "deliveries", ["host", "next_at"], "state = 'owed'")
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="delivery_attempts_pkey"),
    )
    op.create_table(
        "endpoints",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "hash", name="endpoints_pkey"),
    )
    _index("endpoints_failed", "endpoints", ["failed_at"])
