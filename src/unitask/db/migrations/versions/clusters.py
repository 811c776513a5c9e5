"""What controllers of workers on Ray say of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "clusters",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("report", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.02},
    )
