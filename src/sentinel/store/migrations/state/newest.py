"""Who did what is read from its end."""

from alembic import op

revision = "1.7"
down_revision = "1.6"


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("event_newest", "event", ["at"])
    op.create_index("ledger_newest", "ledger", ["at"])
