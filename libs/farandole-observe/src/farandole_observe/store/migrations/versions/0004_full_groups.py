"""What full groups owe is a row of `deliveries` too."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The workflows that have some are counted anew by whoever folds them next, which writes the rows."""
    op.execute("""
        UPDATE workflows SET topology = '' WHERE workflow IN (SELECT workflow FROM groups WHERE standing = 'owed')
    """)


def downgrade() -> None:
    """Projections are folded again, never taken back."""
    raise NotImplementedError("use another store: projections can be folded again")
