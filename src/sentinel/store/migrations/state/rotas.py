"""What people put over the turns of rotas."""

import sqlalchemy as sa
from alembic import op

revision = "1.1"
down_revision = "1.0"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "rota_entry",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("rota", sa.Text, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
