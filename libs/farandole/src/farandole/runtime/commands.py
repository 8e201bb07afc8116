"""One-off words to a step, through its inbox: redrive or discard a dead letter."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from farandole.runtime import outcome as outcomes
from farandole.runtime.absence import Why, json_object
from farandole.runtime.crew import Crew
from farandole.runtime.delivery import Delivery, State
from farandole.runtime.outcome import Outcome
from farandole.runtime.plan import Plan
from farandole.runtime.rows import delivery_row

REDRIVE = "farandole.redrive"
DISCARD = "farandole.discard"


class Afterwards(Protocol):
    """What follows for a delivery that is dead no more."""

    def again(self, delivery: Delivery) -> None:
        """It is judged and run anew."""
        ...

    def discarded(self, delivery: Delivery, outcome: Outcome) -> None:
        """It will not come; what waited behind it goes on. `outcome` takes the row changes that follow."""
        ...


Fills = Callable[[Delivery], dict[str, Any] | None]
"""Which slot of a group here a dead member left pending."""


class Commands:
    """Carries out commands on the dead letters of one partition; a word about anything else changes nothing."""

    def __init__(
        self, plan: Plan, crew: Crew, dead: Callable[[], Iterable[Delivery]], fills: Fills, afterwards: Afterwards
    ) -> None:
        self._plan, self._crew, self._dead, self._fills, self._afterwards = plan, crew, dead, fills, afterwards

    def is_command(self, delivery: Delivery) -> bool:
        """Whether an inbox's record is a command rather than a delivery."""
        return delivery.envelope is not None and delivery.envelope.type in (REDRIVE, DISCARD)

    def obey(self, command: Delivery) -> None:
        """Do what it says; doing it again has no effect, for the letter is dead no more.

        The command itself is finished last: a commit that holds less leaves it to be carried out again.
        """
        envelope = command.envelope
        body = json_object(envelope.data) if envelope is not None else {}
        wanted = body.get("delivery")
        dead = next((d for d in self._dead() if d.ids.delivery == wanted), None)
        command.state = State.DONE
        if envelope is not None and dead is not None:
            if envelope.type == REDRIVE:
                self._redrive(dead, str(body.get("by", "")))
            else:
                self._discard(dead, str(body.get("by", "")), str(body.get("reason", "")))
        self._crew.finished(Outcome(command, "dropped"))

    def _redrive(self, dead: Delivery, by: str) -> None:
        facts = [outcomes.fact(self._plan, dead, "redriven", by=by)]
        dead.spent, dead.attempt, dead.error = dead.attempt, dead.attempt + 1, None
        dead.state, dead.reason = State.READY, ""
        rows: dict[str, bytes | None] = {dead.key: delivery_row(dead, "open")}
        self._crew.finished(Outcome(dead, "redriven", facts=facts, rows=rows, settles=False))
        self._afterwards.again(dead)

    def _discard(self, dead: Delivery, by: str, why: str) -> None:
        records, outs = outcomes.absences(self._plan, dead, Why(reason="discarded"))
        if dead.group is None and self._plan.step.signature.shape != "one":  # its slot becomes an absence, no more
            records, outs = [], []
        more: dict[str, Any] = {"by": by, "reason": why} | ({"outputs": outs} if outs else {})
        fills = self._fills(dead)
        if fills is not None:
            more["fills"] = fills | {"pending": False}
        outcome = Outcome(dead, "discarded", records, [outcomes.fact(self._plan, dead, "discarded", **more)])
        self._crew.finished(outcome)
        self._afterwards.discarded(dead, outcome)
