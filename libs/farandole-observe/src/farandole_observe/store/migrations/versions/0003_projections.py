"""What is kept of the projections that users declare, and their snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "projections",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("declared", sa.Text, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sa.Column("cut", sa.BigInteger, nullable=False),
        sa.Column("unread", sa.BigInteger, nullable=False),
        sa.Column("stopped", sa.Text, nullable=False),
    )
    op.create_table(
        "projection_positions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
    )
    op.create_table(
        "projection_snapshots",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("declared", sa.Text, nullable=False),
        sa.Column("taken", sa.Double, nullable=False),
        sa.Column("cut", sa.BigInteger, nullable=False),
        sa.Column("unread", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "projection_snapshot_positions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
    )
    op.create_table(
        "projection_snapshot_rows",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Projections are folded again, never taken back."""
    raise NotImplementedError("use another store: projections can be folded again")
