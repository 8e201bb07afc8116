"""Projections of an imaginary shop, the records that they fold, and what the tables have to be."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
)

from farandole import Event
from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.events.codec import encode
from farandole.events.envelope import ABSENT, Envelope
from farandole.log.reading import to_the_end
from farandole.log.record import NewRecord, Span, TopicSpec
from farandole_observe import Projection, Recorded
from farandole_observe.projection.columns import compact
from farandole_observe.projection.owner import Owner
from farandole_observe.projection.rows import Rows
from farandole_observe.projection.values import Values
from farandole_observe.store.opening import Store

PARTITIONS = 3
T0 = 1_795_000_000.0  # when the hand clock starts


class Sold(Event, type="item.sold", key="item"):
    """So many pieces; none: the item is sold out."""

    item: str
    order: str
    pieces: int


class SoldLater(Event, type="item.sold", key="item", version=2):
    """The next version of the same: it names the price."""

    item: str
    order: str
    pieces: int
    price: Decimal


class Returned(Event, type="item.returned", key="order"):
    """So many pieces came back."""

    item: str
    order: str
    pieces: int


EVENTS: list[type[Event]] = [Sold, SoldLater]


def table(name: str = "items") -> Table:
    """A table with a column of each type."""
    return Table(
        name,
        MetaData(),
        Column("item", Text, primary_key=True),
        Column("orders", JSON, nullable=False),
        Column("pieces", BigInteger, nullable=False),
        Column("events", Integer, nullable=False),
        Column("mean", Double),
        Column("turnover", Numeric(12, 2)),
        Column("many", Boolean, nullable=False),
        Column("latest", DateTime(timezone=True), nullable=False),
        Column("local", DateTime),
        Column("day", Date),
        Column("last", String(40)),
        Index(f"{name}_pieces", "pieces"),
    )


def item_of(found: Recorded[Any]) -> str | None:
    """Of no interest: what begins with '-'."""
    item: str = found.event.item
    return None if item.startswith("-") else item


def in_order(row: Any, found: Recorded[Any]) -> Any:
    """What was last sold: the order of a partition counts."""
    event = found.event
    if not event.pieces:
        return None
    row = row or {"orders": [], "pieces": 0, "events": 0, "turnover": None}
    pieces, events = row["pieces"] + event.pieces, row["events"] + 1
    row["orders"].append(event.order)
    turnover = row["turnover"]
    if isinstance(event, SoldLater):
        turnover = (turnover or Decimal(0)) + event.price * event.pieces
    moment = datetime.fromtimestamp(found.time, UTC)
    return {
        "orders": row["orders"],
        "pieces": pieces,
        "events": events,
        "mean": pieces / events,
        "turnover": turnover,
        "many": pieces > 20,
        "latest": moment,
        "local": moment + timedelta(hours=1) if event.pieces % 2 else None,
        "day": moment.date(),
        "last": event.order[:40],
    }


def shop(*, name: str = "shop", version: int = 1, **changes: Any) -> Projection[Any]:
    """One whose fold depends on the order within a partition."""
    given = {"of": EVENTS, "table": table(), "key": item_of, "fold": in_order} | changes
    return Projection(name, version=version, **given)


def _by_order(found: Recorded[Any]) -> str:
    order: str = found.event.order
    return order


def _adding(row: Any, found: Recorded[Any]) -> Any:
    row, event = row or {"pieces": 0, "largest": 0}, found.event
    pieces = -event.pieces if isinstance(event, Returned) else event.pieces
    return {"pieces": row["pieces"] + pieces, "largest": max(row["largest"], pieces)}


def commuting() -> Projection[Any]:
    """One whose keys lie in all partitions, and in two topics."""
    columns = (
        Column("order", Text, primary_key=True),
        Column("pieces", BigInteger, nullable=False),
        Column("largest", BigInteger, nullable=False),
    )
    return Projection("orders", [Sold, SoldLater, Returned], Table("orders", MetaData(), *columns), _by_order, _adding)


# -- records ------------------------------------------------------------------------------------------------


def record(event: Event, number: int, *, source: str = "till/1") -> NewRecord:
    """An event as a service would have written it."""
    kind = event.event_type
    envelope = Envelope(f"e{number}", source, kind.name, kind.version, event.data(), event.order_key, f"w{number}")
    key, value, headers = encode(envelope)
    return NewRecord(kind.name, value, key, headers)


def sales(rng: random.Random, number: int) -> list[NewRecord]:
    """Sales and returns, with some records among them that no projection can use."""
    return [_one(rng, n) for n in range(number)]


def _one(rng: random.Random, number: int) -> NewRecord:
    item, order, pieces = f"i{rng.randrange(12)}", f"o{rng.randrange(8)}", rng.randrange(1, 9)
    chance = rng.random()
    if chance < 0.06:
        return strange(rng, number)
    if chance < 0.12:
        return record(Sold(item=f"-{item}", order=order, pieces=pieces), number)
    if chance < 0.2:
        return record(Returned(item=item, order=order, pieces=pieces), number)
    if chance < 0.25:
        return record(Sold(item=item, order=order, pieces=0), number)
    if chance < 0.6:
        return record(SoldLater(item=item, order=order, pieces=pieces, price=Decimal("2.35")), number)
    return record(Sold(item=item, order=order, pieces=pieces), number)


def strange(rng: random.Random, number: int) -> NewRecord:
    """What is no event, of an unknown version, not as its class says, or an absence (which is not to be counted)."""
    whole = record(Sold(item="i1", order="o1", pieces=1), number)
    kind = rng.randrange(4)
    if kind == 0:
        return whole._replace(value=b"\xff\x00", headers=())
    if kind == 1:
        return whole._replace(value=b'{"item": "i1"}')
    name, version = ("item.sold", 9) if kind == 2 else (ABSENT, 1)
    parts = encode(Envelope(f"e{number}", "till/1", name, version, b"{}", "i1", "w"))
    return NewRecord("item.sold", parts.value, parts.key, parts.headers)


def is_strange(new: NewRecord) -> bool:
    """Whether it counts as unread."""
    wire = dict(new.headers).get("ce_type") or b""
    known = {kind.event_type.wire.encode() for kind in [*EVENTS, Returned]}
    return wire != f"{ABSENT}.v1".encode() and (wire not in known or b'"pieces"' not in (new.value or b""))


# -- logs ---------------------------------------------------------------------------------------------------


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = T0

    def now(self) -> float:
        """As `Clock` says."""
        return self.time


@asynccontextmanager
async def memory_log(seed: int | None = None) -> AsyncIterator[tuple[MemoryLog, HandClock]]:
    """A log whose polls are cut anyhow where there is a seed."""
    clock = HandClock()
    log = MemoryLog(Cluster(seed=seed, clock=clock))
    try:
        await make_topics(log)
        yield log, clock
    finally:
        await log.close()


async def make_topics(log: Any) -> None:
    """Those of the shop."""
    await log.ensure([TopicSpec("item.sold", PARTITIONS), TopicSpec("item.returned", PARTITIONS)])


async def all_of(log: Any, topics: list[str]) -> list[Any]:
    """Every record, in the order in which it was taken."""
    reader = await log.reader(topics)
    found = [one async for some in to_the_end(log, reader, topics) for one in some]
    await reader.close()
    return sorted(found, key=lambda one: one.time)


class Pruned:
    """A log of which the first offsets of each partition of a topic are gone."""

    def __init__(self, log: Any, topic: str, start: int) -> None:
        self._log, self._topic, self._start = log, topic, start
        self.clock = log.clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def _first(self, topic: str, end: int) -> int:
        return min(end, self._start) if topic == self._topic else 0

    async def spans(self, topics: Sequence[str]) -> dict[tuple[str, int], Span]:
        """Without what is gone."""
        found = await self._log.spans(topics)
        return {place: Span(self._first(place[0], span.end), span.end) for place, span in found.items()}

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """Of what is there."""
        end = (await self.spans([topic]))[topic, partition].end
        return max(await self._log.offset_at(topic, partition, time), self._first(topic, end))

    async def reader(self, topics: Sequence[str], start: Any = None) -> Any:
        """From where it may be read."""
        spans = await self.spans(topics)
        begin = {place: max(span.start, (start or {}).get(place, 0)) for place, span in spans.items()}
        return await self._log.reader(topics, begin)


# -- what the table is --------------------------------------------------------------------------------------


async def rows_of(projection: Projection[Any], store: Store) -> dict[str, Values]:
    """All rows of its table."""
    found: dict[str, Values] = {}
    async with store.reading() as connection:
        async for page in Rows(projection).pages(connection):
            found |= page
    return found


def hash_of_rows(projection: Projection[Any], rows: dict[str, Values]) -> str:
    """One hash for equal rows."""
    lines = (compact([key, sorted(projection.columns.to_json(values).items())]) for key, values in sorted(rows.items()))
    return sha256("\n".join(lines).encode()).hexdigest()


async def fold_all(projection: Projection[Any], log: Any, store: Store, name: str = "one") -> str:
    """Bring it up to date; the hash of its table."""
    owner = Owner(projection, log, store, name)
    try:
        assert await owner.catch_up()
    finally:
        await owner.close()
    return hash_of_rows(projection, await rows_of(projection, store))
