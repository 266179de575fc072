"""The newest sample of each target, written now and then, so that a start need not look for them."""

import sqlalchemy as sa
from alembic import op

revision = "1.1"
down_revision = "1.0"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sample_newest",
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
