"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "1.0"
down_revision = None

UNSETTLED = sa.text("settled_at IS NULL")


def upgrade() -> None:
    """Make all tables."""
    incidents()
    outbox()
    others()


def incidents() -> None:
    """Make the projection of incidents, and their log."""
    op.create_table(
        "incident",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("ordinal", sa.BigInteger, nullable=False, unique=True),
        sa.Column("dedup", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("wake_at", sa.BigInteger),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
    )
    unfinished, waking = sa.text("closed_at IS NULL"), sa.text("wake_at IS NOT NULL")
    op.create_index(
        "incident_unfinished", "incident", ["ordinal"], sqlite_where=unfinished, postgresql_where=unfinished
    )
    op.create_index("incident_wake", "incident", ["wake_at"], sqlite_where=waking, postgresql_where=waking)
    op.create_index("incident_service", "incident", ["service", "ordinal"])
    op.create_table(
        "event",
        sa.Column("incident", sa.Text, sa.ForeignKey("incident.number", name="event_incident"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )


def outbox() -> None:
    """Make the table of what is owed."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("give_up_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["state", sa.text("urgency DESC"), "created_at", "due_at", "channel"],
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.create_index("outbox_next", "outbox", ["state", "due_at"], sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)
    op.create_index("outbox_incident", "outbox", ["incident", "created_at"])
    op.create_index("outbox_newest", "outbox", ["kind", "created_at"])


def others() -> None:
    """Make the plain tables."""
    op.create_table(
        "ticket",
        sa.Column("ordinal", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("highest", sa.BigInteger, nullable=False),
    )
