"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# What the operator finds at first, and may change. An account on the plan without limits is a private team's.
PLANS = """insert into plans (name, limits, updated_at) values
  ('open', '{}', 0),
  ('free', '{"concurrent_tasks": 2, "requests_per_minute": 60}', 0),
  ('creator', '{"concurrent_tasks": 10, "requests_per_minute": 300}', 0),
  ('pro', '{"concurrent_tasks": 30, "requests_per_minute": 1200}', 0)"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "plans",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("limits", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="plans_pkey"),
    )
    op.execute(PLANS)
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("detail", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_pkey"),
    )
    with op.batch_alter_table("audit") as batch_op:
        batch_op.create_index("audit_account", ["account_id", "id"], unique=False)

    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column(
            "limits", sa.JSON().with_variant(sa.Text(), "sqlite"), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("unlimited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("available_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("used_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent_day", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent", sa.JSON().with_variant(sa.Text(), "sqlite"), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("active_tasks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("staged_tasks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "active", sa.JSON().with_variant(sa.Text(), "sqlite"), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "last_turns", sa.JSON().with_variant(sa.Text(), "sqlite"), server_default=sa.text("'{}'"), nullable=False
        ),
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
    op.create_table(
        "credit_packs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
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
    with op.batch_alter_table("credit_packs") as batch_op:
        batch_op.create_index(
            "credit_packs_expiry",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("remaining > 0"),
            sqlite_where=sa.text("remaining > 0"),
        )

    op.create_table(
        "artifacts",
        sa.Column("id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bucket_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("remove_at", sa.BigInteger(), nullable=True),
        sa.Column("remove_tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="artifacts_pkey"),
        sa.UniqueConstraint("path", name="artifacts_path_key"),
    )
    with op.batch_alter_table("artifacts") as batch_op:
        batch_op.create_index("artifacts_account", ["account_id", "id"], unique=False)
        batch_op.create_index(
            "artifacts_bucket",
            ["bucket_id"],
            unique=False,
            postgresql_where=sa.text("bucket_id is not null"),
            sqlite_where=sa.text("bucket_id is not null"),
        )
        batch_op.create_index(
            "artifacts_expiry",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("remove_at is null and not pinned"),
            sqlite_where=sa.text("remove_at is null and not pinned"),
        )
        batch_op.create_index(
            "artifacts_pinned",
            ["account_id"],
            unique=False,
            postgresql_where=sa.text("pinned"),
            sqlite_where=sa.text("pinned"),
        )
        batch_op.create_index(
            "artifacts_removal",
            ["remove_at"],
            unique=False,
            postgresql_where=sa.text("remove_at is not null"),
            sqlite_where=sa.text("remove_at is not null"),
        )
        batch_op.create_index("artifacts_task", ["task_id"], unique=False)

    op.create_table(
        "buckets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="buckets_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="buckets_pkey"),
    )
    with op.batch_alter_table("buckets") as batch_op:
        batch_op.create_index("buckets_account", ["account_id", "retired_at"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("secret", sa.String(length=512), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=16), server_default=sa.text("'owed'"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("last_reason", sa.String(length=300), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="deliveries_pkey"),
        sa.UniqueConstraint("task_id", "event", name="deliveries_task_id_event_key"),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )
    with op.batch_alter_table("deliveries") as batch_op:
        batch_op.create_index("deliveries_account", ["account_id", "id"], unique=False)
        batch_op.create_index(
            "deliveries_late",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("state = 'owed'"),
            sqlite_where=sa.text("state = 'owed'"),
        )
        batch_op.create_index(
            "deliveries_owed",
            ["host", "next_at"],
            unique=False,
            postgresql_where=sa.text("state = 'owed'"),
            sqlite_where=sa.text("state = 'owed'"),
        )

    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
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
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "hash", name="endpoints_pkey"),
    )
    with op.batch_alter_table("endpoints") as batch_op:
        batch_op.create_index("endpoints_failed", ["failed_at"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name="idempotency_pkey"),
    )
    with op.batch_alter_table("idempotency") as batch_op:
        batch_op.create_index("idempotency_expiry", ["expires_at"], unique=False)

    op.create_table(
        "turns",
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("engine", name="turns_pkey"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pkey"),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=True),
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
    with op.batch_alter_table("ledger") as batch_op:
        batch_op.create_index("ledger_account", ["account_id", "created_at", "id"], unique=False)

    op.create_table(
        "queue",
        sa.Column("task_id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("product", sa.String(length=401), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("given_back", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("price_points", sa.BigInteger(), nullable=False),
        sa.Column("has_webhook", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("progress", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("note", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        sa.Column("attempt_deadline", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="queue_pkey"),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
    )
    with op.batch_alter_table("queue") as batch_op:
        batch_op.create_index("queue_deadline", ["deadline"], unique=False)
        batch_op.create_index(
            "queue_processing",
            ["worker_id"],
            unique=False,
            postgresql_where=sa.text("state = 'processing'"),
            sqlite_where=sa.text("state = 'processing'"),
        )
        batch_op.create_index(
            "queue_ready",
            ["engine", "product", "turn", "task_id"],
            unique=False,
            postgresql_where=sa.text("state = 'ready'"),
            sqlite_where=sa.text("state = 'ready'"),
        )
        batch_op.create_index(
            "queue_staged",
            ["account_id", "task_id"],
            unique=False,
            postgresql_where=sa.text("state = 'staged'"),
            sqlite_where=sa.text("state = 'staged'"),
        )

    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("task_type", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("input", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("config", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("output", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("error", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("warnings", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("logs", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("engine", sa.String(length=64), nullable=True),
        sa.Column("engine_level", sa.String(length=16), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("price_points", sa.BigInteger(), nullable=False),
        sa.Column("charged_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="tasks_pkey"),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.create_index("tasks_account", ["account_id", "id"], unique=False)

    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("engines", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="workers_pkey"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column(
            "limits", sa.JSON().with_variant(sa.Text(), "sqlite"), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("replaced_until", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="api_keys_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("key_hash", name="api_keys_key_hash_key"),
    )
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.create_index("api_keys_account", ["account_id"], unique=False)
