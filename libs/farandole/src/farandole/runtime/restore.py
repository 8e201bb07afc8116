"""Takes a partition over: its rows become deliveries, lanes, groups and memory again, then what is open resumes."""

from collections.abc import Awaitable, Callable
from typing import Any

from farandole.events.codec import decode
from farandole.events.errors import LogUnavailable
from farandole.log.record import Record
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.gather import Group, new_group
from farandole.runtime.partition import Partition
from farandole.runtime.rows import read_row, row_record, row_slot

Fetch = Callable[[str, int, int], Awaitable[Record | None]]


async def restore(partition: Partition, records: list[Record], fetch: Fetch) -> None:
    """Bring `partition` to where its predecessor's last commit left it.

    Raises LogUnavailable where a value that a row names is no longer in the log: missing history is fatal.
    """
    rows = {(r.key or b"").decode(): read_row(r) for r in records}
    await _slots(partition, rows, fetch)
    for key, row in rows.items():
        if key.startswith("c:"):
            partition.holding.closed[key[2:]] = float(row["at"])
    seen = sorted((float(row["at"]), key, row["entries"]) for key, row in rows.items() if key.startswith("n:"))
    for at, key, entries in seen:
        partition.seen.restore(key, at, [(name, body) for name, body in entries])
    _group_deliveries(partition, rows)  # first: what is open may be a late comer to a group that is under way
    await _deliveries(partition, rows, fetch)


async def _slots(partition: Partition, rows: dict[str, dict[str, Any]], fetch: Fetch) -> None:
    signature = partition.plan.step.signature
    for key, row in rows.items():
        if not key.startswith("s:"):
            continue
        member, slot = row_slot(row)
        envelope = slot.envelope
        if row["cut"]:
            record = await _kept(fetch, slot.place)
            envelope = envelope._replace(data=decode(record.key, record.value, record.headers).data)
            slot.envelope = envelope
        group = partition.holding.groups.get(member.key)
        if group is None:
            group = partition.holding.groups[member.key] = new_group(signature, member, envelope, partition)
        group.settle(member, slot.kind, slot)
        group.rows[key] = None
        group.forwarded = group.forwarded or (slot.kind == "pending" and envelope.is_absence)


async def _deliveries(partition: Partition, rows: dict[str, dict[str, Any]], fetch: Fetch) -> None:
    keys = sorted((int(key[2:]), key) for key in rows if key.startswith(("d:", "i:")))
    waiting: list[Delivery] = []
    for _, key in keys:
        row = rows[key]
        topic, number, offset = row["at"]
        record = row_record(row) or await _kept(fetch, (topic, number, offset))
        delivery = Delivery(partition, partition.plan.producer, record=record)
        partition.name(delivery)
        _stand(delivery, row)
        delivery.row = key
        partition.owed[key] = delivery
        waiting.append(delivery)
    for delivery in waiting:
        partition.resume(delivery)


def _group_deliveries(partition: Partition, rows: dict[str, dict[str, Any]]) -> None:
    for group in list(partition.holding.groups.values()):
        row = rows.get(f"g:{group.key}")
        if row is None:
            partition.holding.check_full(group)
        else:
            _resume_group(partition, group, row)


def _resume_group(partition: Partition, group: Group, row: dict[str, Any]) -> None:
    delivery = Delivery(partition, partition.plan.producer, group=group)
    delivery.full = partition.plan.clock.now()  # no row says since when
    _stand(delivery, row)
    delivery.row = delivery.key
    partition.owed[delivery.key] = delivery
    partition.resume(delivery)


def _stand(delivery: Delivery, row: dict[str, Any]) -> None:
    delivery.state = State(row["kind"])
    delivery.attempt, delivery.spent = row["attempt"], row["spent"]
    delivery.due, delivery.reason, delivery.behind = row["due"], row["reason"], row["behind"]


async def _kept(fetch: Fetch, place: tuple[str, int, int]) -> Record:
    record = await fetch(*place)
    if record is None:
        topic, partition, offset = place
        raise LogUnavailable(
            f"{topic}/{partition} no longer holds offset {offset}, which a row still owes; "
            "restore the log from a backup, or discard the delivery"
        )
    return record
