"""A model of services at work: gives the manifests, inputs and facts that a choreography would leave behind.

It keeps its own books of what is left, by other means than the fold, so that the two can be compared.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pydantic_core import to_json

from farandole.events.envelope import Envelope
from farandole.events.facts import Fact, Place, read_facts
from farandole.events.ids import workflow_id
from farandole.events.manifest import Manifest, StepManifest
from farandole.events.scope import Level, Scope
from farandole.fold import Fold
from libs.farandole.tests.unit.fold.model import Ev, Gathered, Owed

Given = list[str | list[str] | None]
"""Per slot: the type that is published, None for nothing, a list for a fan-out."""

SLICE = 3  # keys of a fan-out in one fact
ATTEMPTS = 3


class Retry(Exception):
    """Raised by a behaviour: this attempt failed."""


class Terminal(Exception):
    """Raised by a behaviour: this delivery dies."""


Behaviour = Callable[[Owed, int], Given]


class Dance:
    """Services at work on a log of their own. `behave` per step says what an attempt gives (default: the first
    type of every slot, and a fan-out of `members`).
    """

    def __init__(
        self, *services: Manifest, seed: int = 0, members: int = 4, behave: dict[str, Behaviour] | None = None
    ) -> None:
        self.services = services
        self.rng = random.Random(seed)
        self.members = members
        self.behave = behave or {}
        self.steps = {f"{m.service}/{s.name}": s for m in services for s in m.steps}
        self.subscribers: dict[str, list[str]] = {}
        for name, declared in self.steps.items():
            for topic in {t for t, _ in declared.consumed}:
                self.subscribers.setdefault(topic, []).append(name)
        self.final = {p.type for m in services for p in m.published if p.final}
        self.now = 1000.0
        self.offsets: Counter[str] = Counter()
        self.queue: list[Owed] = []
        self.dead: list[Owed] = []
        self.groups: dict[tuple[str, str], Gathered] = {}
        self.published: set[tuple[str, str]] = set()
        self.loose: Counter[str] = Counter()  # events that nobody takes, by workflow
        self.inputs: list[tuple[Envelope, Place, float]] = []
        self.facts: dict[str, list[dict[str, Any]]] = {}
        self.order: list[str] = []  # workflows, one entry a fact
        self.fates: list[Counter[str]] = []  # what is left after each fact, of its workflow

    # -- what happens ---------------------------------------------------------------------------------------

    def publish(self, type_name: str, event_id: str, *, key: str | None = None, workflow: str = "") -> str:
        """An input; gives its workflow."""
        flow = workflow or workflow_id("client", event_id)
        event = Ev("client", event_id, type_name, flow, (), self._place(type_name), self._tick(), key)
        envelope = Envelope(event_id, "client", type_name, 1, b"{}", key, workflow)
        self.inputs.append((envelope, event.at, event.time))
        self._deliver(event)
        return flow

    def settle(self, limit: int | None = None) -> None:
        """Run until nothing moves, or for `limit` attempts, in random order."""
        while self.queue and limit != 0:
            delivery = self.queue.pop(self.rng.randrange(len(self.queue)))
            self._run(delivery)
            limit = None if limit is None else limit - 1

    def redrive(self, delivery: Owed) -> None:
        """A dead letter is owed again."""
        self.dead.remove(delivery)
        delivery.retrying = False
        self._tell(delivery, "redriven", before=lambda: self.queue.append(delivery), by="ops")
        delivery.attempt += 1

    def discard(self, delivery: Owed) -> None:
        """A dead letter will not be tried again; inside a group that is an absence."""
        self.dead.remove(delivery)
        self._end(delivery, "discarded", self._absences(delivery, depth=0, pending=False), by="ops", reason="no")

    # -- reading --------------------------------------------------------------------------------------------

    def records(self, workflow: str) -> Iterator[tuple[list[Fact], float]]:
        """A workflow's facts in journal records of random length."""
        rest = self.facts.get(workflow, [])
        while rest:
            cut = self.rng.randint(1, 5)
            taken, rest = rest[:cut], rest[cut:]
            yield read_facts(to_json(taken)), max(f["finished"] or 1000.0 for f in taken) + 1.0

    def fold(self, seed: int | None = None, *, twice: bool = False) -> Fold:
        """The fold of it all: in order, or interleaved at random; `twice`: some records come again at once."""
        lines: list[list[tuple[str, Any]]] = [[("manifest", m)] for m in self.services]
        lines += [[("input", i)] for i in self.inputs]
        lines += [[("facts", r) for r in self.records(w)] for w in sorted(self.facts)]
        rng = random.Random(seed)
        fold = Fold()
        while lines:
            line = lines[0 if seed is None else rng.randrange(len(lines))]
            kind, item = line.pop(0)
            for _ in range(2 if twice and rng.random() < 0.3 else 1):
                _apply(fold, kind, item)
            lines = [rest for rest in lines if rest]
        return fold

    def steps_of_fold(self) -> Iterator[tuple[Fold, str, Counter[str]]]:
        """The fold after every single fact, with the model's own account of what is left of its workflow."""
        fold = Fold()
        for manifest in self.services:
            fold.apply_manifest(manifest)
        for item in self.inputs:
            fold.apply_input(*item)
        told: Counter[str] = Counter()
        for workflow, fate in zip(self.order, self.fates, strict=True):
            fold.apply_facts(read_facts(to_json([self.facts[workflow][told[workflow]]])), self.now)
            told[workflow] += 1
            yield fold, workflow, fate

    # -- the model ------------------------------------------------------------------------------------------

    def _run(self, delivery: Owed) -> None:
        event, declared = delivery.event, self.steps[delivery.step]
        if event is not None and event.absent and not self._gathers(declared, event):
            depth = event.absent - 1 - (declared.shape == "fan-in")
            self._end(delivery, "completed", self._absences(delivery, depth=depth, pending=event.pending))
        elif event is not None and declared.shape != "one":
            self._hold(delivery, event, declared)
        elif delivery.group is not None and self._lacks_side(delivery.group, declared):
            self._end(delivery, "completed", self._absences(delivery, depth=0, pending=False))
        else:
            self._attempt(delivery, declared)

    @staticmethod
    def _gathers(declared: StepManifest, event: Ev) -> bool:
        return declared.shape == "join" or (declared.shape == "fan-in" and event.absent == 1)

    @staticmethod
    def _lacks_side(group: Gathered, declared: StepManifest) -> bool:
        slots = group.slots.items()
        return any(e.absent and (i == -1 or not declared.inputs[p].many) for (p, i), e in slots)

    def _attempt(self, delivery: Owed, declared: StepManifest) -> None:
        behave = self.behave.get(delivery.step)
        try:
            given = behave(delivery, delivery.attempt) if behave else self._first(declared)
        except (Retry, Terminal) as error:
            told = {"kind": type(error).__name__, "text": str(error)}
            if isinstance(error, Terminal) or delivery.attempt >= ATTEMPTS:
                self._die(delivery, "terminal" if isinstance(error, Terminal) else "exhausted", told)
                return
            delivery.retrying = True
            self._tell(
                delivery, "retrying", before=lambda: self.queue.append(delivery), due=self.now + 60, error=told,
                started=self.now - 0.5, finished=self.now,
            )  # fmt: skip
            delivery.attempt += 1
        else:
            self._end(delivery, "completed", self._outputs(delivery, declared, given), started=self.now - 0.5)

    def _first(self, declared: StepManifest) -> Given:
        return [[s.types[0][0]] * self.members if s.many else s.types[0][0] for s in declared.outputs]

    def _die(self, delivery: Owed, reason: str, error: dict[str, str]) -> None:
        self.dead.append(delivery)
        outputs = self._absences(delivery, depth=0, pending=True)
        more: dict[str, Any] = {"started": self.now - 0.5, "finished": self.now, "reason": reason, "error": error}
        self._end(delivery, "dead", outputs, **more)

    def _hold(self, delivery: Owed, event: Ev, declared: StepManifest) -> None:
        param = next(n for n, p in enumerate(declared.inputs) if event.type in {t for t, _ in p.types})
        port = declared.inputs[param]
        pops = port.many and event.absent <= 1
        outer = event.scope[:-1] if pops else event.scope
        key = event.scope[-1].group if declared.shape == "fan-in" else f"{event.workflow[:6]}|{outer}"
        index, size = (event.scope[-1].index, event.scope[-1].size) if pops else (0, 1)
        group = self.groups.setdefault((delivery.step, key), Gathered(key, event.workflow, outer))
        whole = port.many and not pops
        fills = {"group": key, "param": param, "index": index, "size": size, "sides": len(declared.inputs)}
        fills |= {"absent": True, "pending": event.pending, "whole": whole} if event.absent else {}
        if group.closed:
            self._end(delivery, "held", [], fills=fills | {"size": 0}, reason="closed")
            return
        self._settle(group, (param, -1 if whole else index), event, 1 if whole else size)
        ready = group.full(len(declared.inputs))
        group.closed = ready
        closing = Owed(delivery.step, group=group)
        # What a full group owes stands beside the member's end, in one commit.
        self._end(delivery, "held", [], owing=[closing] if ready else [], fills=fills)

    @staticmethod
    def _settle(group: Gathered, slot: tuple[int, int], event: Ev, size: int) -> None:
        group.sizes[slot[0]] = size
        before = group.slots.get(slot)
        weight = (0 if event.pending else 1) if event.absent else 2
        known = -1 if before is None else (0 if before.pending else 1) if before.absent else 2
        if size and weight > known:
            group.slots[slot] = event

    def _outputs(self, delivery: Owed, declared: StepManifest, given: Given) -> list[tuple[dict[str, Any], list[Ev]]]:
        ids, found = delivery.ids(), list[tuple[dict[str, Any], list[Ev]]]()
        for slot, part in enumerate(given):
            types = [t for t, _ in declared.outputs[slot].types]
            if part is None:
                found += self._absent_slot(delivery, slot, types, depth=int(declared.outputs[slot].many), pending=False)
            elif isinstance(part, list):
                found += self._fan_out(delivery, slot, types, part)
            else:
                event = self._event(delivery, ids.event(slot), part, delivery.scope)
                found.append(({"slot": slot, "type": f"{part}.v1", "id": event.id, "key": event.key}, [event]))
        return found

    def _fan_out(
        self, delivery: Owed, slot: int, types: list[str], part: list[str]
    ) -> list[tuple[dict[str, Any], list[Ev]]]:
        ids, size, found = delivery.ids(), len(part), list[tuple[dict[str, Any], list[Ev]]]()
        group = ids.group(slot)
        if not part:
            scope = (*delivery.scope, Level(group, 0, 0))
            return self._absent_slot(delivery, slot, types, depth=0, pending=False, scope=scope)
        for start in range(0, size, SLICE):
            members = part[start : start + SLICE]
            out: dict[str, Any] = {"slot": slot, "group": group, "count": size, "types": [f"{t}.v1" for t in types]}
            out |= {"start": start} if start else {}
            out |= {"of": [types.index(m) for m in members]} if len(types) > 1 else {}
            events = [
                self._event(delivery, ids.event(slot, n), member, (*delivery.scope, Level(group, n, size)), f"k{n}")
                for n, member in enumerate(members, start)
            ]
            found.append((out | {"keys": [e.key for e in events]}, events))
        return found

    def _absences(self, delivery: Owed, *, depth: int, pending: bool) -> list[tuple[dict[str, Any], list[Ev]]]:
        slots = self.steps[delivery.step].outputs
        return [
            found
            for n, slot in enumerate(slots)
            for found in self._absent_slot(
                delivery, n, [t for t, _ in slot.types], depth=depth + slot.many, pending=pending
            )
        ]

    def _absent_slot(
        self, delivery: Owed, slot: int, types: list[str], *, depth: int, pending: bool, scope: Scope | None = None
    ) -> list[tuple[dict[str, Any], list[Ev]]]:
        if not delivery.scope and scope is None:
            return []
        found: list[tuple[dict[str, Any], list[Ev]]] = []
        for name in types:
            event_id = delivery.ids().absent(slot, name, "pending" if pending else "")
            event = self._event(delivery, event_id, name, delivery.scope if scope is None else scope)
            event.absent, event.pending = depth + 1, pending
            out = {"slot": slot, "type": name, "id": event_id, "absent": depth + 1}
            found.append((out | ({"pending": True} if pending else {}), [event]))
        return found

    def _event(self, delivery: Owed, event_id: str, name: str, scope: Scope, key: str | None = None) -> Ev:
        return Ev(delivery.step, event_id, name, delivery.workflow, scope, self._place(name), self.now, key)

    # -- the books ------------------------------------------------------------------------------------------

    def _end(
        self, delivery: Owed, kind: str, outputs: list[tuple[dict[str, Any], list[Ev]]], *,
        owing: list[Owed] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """The facts of an outcome with its outputs; what it publishes is owed from its fact on."""
        first = [o for o in outputs if not o[0].get("start")]
        rest = [o for o in outputs if o[0].get("start")]
        unread = sum(len(events) for _, events in rest)

        def publish(these: list[tuple[dict[str, Any], list[Ev]]]) -> None:
            for event in (e for _, events in these for e in events):
                self._deliver(event)

        def before() -> None:
            publish(first)
            self.queue.extend(owing or [])

        given = {"outputs": [o for o, _ in first]} if first else {}
        self._tell(delivery, kind, before=before, unread=unread, **given, **more)
        for out in rest:
            unread -= len(out[1])
            self._tell(delivery, "continued", before=partial(publish, [out]), unread=unread, outputs=[out[0]])

    def _deliver(self, event: Ev) -> None:
        takers = self.subscribers.get(event.type, [])
        again = (event.source, event.id) in self.published
        self.published.add((event.source, event.id))
        self.queue.extend(Owed(taker, event, again=again) for taker in takers)
        if not takers and not event.absent and event.type not in self.final:
            self.loose[event.workflow] += 1

    def _tell(self, delivery: Owed, kind: str, *, before: Callable[[], None], unread: int = 0, **more: Any) -> None:
        before()
        self._tick()
        name, _, step_name = delivery.step.partition("/")
        entry: dict[str, Any] = {"fact": kind, "workflow": delivery.workflow, "service": name, "step": step_name}
        entry |= {"attempt": delivery.attempt, "started": 0.0, "finished": self.now} | self._of(delivery) | more
        self.facts.setdefault(delivery.workflow, []).append(entry)
        self.order.append(delivery.workflow)
        self.fates.append(self.left(delivery.workflow, unread))

    @staticmethod
    def _of(delivery: Owed) -> dict[str, Any]:
        event, group = delivery.event, delivery.group
        if event is not None:
            wire = "farandole.absent.v1" if event.absent else f"{event.type}.v1"
            return {"event": {"source": event.source, "id": event.id, "type": wire, "time": event.time, "at": event.at}}
        assert group is not None
        absent = sorted(index for (_, index), member in group.slots.items() if member.absent)
        count = len(group.slots) - len(absent)
        return {"group": {"id": group.key, "delivery": delivery.ids().delivery, "count": count, "absent": absent}}

    def left(self, workflow: str, unread: int = 0) -> Counter[str]:
        """What is left of a workflow, by kind, in the words of the fold."""
        found: Counter[str] = Counter({"unconsumed": self.loose[workflow]})
        for delivery in self.queue:
            if delivery.workflow == workflow and not delivery.again:
                found["retrying" if delivery.retrying else "owed"] += 1
        found["dead"] = sum(1 for d in self.dead if d.workflow == workflow)
        found["group"] = sum(1 for g in self.groups.values() if g.workflow == workflow and not g.closed)
        found["unread"] = min(unread, 1)  # the fold names the fan-out, not each member
        return +found

    def _place(self, topic: str) -> Place:
        self.offsets[topic] += 1
        return topic, 0, self.offsets[topic] - 1

    def _tick(self) -> float:
        self.now += 1.0
        return self.now


def _apply(fold: Fold, kind: str, item: Any) -> None:
    if kind == "manifest":
        fold.apply_manifest(item)
    elif kind == "input":
        fold.apply_input(*item)
    else:
        fold.apply_facts(*item)
