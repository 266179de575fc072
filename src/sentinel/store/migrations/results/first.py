"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "1.0"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "probe_state",
        sa.Column("probe", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("track", sa.LargeBinary, nullable=False),
        sa.Column("last", sa.Text, nullable=False),
    )
    op.create_table(
        "probe_event",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ok", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
    )
    op.create_index("probe_event_newest", "probe_event", ["probe", "at"])
    samples()


def samples() -> None:
    """Make the tables of samples, fresh and packed."""
    op.create_table(
        "series",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
    )
    op.create_index("series_names", "series", ["probe", "target"], unique=True)
    op.create_table(
        "sample_tail",
        sa.Column("series", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ok", sa.Boolean, nullable=False),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sample_chunk",
        sa.Column("series", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("sample_chunk_hour", "sample_chunk", ["hour"])
