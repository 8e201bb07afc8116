"""The tables of the workflow projection, and what is kept of those that users declare beside their own tables.

Times are seconds since the epoch, UTC. A workflow's events and deliveries are numbered as they became known; the
numbers mean nothing outside of these tables. `at_…`: the place of a record in the log. What is here can be deleted
and folded again from the log.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()


def _place() -> list[Column[object]]:
    return [Column("at_topic", Text), Column("at_partition", Integer), Column("at_offset", BigInteger)]


shards = Table(
    "shards",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),  # the number of the journal's partition
    Column("epoch", BigInteger, nullable=False),  # one more each time that another takes the shard
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),  # it is the owner's until then, and longer while nobody else wants it
    Column("seen", Double, nullable=False),  # when nothing of the log was left to be folded in
    Column("cut", BigInteger, nullable=False),  # offsets of the log that were gone before they were folded
    Column("unknown", BigInteger, nullable=False),  # facts that were not understood
)
replicas = Table(
    "replicas",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", Double, nullable=False),  # it is alive until then
)
positions = Table(
    "positions",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),  # the first offset that is not in the tables
)
manifests = Table(
    "manifests",
    metadata,
    Column("service", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("body", Text, nullable=False),  # JSON, as published
)
workflows = Table(
    "workflows",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("shard", Integer, nullable=False),
    Column("status", Text, nullable=False),  # as if nothing parked moved: that another workflow's dead letter decides
    Column("started", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("counted", Integer, nullable=False),  # events that count; with 0 nothing is known of it yet
    Column("done", Integer, nullable=False),  # deliveries
    Column("left", Integer, nullable=False),
    Column("dead", Integer, nullable=False),
    Column("parked", Integer, nullable=False),
    Column("topology", Text, nullable=False),  # digest of what was declared when the counts were made
    Column("events", Integer, nullable=False),  # numbers given so far
    Column("deliveries", Integer, nullable=False),
    Index("workflows_started", "started"),
    Index("workflows_status", "status", "started"),
    Index("workflows_shard", "shard", "topology"),
)
events = Table(
    "events",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("event", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("type", Text, nullable=False),  # with its version; empty while only an absence is known of
    Column("key", Text),
    Column("time", Double, nullable=False),
    Column("known", SmallInteger, nullable=False),  # 0 by a delivery of it, 1 by its record, 2 by its producer
    Column("absent", Boolean, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("scope", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("given_by", Integer),  # the delivery that published it
    Column("line", Integer, nullable=False),  # its place in causal order, -1 of what no fact explains
    Column("loose", Boolean, nullable=False),  # nobody takes it, though it is not final
    Column("counted", Boolean, nullable=False),
    *_place(),
)
Index("events_inputs", events.c.id, sqlite_where=text("given_by IS NULL"), postgresql_where=text("given_by IS NULL"))
Index(
    "events_input_keys",
    events.c.key,
    events.c.type,
    sqlite_where=text("given_by IS NULL"),
    postgresql_where=text("given_by IS NULL"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("delivery", Integer, primary_key=True, autoincrement=False),
    Column("event", Integer),  # null: of a group
    Column("key", Text, nullable=False),  # the step, with what tells a further delivery of the same event apart
    Column("step", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("told", Boolean, nullable=False),  # a fact names it; not: it is owed
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("since", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("error", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("behind", Text, nullable=False),
    Column("partition", Integer),
    Column("id", Text, nullable=False),
    Column("twin", Boolean, nullable=False),
    Column("group", Text, nullable=False),
    Column("slot", Text),  # JSON: which slot of which group a held event fills
    *_place(),
)
_LEFT = "state IN ('owed', 'retrying', 'parked', 'dead')"
Index("deliveries_left", deliveries.c.step, deliveries.c.since, sqlite_where=text(_LEFT), postgresql_where=text(_LEFT))
Index(
    "deliveries_dead",
    deliveries.c.id,
    sqlite_where=text("state = 'dead'"),
    postgresql_where=text("state = 'dead'"),
)
attempts = Table(
    "attempts",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("delivery", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0, 1, … in the order of their ends
    Column("attempt", Integer, nullable=False),
    Column("started", Double, nullable=False),
    Column("finished", Double, nullable=False),
    Column("worker", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("ending", Text, nullable=False),
    Column("error", Text, nullable=False),
)
groups = Table(
    "groups",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("group", Text, primary_key=True),
    Column("sides", Integer, nullable=False),
    Column("present", Integer, nullable=False),  # slots that are settled
    Column("missing", Integer, nullable=False),  # slots that are not, as far as their number is known
    Column("since", Double, nullable=False),
    Column("standing", Text, nullable=False),  # open, owed (full), or closed
)
Index("groups_open", groups.c.since, sqlite_where=text("standing = 'open'"), postgresql_where=text("standing = 'open'"))
spreads = Table(
    "spreads",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("group", Text, primary_key=True),
    Column("given_by", Integer, nullable=False),  # the delivery that fanned out
    Column("count", Integer, nullable=False),
)
step_minutes = Table(
    "step_minutes",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),  # since the epoch
    Column("completed", BigInteger, nullable=False),
    Column("retrying", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),  # that its attempts took together; whole, so that any order adds up
)
durations = Table(
    "durations",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),  # farandole_observe.store.durations
    Column("count", BigInteger, nullable=False),
)
workers = Table(
    "workers",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("worker", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("seen", Double, nullable=False),  # when it last finished an attempt
)
projections = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),  # of those that users declare
    Column("epoch", BigInteger, nullable=False),  # one more each time that another owns it, and on each rebuild
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),  # it is the owner's until then, and longer while nobody else wants it
    Column("version", Integer, nullable=False),  # as declared; 0: no table was made yet
    Column("declared", Text, nullable=False),  # digest of table and events
    Column("table", Text, nullable=False),
    Column("seen", Double, nullable=False),  # when nothing of the log was left to be folded in
    Column("cut", BigInteger, nullable=False),  # offsets of the log that were gone before they were folded
    Column("unread", BigInteger, nullable=False),  # records that were skipped, for they are no events of its classes
    Column("stopped", Text, nullable=False),  # why it does not go on; empty: nothing is wrong
)
projection_positions = Table(
    "projection_positions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),  # the first offset that is not in the table
    Column("time", Double, nullable=False),  # nothing that is in the table was taken by the log after that
)
snapshots = Table(
    "projection_snapshots",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # 1, 2, … of the projection
    Column("version", Integer, nullable=False),
    Column("declared", Text, nullable=False),
    Column("taken", Double, nullable=False),
    Column("cut", BigInteger, nullable=False),
    Column("unread", BigInteger, nullable=False),
)
snapshot_positions = Table(
    "projection_snapshot_positions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
    Column("time", Double, nullable=False),
)
snapshot_rows = Table(
    "projection_snapshot_rows",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON: the other columns by name
)

OF_A_WORKFLOW = (events, deliveries, attempts, groups, spreads)
"""Tables whose rows belong to a row of `workflows`."""
