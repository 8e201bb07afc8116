"""Looks at what moves in a log on Kafka: its groups, open transactions, and the clocks; it only reads."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition as Place_
from aiokafka.errors import KafkaError as ClientError
from confluent_kafka import ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.failures import error_of, unavailable
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.offsets import Place, listed
from farandole.engines.kafka.positions import Position, positions_of
from farandole.engines.kafka.reader import observer, stop
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import LogUnavailable
from farandole.log.care import Finding

OLD = 60.0
"""Seconds after which an open transaction is somebody's who forgot it; ours are ended after 10."""
FAST = 1.0
"""Seconds that a record may lie ahead of our clock."""
_ANSWER = 10.0


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is. `name`: the log's, `outer`: Kafka's; `members`: how many; `positions`: committed ones."""

    name: str
    outer: str
    state: ConsumerGroupState
    members: int
    positions: dict[Place, Position]

    def topics(self, names: Names) -> set[str]:
        """Kafka's names of what it leases by number: what it has positions in, and its step's inbox and state."""
        own = self.name.replace("/", ".")
        return {topic for topic, _ in self.positions} | {names.outer(f"{own}.inbox"), names.outer(f"{own}.state")}


async def groups_of(clients: Clients, admin: Administrator, names: Names, places: Sequence[Place]) -> list[Group]:
    """Every group of the log's steps, by name; with its positions in these places. Raises LogUnavailable."""
    try:
        listing = await asyncio.wrap_future(admin.client.list_consumer_groups(request_timeout=_ANSWER))
        inner = {one.group_id: name for one in listing.valid if (name := names.inner(one.group_id)) and "/" in name}
        answers = admin.client.describe_consumer_groups(sorted(inner), request_timeout=_ANSWER) if inner else {}
        described = [await asyncio.wrap_future(answer) for answer in answers.values()]
    except KafkaException as raised:
        raise unavailable("the groups can't be read", error_of(raised)) from raised
    return [
        Group(
            inner[one.group_id],
            one.group_id,
            one.state,
            len(one.members),
            await _positions(clients, one.group_id, places),
        )
        for one in described
    ]


async def _positions(clients: Clients, group: str, places: Sequence[Place]) -> dict[Place, Position]:
    async with positions_of(clients, group) as positions:
        return await positions.of(places, stable=False)


async def group_findings(admin: Administrator, groups: Sequence[Group]) -> list[Finding]:
    """Whether somebody works where something waits, and every position is still within the log."""
    places = sorted({place for group in groups for place in group.positions})
    first = await listed(admin, places, OffsetSpec.earliest())
    last = await listed(admin, places, OffsetSpec.latest())
    found = []
    for group in groups:
        lag = sum(max(0, last[place] - at.offset) for place, at in group.positions.items())
        found += _out_of_the_log(group, first, last)
        if not group.members and lag:
            said = f"{group.name}: nobody works on it, and {lag} offsets wait"
            found.append(Finding("groups", "warn", said, "start its service, or forget it if it is no more"))
        elif group.state not in (ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY):
            said = f"{group.name}: {group.members} members are just sharing its partitions ({group.state.name.lower()})"
            found.append(Finding("groups", "warn", said, "look again; if it stays so, its members come and go"))
    waiting = sum(max(0, last[place] - at.offset) for group in groups for place, at in group.positions.items())
    members = sum(group.members for group in groups)
    said = f"{len(groups)} groups, {members} members, {waiting} offsets not committed"
    return found or [Finding("groups", "ok", said)]


def _out_of_the_log(group: Group, first: Mapping[Place, int], last: Mapping[Place, int]) -> list[Finding]:
    gone = [place for place, at in group.positions.items() if at.offset < first[place]]
    beyond = [place for place, at in group.positions.items() if at.offset > last[place]]
    said = {
        f"{group.name}: what it owes in {_named(gone)} is deleted": gone,
        f"{group.name}: its position in {_named(beyond)} lies behind the end of the log": beyond,
    }
    remedy = "it stops there; restore the records, or set its positions by hand, knowing what is lost"
    return [Finding("groups", "fail", what, remedy) for what, places in said.items() if places]


def _named(places: Sequence[Place]) -> str:
    return ", ".join(f"{topic}/{number}" for topic, number in places)


async def transaction_findings(
    clients: Clients, admin: Administrator, places: Sequence[Place], now: float
) -> list[Finding]:
    """Open ones that hold readers back: committed records end before the partition does.

    The client cannot list transactions; the first record of the oldest one is read, and tells since when it is open.
    """
    committed = await listed(admin, places, OffsetSpec.latest())
    ends = await listed(admin, places, OffsetSpec.latest(), committed=False)
    open_ = {place: at for place, at in committed.items() if at < ends[place]}
    found = []
    for (topic, number), at in sorted(open_.items()):
        since = await _time_at(clients, topic, number, at)
        if since is not None and now - since > OLD:
            said = f"{topic}/{number}: a transaction is open at offset {at} for {now - since:.0f} s; readers wait there"
            remedy = "find its producer, or end it: kafka-transactions abort --topic … --partition … --start-offset …"
            found.append(Finding("transactions", "fail", said, remedy))
    said = f"none is open for more than {OLD:.0f} s, by the partitions' last stable offsets"
    return found or [Finding("transactions", "ok", f"{said}; {len(open_)} partitions have a younger one")]


async def clock_findings(admin: Administrator, places: Collection[Place], now: float) -> list[Finding]:
    """Whether our clock is behind the brokers': by their time of the newest record, for nothing may be written."""
    asked = {TopicPartition(*place): OffsetSpec.max_timestamp() for place in places}
    try:
        answers = admin.client.list_offsets(asked, request_timeout=_ANSWER) if asked else {}
        times = [(await asyncio.wrap_future(answer)).timestamp / 1000 for answer in answers.values()]
    except KafkaException as raised:
        raise unavailable("the times of records can't be read", error_of(raised)) from raised
    ahead = max(times, default=0.0) - now
    if ahead > FAST:
        said = f"the newest record is {ahead:.1f} s ahead of this machine's clock"
        return [Finding("clock", "warn", said, "have every machine set its clock by NTP")]
    return [Finding("clock", "ok", "no record is ahead of this machine's clock; that it is ahead can't be seen so")]


async def _time_at(clients: Clients, topic: str, number: int, offset: int) -> float | None:
    """When the record there was written, committed or not; None where it is none, or is gone meanwhile."""
    place, consumer = Place_(topic, number), observer(clients, committed=False)
    try:
        await consumer.start()
        consumer.assign([place])
        consumer.seek(place, offset)
        found = await consumer.getmany(timeout_ms=int(_ANSWER * 1000), max_records=1)
    except ClientError as error:
        raise LogUnavailable(f"{topic}/{number} can't be read at {offset}: {error}; see to the brokers") from error
    finally:
        await stop(consumer)
    return next((one.timestamp / 1000 for one in found.get(place, ())), None)
