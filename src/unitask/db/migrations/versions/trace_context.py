"""Which trace an order is part of, for whoever goes on with it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    op.add_column("tasks", sa.Column("trace", sa.String(600)))
