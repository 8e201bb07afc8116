"""One leased partition of a step: what it took in, what it still owes, and how each delivery moves on.

Nothing here waits or writes: decisions become outcomes, which the committer makes durable in order.
"""

from collections import deque
from typing import Any

from pydantic import ValidationError

from farandole.events.edge import check_interoperable
from farandole.events.envelope import ABSENT, Envelope
from farandole.events.errors import BadInput, DecodeError, IdConflict, RecordRefused, UnknownVersion
from farandole.events.event import explain
from farandole.events.ids import workflow_id
from farandole.log.ports import Lease
from farandole.log.record import Record
from farandole.runtime import outcome as outcomes
from farandole.runtime.absence import Why, read_absence
from farandole.runtime.commands import Commands
from farandole.runtime.crew import Crew
from farandole.runtime.delivery import Delivery, State, origin
from farandole.runtime.given import Given, Undeclared
from farandole.runtime.holding import Holding
from farandole.runtime.lanes import Lanes
from farandole.runtime.outcome import Outcome
from farandole.runtime.plan import Plan
from farandole.runtime.rows import delivery_row
from farandole.runtime.seen import Seen


class Partition:
    """Everything owed under one lease.

    `inflight`: per topic, by offset in order, deliveries that have no row yet. `owed`: those that have one (or
    none: a group's), by row key. `next`: per topic the offset after the last one taken in.
    """

    def __init__(self, plan: Plan, lease: Lease, crew: Crew) -> None:
        self.plan, self.lease, self.crew = plan, lease, crew
        self.gathers = plan.step.signature.shape != "one"
        """Whether events wait here for others before the step is called."""
        self._ordered = plan.step.policy.order_by is not None
        self._inbox_fed = plan.leased == plan.inbox
        self.inflight: dict[str, dict[int, Delivery]] = {}
        self.owed: dict[str, Delivery] = {}
        self.next: dict[str, int] = {}
        self.position: dict[str, int] = {}
        self.lanes = Lanes()
        self.seen = Seen()
        self.holding = Holding(plan, crew, self.owed, self.die)
        self.commands = Commands(plan, crew, self.dead, self.holding.fills, self)
        self.running = 0
        self.draining = False
        self.gone = False

    # -- taking in ------------------------------------------------------------------------------------------

    def take(self, record: Record, now: float) -> None:
        """A record was polled, at `now` on the worker's clock."""
        plan = self.plan
        delivery = Delivery(self, plan.producer, record=record)
        delivery.received = now
        self.next[record.topic] = record.offset + 1
        per_topic = self.inflight.get(record.topic)
        if per_topic is None:
            per_topic = self.inflight[record.topic] = {}
        per_topic[record.offset] = delivery
        if record.topic == plan.inbox and self.commands.is_command(delivery):
            self.commands.obey(delivery)
        elif self._is_new(delivery):
            self.route(delivery)

    def route(self, delivery: Delivery) -> None:
        """Into its lane, or its slot; what is wrong with it is dead-lettered in its turn."""
        delivery.error = delivery.error or self._wrong(delivery)
        if self.gathers:
            self._gather(delivery)
            return
        self._set_lane(delivery)
        if self.lanes.enter(delivery):
            self._advance(delivery)
        else:
            blocker = self.lanes.blocker(delivery)
            if blocker is not None:
                self._park(delivery, blocker)

    def _set_lane(self, delivery: Delivery) -> None:
        record = delivery.record
        if self._ordered and record is not None and record.key is not None:
            delivery.lane = record.key.decode("utf-8", "replace")

    def name(self, delivery: Delivery) -> Envelope | None:
        """Its first place and its workflow; the envelope, where there is one."""
        if self._inbox_fed and delivery.record is not None:
            delivery.place = origin(delivery.record)
        envelope = delivery.envelope
        if envelope is not None and not envelope.workflow:
            envelope = envelope._replace(workflow=workflow_id(*envelope.identity))
            delivery.envelope = envelope
        return envelope

    def _is_new(self, delivery: Delivery) -> bool:
        """Give the envelope its workflow; drop or refuse what was seen before."""
        envelope = self.name(delivery)
        if envelope is None or delivery.topic != self.plan.leased:
            return True
        if not self.crew.foreign(envelope.source):
            delivery.from_within = True
            return True
        verdict = self.seen.check(delivery.offset, envelope)
        if verdict == "same":
            self.crew.finished(Outcome(delivery, "dropped"))
            return False
        delivery.error = self._foreign_fault(envelope, same_body=verdict == "new")
        return True

    def _foreign_fault(self, envelope: Envelope, *, same_body: bool) -> BadInput | None:
        """What is wrong with an event that no step of this dance wrote."""
        if not same_body:
            what = f"id {envelope.id!r} of source {envelope.source!r} was seen with another body or workflow"
            return IdConflict(f"{what}; publish it under an id of its own")
        try:
            check_interoperable(envelope.data)
        except DecodeError as error:
            return error
        return None

    def _wrong(self, delivery: Delivery) -> BadInput | None:
        """Why a decoded record is not for this step, or None."""
        envelope = delivery.envelope
        if envelope is None or envelope.type == ABSENT:
            return None
        if envelope.type != delivery.place[0]:
            return DecodeError(f"{envelope.type} stands in topic {delivery.place[0]}; publish it to its own topic")
        if (envelope.type, envelope.version) not in self.plan.views:
            known = ", ".join(f"v{v}" for name, v in self.plan.views if name == envelope.type)
            return UnknownVersion(f"{envelope.type} is v{envelope.version}; this step knows {known}")
        return None

    def resume(self, delivery: Delivery) -> None:
        """A delivery that a row told of goes on from where it stood."""
        state = delivery.state
        if state is not State.DEAD:
            self._judge(delivery)
        first = True
        if not self.gathers:
            self._set_lane(delivery)
            first = self.lanes.enter(delivery)
        if state is State.RETRY:
            self.wait_for(delivery)
        elif state is not State.DEAD and first:
            self.again(delivery)

    def again(self, delivery: Delivery) -> None:
        """Judge and run a delivery anew: the code that reads it may have changed."""
        if delivery.group is not None:
            self.crew.ready(delivery)
            return
        self._judge(delivery)
        if self.gathers:
            self._gather(delivery)
        else:
            self._advance(delivery)

    def _judge(self, delivery: Delivery) -> None:
        """What is wrong with it, found anew: no row tells it, and a redrive may mend it."""
        envelope = delivery.envelope
        if envelope is None and delivery.record is not None:
            delivery.error = Delivery(self, self.plan.producer, record=delivery.record).error
        elif envelope is not None and delivery.topic == self.plan.leased and self.crew.foreign(envelope.source):
            delivery.error = self._foreign_fault(envelope, same_body=self.seen.knows(envelope))
        delivery.error = delivery.error or self._wrong(delivery)

    def discarded(self, delivery: Delivery, outcome: Outcome) -> None:
        """A dead letter was discarded: its lane goes on, its group counts it as missing."""
        if delivery.group is not None:
            self.holding.close(delivery.group, outcome)
        self._leave(delivery)
        if self.gathers:
            self.holding.give_up(delivery, outcome)

    def dead(self) -> list[Delivery]:
        """The dead letters of this partition."""
        held = [d for d in self.owed.values() if d.state is State.DEAD]
        return held + [d for per in self.inflight.values() for d in per.values() if d.state is State.DEAD]

    def _gather(self, delivery: Delivery) -> None:
        if delivery.error is not None:
            self.die(delivery, _reason(delivery), delivery.error, absences=False)
        else:
            self.holding.take(delivery)

    def remembered(self, rows: dict[str, bytes | None], positions: dict[str, int], now: float) -> None:
        """Row changes are durable: forget what they deleted."""
        self.holding.forget(rows, now)
        self.seen.commit(positions.get(self.plan.leased, 0), now)

    # -- lanes ----------------------------------------------------------------------------------------------

    def _advance(self, delivery: Delivery) -> None:
        """The head of a lane goes on: to run, to be forwarded, or to die."""
        delivery.behind = ""
        if delivery.error is not None:
            self.die(delivery, _reason(delivery), delivery.error)
        elif delivery.envelope is not None and delivery.envelope.type == ABSENT:
            self._forward_absence(delivery)
        else:
            delivery.state = State.READY
            self.crew.ready(delivery)

    def _leave(self, delivery: Delivery) -> None:
        delivery.state = State.DONE
        following = self.lanes.leave(delivery)
        if following is not None:
            self._advance(following)

    def _park(self, delivery: Delivery, blocker: Delivery) -> None:
        """It waits behind a retry or a dead letter: it gets a row, so that the partition goes on."""
        dead = blocker.state is State.DEAD
        behind = blocker.ids.delivery if dead else ""
        if delivery.state is State.PARKED and delivery.behind == behind:
            return
        delivery.state, delivery.behind = State.PARKED, behind
        facts = [outcomes.fact(self.plan, delivery, "parked", behind=delivery.behind)] if dead else []
        rows: dict[str, bytes | None] = {delivery.key: delivery_row(delivery, "parked")}
        self.crew.finished(Outcome(delivery, "parked", facts=facts, rows=rows, settles=False))

    def _park_behind(self, blocker: Delivery) -> None:
        for delivery in list(self.lanes.behind(blocker)):
            self._park(delivery, blocker)

    # -- endings --------------------------------------------------------------------------------------------

    def complete(self, delivery: Delivery, given: Given, started: float, finished: float) -> None:
        """An attempt gave something."""
        if delivery.state is not State.RUNNING:  # one before it in its lane was undone meanwhile
            return
        try:
            outcome = outcomes.completed(self.plan, delivery, given, started, finished)
        except RecordRefused as error:
            self.die(delivery, "too-large", error, started=started, finished=finished)
            return
        if delivery.group is not None:
            self.holding.close(delivery.group, outcome)
        self.crew.finished(outcome)
        if delivery.lane is None:
            delivery.state = State.DONE
        else:
            self._leave(delivery)

    def fail(self, delivery: Delivery, error: BaseException, started: float, finished: float) -> None:
        """An attempt raised: it is retried, or it dies."""
        if delivery.state is not State.RUNNING:
            return
        policy = self.plan.step.policy
        wait = policy.retry.next_wait(error, delivery.ids.delivery, delivery.attempt - delivery.spent)
        if isinstance(error, DecodeError):
            self.die(delivery, "invalid", error, started=started, finished=finished)
        elif isinstance(error, Undeclared):
            self.die(delivery, "undeclared", error, started=started, finished=finished)
        elif wait is None:
            reason = "terminal" if policy.retry.is_terminal(error) else "exhausted"
            self.die(delivery, reason, error, started=started, finished=finished)
        else:
            self._retry(delivery, error, wait, started, finished)

    def _retry(self, delivery: Delivery, error: BaseException, wait: float, started: float, finished: float) -> None:
        delivery.state, delivery.due = State.RETRY, self.plan.clock.now() + wait
        times = {"started": started, "finished": finished}
        told = outcomes.error_of(self.plan, error)
        fact = outcomes.fact(self.plan, delivery, "retrying", **times, due=delivery.due, error=told)
        outcome = Outcome(delivery, "retrying", facts=[fact], settles=False, error=error)
        outcome.started, outcome.finished = started, finished
        delivery.attempt += 1
        outcome.rows[delivery.key] = delivery_row(delivery, "retry")
        self.crew.finished(outcome)
        self.wait_for(delivery)
        self._park_behind(delivery)

    def wait_for(self, delivery: Delivery) -> None:
        """Arm the timer of a retry."""
        delay = max(0.0, delivery.due - self.plan.clock.now())
        delivery.timer = self.crew.later(delay, lambda: self._due(delivery))

    def _due(self, delivery: Delivery) -> None:
        if delivery.state is State.RETRY and not self.gone:
            delivery.state = State.READY
            self.crew.ready(delivery)

    def die(
        self,
        delivery: Delivery,
        reason: str,
        error: BaseException,
        *,
        started: float = 0.0,
        finished: float = 0.0,
        absences: bool = True,
    ) -> None:
        """Set it aside: dlq, fact, row, and inside a group a pending absence; later ones of its lane wait."""
        plan, error = self.plan, _without_values(error)
        delivery.state, delivery.reason = State.DEAD, reason
        outcome = Outcome(delivery, "dead", settles=False, error=error, started=started, finished=finished)
        told = outcomes.error_of(self.plan, error)
        more: dict[str, Any] = {"reason": reason, "error": told, "partition": self.lease.partition}
        if started:
            more |= {"started": started, "finished": finished}
        outcome.records.append(outcomes.dead_letter(plan, delivery, reason, error))
        if absences and not delivery.spent:  # its group was told when it died first
            records, outs = outcomes.absences(plan, delivery, Why(pending=True, reason=reason))
            outcome.records += records
            if outs:
                more["outputs"] = outs
        fills = self.holding.fills(delivery) if self.gathers else None
        if fills is not None:
            more["fills"] = fills
        outcome.facts.append(outcomes.fact(plan, delivery, "dead", **more))
        outcome.rows[delivery.key] = delivery_row(delivery, "dead")
        self.crew.finished(outcome)
        self._park_behind(delivery)

    def refuse(self, outcome: Outcome, error: RecordRefused, queue: deque[Outcome]) -> None:
        """The log refused what a delivery gave: it dies; what ended behind it in its lane is undone and waits."""
        delivery = outcome.delivery
        if delivery.group is not None:
            self.holding.reopen(delivery.group)
        late = [o for o in queue if self._is_behind(o, delivery)]
        for undone in late:
            queue.remove(undone)
            undone.delivery.attempt -= undone.ending == "retrying"
        left = [o.delivery for o in late if o.ending == "completed"]  # the others still stand in their lane
        self.lanes.put_back([delivery, *left])
        self.die(delivery, "refused", error, started=outcome.started, finished=outcome.finished)

    def _is_behind(self, outcome: Outcome, delivery: Delivery) -> bool:
        late = outcome.delivery
        same = late.partition is self and late.lane is not None and late.lane == delivery.lane
        return same and outcome.ending in ("completed", "retrying", "dead")

    # -- absences -------------------------------------------------------------------------------------------

    def _forward_absence(self, delivery: Delivery) -> None:
        absence = None if delivery.envelope is None else read_absence(delivery.envelope)
        if absence is None:
            error = DecodeError("the absence's data is not what farandole.absent.v1 says")
            self.die(delivery, "invalid", error)
            return
        self.crew.finished(outcomes.forwarded(self.plan, delivery, absence.why))
        self._leave(delivery)


def _reason(delivery: Delivery) -> str:
    if isinstance(delivery.error, UnknownVersion):
        return "unknown-version"
    if isinstance(delivery.error, IdConflict):
        return "id-conflict"
    return "undecodable" if delivery.envelope is None else "invalid"


def _without_values(error: BaseException) -> BaseException:
    """A validation error's text holds the payload; keep only which field and what was expected."""
    return DecodeError(explain(error)) if isinstance(error, ValidationError) else error
