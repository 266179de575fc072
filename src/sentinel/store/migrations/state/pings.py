"""All that is known of a heartbeat, in one column."""

import sqlalchemy as sa
from alembic import op

revision = "1.5"
down_revision = "1.4"


def upgrade() -> None:
    """Add the column."""
    op.add_column("heartbeat", sa.Column("body", sa.Text, nullable=False, server_default=""))
