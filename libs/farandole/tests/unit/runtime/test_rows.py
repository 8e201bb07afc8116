"""A row gives back what it was made of, and stays small."""

from typing import Any

import pytest

from farandole.events.event import Event
from farandole.log.record import Record
from farandole.runtime.delivery import Delivery
from farandole.runtime.gather import Slot, member_of, new_group
from farandole.runtime.rows import (
    ROW_LIMIT,
    VALUE_LIMIT,
    closed_row,
    delivery_row,
    read_row,
    row_record,
    row_slot,
    seen_row,
    slot_key,
    slot_row,
)
from libs.farandole.tests.unit.runtime.props import Room, declare, member


class Piece(Event, type="rows.piece", key="k"):
    k: str
    text: str = ""


def _one(piece: Piece) -> None: ...
def _list(pieces: list[Piece]) -> None: ...


def _row(value: bytes | None) -> Record:
    return Record("t", 0, 0, 0.0, b"k", value, ())


def _delivery(**more: Any) -> tuple[Room, Delivery]:
    room = Room(declare(_one))
    return room, room.take(Piece(k="a"), **more)


def test_a_delivery_comes_back_from_its_row() -> None:
    """The record to the last header, and where it stood."""
    _, delivery = _delivery(scope=member(1, 3))
    delivery.attempt, delivery.spent, delivery.due, delivery.reason, delivery.behind = 4, 2, 12.5, "why", "who"
    fields = read_row(_row(delivery_row(delivery, "retry")))
    assert row_record(fields) == delivery.record
    assert fields | {"kind": "retry", "attempt": 4, "spent": 2, "due": 12.5, "reason": "why", "behind": "who"} == fields


def test_a_record_of_any_bytes_comes_back() -> None:
    """What cannot be decoded is kept as it came."""
    room = Room(declare(_one))
    raw = Record(room.plan.leased, 0, 0, 1.0, None, None, (("", None), ("x", b"\xff\x00"), ("x", b"")))
    room.partition.take(raw, 0.0)
    delivery = room.partition.inflight[room.plan.leased][0]
    assert row_record(read_row(_row(delivery_row(delivery, "dead")))) == raw


@pytest.mark.parametrize("size", [0, VALUE_LIMIT - 100, VALUE_LIMIT, VALUE_LIMIT + 1, 900_000])
def test_a_large_value_is_named_by_its_place(size: int) -> None:
    """A row never holds more than 64 kB."""
    room = Room(declare(_one))
    delivery = room.take(Piece(k="a", text="x" * size))
    row = delivery_row(delivery, "open")
    assert len(row) <= ROW_LIMIT
    fields = read_row(_row(row))
    assert delivery.record is not None
    small = len(delivery.record.value or b"") <= VALUE_LIMIT
    assert row_record(fields) == (delivery.record if small else None)
    assert fields["at"] == list(delivery.record.place)


def test_many_headers_do_not_make_a_row_large() -> None:
    """They are read again from the record's place, like a large value."""
    room = Room(declare(_one))
    record = room.record(Piece(k="a", text="x" * 31_000))
    record = record._replace(headers=(*record.headers, *((f"h{n}", b"y" * 1000) for n in range(31))))
    delivery = room.take(record=record)
    assert len(delivery_row(delivery, "open")) <= ROW_LIMIT
    assert row_record(read_row(_row(delivery_row(delivery, "open")))) is None


@pytest.mark.parametrize("size", [0, VALUE_LIMIT, VALUE_LIMIT + 1])
def test_a_slot_comes_back_from_its_row(size: int) -> None:
    """Where it belongs, what stands there, and the envelope; a large value is cut."""
    room = Room(declare(_list))
    signature = room.plan.step.signature
    outer = member(1, 2, "outer")
    delivery = Delivery(
        room.partition, "s/x", record=room.record(Piece(k="a", text="x" * size), scope=member(3, 9, outer=outer))
    )
    assert delivery.envelope is not None
    found = member_of(signature, 0, delivery.envelope)
    assert found is not None
    slot = Slot("pending", delivery.envelope._replace(extensions=(("fd-from", "x"),)), delivery.place)
    row = slot_row(new_group(signature, found, delivery.envelope, None), found, slot)
    fields = read_row(_row(row))
    back, stands = row_slot(fields)
    assert back == found
    cut = len(delivery.envelope.data) > VALUE_LIMIT
    assert fields["cut"] == cut
    assert stands.envelope == delivery.envelope._replace(data=b"" if cut else delivery.envelope.data, extensions=())
    assert (stands.kind, stands.place) == ("pending", delivery.place)
    assert slot_key(back) == f"s:{found.key}:0:3"
    assert len(row) <= 64 * 1024


def test_a_slot_with_a_deep_scope_and_a_large_value_stays_small() -> None:
    """A hostile scope does not make the state partition grow."""
    room = Room(declare(_list))
    signature = room.plan.step.signature
    deep = tuple(member(0, 1, f"{n:016x}")[0] for n in range(1480))
    delivery = Delivery(room.partition, "s/x", record=room.record(Piece(k="a", text="x" * 32_700), scope=deep))
    assert delivery.envelope is not None
    found = member_of(signature, 0, delivery.envelope)
    assert found is not None
    slot = Slot("event", delivery.envelope, delivery.place)
    row = slot_row(new_group(signature, found, delivery.envelope, None), found, slot)
    assert len(row) <= ROW_LIMIT
    assert row_slot(read_row(_row(row)))[0] == found


def test_closed_groups_and_inputs_seen_come_back() -> None:
    """Each with its time, for both are forgotten some day."""
    assert read_row(_row(closed_row(5.5))) == {"kind": "closed", "at": 5.5}
    entries = [(b"12345678", b"abcdefgh")]
    fields = read_row(_row(seen_row(5.5, entries)))
    assert (fields["kind"], [tuple(entry) for entry in fields["entries"]]) == ("seen", entries)


def test_rows_of_the_inbox_beside_a_topic_have_keys_of_their_own() -> None:
    """Both topics count from 0."""
    room, delivery = _delivery()
    record = delivery.record
    assert record is not None
    beside = Delivery(room.partition, "s/x", record=record._replace(topic=room.plan.inbox))
    assert (delivery.key, beside.key) == ("d:0", "i:0")


def test_a_deleted_row_reads_as_nothing() -> None:
    """A tombstone has no value."""
    assert read_row(_row(None)) == {}
