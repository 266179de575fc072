"""How each day of a target went, counted when its hours are packed: the bars of the pages need no samples."""

import sqlalchemy as sa
from alembic import op

revision = "1.2"
down_revision = "1.1"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sample_day",
        sa.Column("series", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
