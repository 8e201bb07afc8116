"""How many facts were not understood."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What was folded before was not counted; fold anew to know."""
    op.add_column("shards", sa.Column("unknown", sa.BigInteger, nullable=False, server_default="0"))
