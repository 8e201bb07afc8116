"""Attempts and their ends as telemetry is told of them."""

from farandole.log.hooks import Attempt, Ended
from farandole.runtime.delivery import Delivery
from farandole.runtime.outcome import Outcome
from farandole.runtime.plan import Plan

TOLD = ("completed", "held", "retrying", "dead")
"""Endings that hooks hear of; the others are the library's own business."""


def attempt_of(plan: Plan, delivery: Delivery) -> Attempt:
    """The attempt that runs now."""
    step = plan.step
    return Attempt(
        service=step.service,
        step=step.name,
        delivery=delivery.ids.delivery,
        workflow=delivery.workflow,
        event=delivery.envelope,
        attempt=delivery.attempt,
        worker=plan.worker,
    )


def ended(plan: Plan, outcome: Outcome) -> Ended:
    """The attempt that an outcome ends."""
    return Ended(
        attempt=attempt_of(plan, outcome.delivery)._replace(attempt=outcome.attempt),
        ending=outcome.ending,  # type: ignore[arg-type]  # the caller looked: it is in TOLD
        started=outcome.started,
        finished=outcome.finished,
        outputs=len(outcome.records),
        error=outcome.error,
    )
