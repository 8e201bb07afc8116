"""Members held until their group or join is full: slots, late comers, and the delivery that a full group owes."""

from dataclasses import replace
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from farandole.events.errors import DecodeError
from farandole.runtime import outcome as outcomes
from farandole.runtime.absence import Why, read_absence
from farandole.runtime.crew import Crew, Die
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.gather import Group, Kind, Member, Slot, member_of, new_group, param_of
from farandole.runtime.outcome import Outcome
from farandole.runtime.plan import Plan
from farandole.runtime.rows import CLOSED_FOR, closed_row, slot_key, slot_row

Rows = dict[str, bytes | None]


class Holding:
    """The open and the closed groups of one partition. `owed` is the partition's: deliveries by row key."""

    def __init__(self, plan: Plan, crew: Crew, owed: dict[str, Delivery], die: Die) -> None:
        self._plan, self._crew, self._owed, self._die = plan, crew, owed, die
        self.groups: dict[str, Group] = {}
        self.closed: dict[str, float] = {}

    def take(self, delivery: Delivery) -> None:
        """Put a member (or what says that it will not come) where it belongs."""
        envelope = delivery.envelope
        if envelope is None:
            return
        if envelope.is_absence:
            self._take_absence(delivery)
            return
        view = self._plan.views[envelope.type, envelope.version]
        try:
            view.event.read(envelope.data)
        except ValidationError as error:
            self._hold(delivery, view.param, "pending")
            self._die(delivery, "invalid", error, absences=False)
        else:
            self._hold(delivery, view.param, "event")

    def check_full(self, group: Group) -> None:
        """Where nothing more is waited for, the group's delivery runs (or is forwarded, lacking a side)."""
        key = f"g:{group.key}"
        if not group.full or key in self._owed or group.key in self.closed:
            return
        delivery = Delivery(group.partition, self._plan.producer, group=group)
        delivery.full = self._plan.clock.now()
        self._owed[key] = delivery
        if not group.lacks_side:
            self._crew.ready(delivery)
            return
        outcome = outcomes.forwarded(self._plan, delivery, Why())
        self.close(group, outcome)
        self._crew.finished(outcome)
        delivery.state = State.DONE

    def close(self, group: Group, outcome: Outcome) -> None:
        """The group's delivery is finished: its slots go, and late comers are known by a row."""
        now = self._plan.clock.now()
        outcome.rows |= dict.fromkeys(group.rows)
        outcome.rows[f"g:{group.key}"] = None
        outcome.rows[f"c:{group.key}"] = closed_row(now)
        self.groups.pop(group.key, None)
        self.closed[group.key] = now

    def reopen(self, group: Group) -> None:
        """Its delivery did not finish after all."""
        self.groups[group.key] = group
        self.closed.pop(group.key, None)

    def give_up(self, delivery: Delivery, outcome: Outcome) -> None:
        """A dead member was discarded: its slot becomes an absence, with the same commit."""
        envelope, record = delivery.envelope, delivery.record
        view = None if envelope is None else self._plan.views.get((envelope.type, envelope.version))
        if envelope is None or record is None or view is None:
            return
        member = member_of(self._plan.step.signature, view.param, envelope)
        group = self.groups.get(member.key) if member is not None else None
        if member is None or group is None:
            return
        slot = Slot("absent", envelope, record.place)
        if group.settle(member, "absent", slot) == "new":
            outcome.rows[slot_key(member)] = slot_row(group, member, slot)
            self.check_full(group)

    def fills(self, delivery: Delivery) -> dict[str, Any] | None:
        """Which slot a dead member leaves pending, as facts tell it; None where it fills none."""
        envelope = delivery.envelope
        view = None if envelope is None else self._plan.views.get((envelope.type, envelope.version))
        if envelope is None or view is None or delivery.group is not None:
            return None
        member = member_of(self._plan.step.signature, view.param, envelope)
        group = self.groups.get(member.key) if member is not None else None
        slot = group.sides[view.param].slots.get(member.index) if group is not None and member is not None else None
        if group is None or member is None or slot is None or slot.envelope.identity != envelope.identity:
            return None
        return _fills(member, len(group.sides)) | {"absent": True, "pending": True}

    def forgotten(self, now: float) -> Rows:
        """Rows of closed groups that are old enough to go; `closed` stands in the order of closing."""
        old = takewhile(lambda item: now - item[1] > CLOSED_FOR, self.closed.items())
        return {f"c:{key}": None for key, _ in old}

    def forget(self, rows: Rows, now: float) -> None:
        """The rows that `forgotten` gave are deleted."""
        for key in self.forgotten(now):
            if key in rows:
                del self.closed[key[2:]]

    def _take_absence(self, delivery: Delivery) -> None:
        signature = self._plan.step.signature
        absence = None if delivery.envelope is None else read_absence(delivery.envelope)
        param = None if absence is None else param_of(signature, absence.stands_for)
        if absence is None or param is None:
            error = DecodeError("the absence stands for no type that this step takes")
            self._die(delivery, "invalid", error, absences=False)
            return
        why = absence.why
        lacking = why.depth - 1 if why.depth and signature.params[param].many else why.depth
        if lacking or (why.depth and signature.shape == "fan-in"):  # what it would go into does not exist either
            outcome = outcomes.forwarded(self._plan, delivery, why._replace(depth=lacking))
            self._crew.finished(outcome)
            delivery.state = State.DONE
        else:
            self._hold(delivery, param, "pending" if why.pending else "absent", depth=why.depth)

    def _hold(self, delivery: Delivery, param: int, kind: Kind, *, depth: int = 0) -> None:
        envelope, record = delivery.envelope, delivery.record
        if envelope is None or record is None:
            return
        member = member_of(self._plan.step.signature, param, envelope, depth)
        if member is None:
            error = DecodeError(f"{envelope.type} stands in no group; a list takes the members of a fan-out")
            self._die(delivery, "invalid", error, absences=False)
        elif member.key in self.closed or f"g:{member.key}" in self._owed:  # full: its delivery is under way
            self._held(delivery, {**_fills(member, 1), "size": 0}, "closed", {})
        else:
            self._fill(delivery, member, Slot(kind, envelope, record.place))

    def _fill(self, delivery: Delivery, member: Member, slot: Slot) -> None:
        group = self.groups.get(member.key)
        if group is None:
            group = new_group(self._plan.step.signature, member, slot.envelope, delivery.partition)
            self.groups[member.key] = group
        result = group.settle(member, slot.kind, slot)
        if result == "conflict":
            what = f"slot {member.index} of group {member.key} holds another event already, or the sizes differ"
            self._die(delivery, "conflict", DecodeError(what), absences=False)
            return
        rows: Rows = {}
        if result == "new":
            key = slot_key(member)
            group.rows[key] = None
            rows[key] = slot_row(group, member, slot)
        if slot.kind == "pending" and not slot.envelope.is_absence:
            self._crew.finished(Outcome(delivery, "parked", rows=rows, settles=False))  # it dies here, next
            return
        fills = _fills(member, len(group.sides))
        if slot.kind != "event":
            fills |= {"absent": True, "pending": slot.kind == "pending", "whole": member.whole}
        self._held(delivery, fills, "" if result == "new" else "same", rows, standing=self._to_tell(group, slot.kind))
        self.check_full(group)

    def _to_tell(self, group: Group, kind: Kind) -> Group | None:
        """A join inside a group that lacks a side because of a dead letter tells the outer group, once."""
        if kind != "pending" or group.forwarded or not group.scope or self._plan.step.signature.shape != "join":
            return None
        group.forwarded = True
        return replace(group, sides=[])  # so that the ids do not depend on what came before

    def _held(
        self, delivery: Delivery, fills: dict[str, Any], reason: str, rows: Rows, *, standing: Group | None = None
    ) -> None:
        more: dict[str, Any] = {"fills": fills} | ({"reason": reason} if reason else {})
        outcome = Outcome(delivery, "held", rows=rows)
        if standing is not None:
            lacking = Delivery(delivery.partition, self._plan.producer, group=standing)
            why = Why(pending=True, reason="dead letter")
            outcome.records, outs = outcomes.absences(self._plan, lacking, why, teller=delivery)
            more["outputs"] = outs
        outcome.facts.append(outcomes.fact(self._plan, delivery, "held", **more))
        self._crew.finished(outcome)
        delivery.state = State.DONE


def _fills(member: Member, sides: int) -> dict[str, Any]:
    return {
        "group": member.key,
        "param": member.param,
        "index": member.index,
        "size": member.size,
        "sides": sides,
    }
