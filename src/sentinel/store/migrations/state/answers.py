"""Answers that are given again when a request is repeated."""

import sqlalchemy as sa
from alembic import op

revision = "1.4"
down_revision = "1.3"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "answer",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    op.create_index("answer_oldest", "answer", ["at"])
