"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "shards",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sa.Column("cut", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "replicas",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "positions",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "manifests",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "workflows",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("truncated", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("left", sa.Integer, nullable=False),
        sa.Column("dead", sa.Integer, nullable=False),
        sa.Column("parked", sa.Integer, nullable=False),
        sa.Column("topology", sa.Text, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("event", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("known", sa.SmallInteger, nullable=False),
        sa.Column("absent", sa.Boolean, nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("given_by", sa.Integer),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("loose", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("at_topic", sa.Text),
        sa.Column("at_partition", sa.Integer),
        sa.Column("at_offset", sa.BigInteger),
    )
    op.create_table(
        "deliveries",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("delivery", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", sa.Integer),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("rank", sa.SmallInteger, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("behind", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("twin", sa.Boolean, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("slot", sa.Text),
        sa.Column("at_topic", sa.Text),
        sa.Column("at_partition", sa.Integer),
        sa.Column("at_offset", sa.BigInteger),
    )
    op.create_table(
        "attempts",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("delivery", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("finished", sa.Double, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("ending", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "groups",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("group", sa.Text, primary_key=True),
        sa.Column("sides", sa.Integer, nullable=False),
        sa.Column("present", sa.Integer, nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
    )
    op.create_table(
        "spreads",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("group", sa.Text, primary_key=True),
        sa.Column("given_by", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "step_minutes",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("completed", sa.BigInteger, nullable=False),
        sa.Column("retrying", sa.BigInteger, nullable=False),
        sa.Column("dead", sa.BigInteger, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "durations",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("seen", sa.Double, nullable=False),
    )
    op.create_index("workflows_started", "workflows", ["started"])
    op.create_index("workflows_status", "workflows", ["status", "started"])
    op.create_index("workflows_shard", "workflows", ["shard", "topology"])
    where = sa.text("given_by IS NULL")
    op.create_index("events_inputs", "events", ["id"], sqlite_where=where, postgresql_where=where)
    op.create_index("events_input_keys", "events", ["key", "type"], sqlite_where=where, postgresql_where=where)
    where = sa.text("state IN ('owed', 'retrying', 'parked', 'dead')")
    op.create_index("deliveries_left", "deliveries", ["step", "since"], sqlite_where=where, postgresql_where=where)
    where = sa.text("state = 'dead'")
    op.create_index("deliveries_dead", "deliveries", ["id"], sqlite_where=where, postgresql_where=where)
    where = sa.text("standing = 'open'")
    op.create_index("groups_open", "groups", ["since"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Projections are folded again, never taken back."""
    raise NotImplementedError("use another store: projections can be folded again")
