"""Rows: what a step still owes, as kept in its state topic. Msgpack maps; fields may be added.

Keys: `d:<offset>` a delivery of the leased topic, `i:<offset>` one of the inbox beside it;
`s:<group>:<param>:<index>` a filled slot; `g:<group>` the delivery of a full group; `c:<group>` a group that
closed; `n:<offset>` inputs seen up to that offset.
"""

from typing import Any

import msgspec

from farandole.events.envelope import Envelope
from farandole.events.scope import Level
from farandole.log.record import Record
from farandole.runtime.delivery import Delivery
from farandole.runtime.gather import Group, Member, Slot

VALUE_LIMIT = 32 * 1024  # a larger value is read again from its place
ROW_LIMIT = 60 * 1024  # headers that would make a row larger are read again, too
CLOSED_FOR = 7 * 24 * 3600.0  # seconds that a closed group is remembered
SEEN_FOR = 7 * 24 * 3600.0
SEEN_LIMIT = 100_000

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def delivery_row(delivery: Delivery, kind: str) -> bytes:
    """The row of an event's delivery; `kind` is open, retry, parked or dead."""
    row = _standing(delivery, kind)
    record = delivery.record
    if record is not None:
        row |= {"time": record.time, "at": list(record.place)}
        small = len(record.value or b"") <= VALUE_LIMIT
        full = row | {"key": record.key, "headers": record.headers, "value": record.value}
        packed = _pack(full) if small else b""
        return packed if small and len(packed) <= ROW_LIMIT else _pack(row)
    return _pack(row)


def _standing(delivery: Delivery, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "attempt": delivery.attempt,
        "spent": delivery.spent,
        "due": delivery.due,
        "reason": delivery.reason,
        "behind": delivery.behind,
    }


def slot_key(member: Member) -> str:
    """Key of the row of a slot."""
    return f"s:{member.key}:{member.param}:{-1 if member.whole else member.index}"


def slot_row(group: Group, member: Member, slot: Slot) -> bytes:
    """The row of a filled slot; without what nobody reads of it again."""
    envelope = slot.envelope._replace(extensions=())
    row = {
        "kind": "slot",
        "slot": slot.kind,
        "member": [member.key, member.param, member.index, member.size, member.whole],
        "depth": len(member.scope),  # the gathering's scope is the outer part of the envelope's
        "workflow": group.workflow,
        "generation": group.generation,
        "at": slot.place,
    }
    small = len(envelope.data) <= VALUE_LIMIT
    packed = _pack(row | {"cut": False, "envelope": envelope}) if small else b""
    if small and len(packed) <= ROW_LIMIT:
        return packed
    return _pack(row | {"cut": True, "envelope": envelope._replace(data=b"")})


def closed_row(at: float) -> bytes:
    """The row that remembers a closed group."""
    return _pack({"kind": "closed", "at": at})


def seen_row(at: float, entries: list[tuple[bytes, bytes]]) -> bytes:
    """One commit's inputs seen: short hashes of (source, id) and body."""
    return _pack({"kind": "seen", "at": at, "entries": entries})


def read_row(record: Record) -> dict[str, Any]:
    """A row's fields, `kind` among them."""
    fields: dict[str, Any] = _unpack(record.value or b"\x80")
    return fields


def row_record(fields: dict[str, Any]) -> Record | None:
    """The record that a delivery's row stands for; None where its value has to be read from its place."""
    if "headers" not in fields:
        return None
    topic, partition, offset = fields["at"]
    headers = tuple((name, raw) for name, raw in fields["headers"])
    return Record(topic, partition, offset, fields["time"], fields["key"], fields["value"], headers)


def row_slot(fields: dict[str, Any]) -> tuple[Member, Slot]:
    """The slot that a row tells of; its data is empty where `cut` says so."""
    key, param, index, size, whole = fields["member"]
    envelope = Envelope(*fields["envelope"])
    scope = tuple(Level(*level) for level in envelope.scope)
    envelope = envelope._replace(scope=scope, extensions=())
    topic, partition, offset = fields["at"]
    member = Member(key, param, index, size, scope[: fields["depth"]], whole)
    return member, Slot(fields["slot"], envelope, (topic, partition, offset))
