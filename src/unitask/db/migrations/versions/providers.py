"""For tasks that providers make: where they may go next, what is known of their jobs and costs, accounts' own keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

DOCUMENT = sa.JSON().with_variant(sa.Text(), "sqlite")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite")
ROUTED = sa.text("state = 'ready' and routes <> ''")


def upgrade() -> None:
    """Apply."""
    op.add_column("queue", sa.Column("routes", sa.String(2000), nullable=False, server_default=sa.text("''")))
    op.add_column("queue", sa.Column("remote", DOCUMENT))
    op.create_index("queue_routed", "queue", ["product", "engine"], postgresql_where=ROUTED, sqlite_where=ROUTED)
    op.add_column("tasks", sa.Column("cost_points", sa.BigInteger()))
    op.add_column("workers", sa.Column("providers", DOCUMENT, nullable=False, server_default=sa.text("'[]'")))
    op.create_table(
        "leftovers",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("remote", DOCUMENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "provider", name="leftovers_pkey"),
    )
    op.create_table(
        "credentials",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="credentials_account_id_fkey"),
        sa.PrimaryKeyConstraint("account_id", "provider", name="credentials_pkey"),
    )
