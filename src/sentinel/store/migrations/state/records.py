"""What doors keep of their own."""

import sqlalchemy as sa
from alembic import op

revision = "1.6"
down_revision = "1.5"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "record",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
