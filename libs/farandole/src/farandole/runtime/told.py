"""Attempts and their ends as telemetry is told of them."""

from farandole.log.hooks import Attempt, Ended, Ending
from farandole.runtime.delivery import Delivery
from farandole.runtime.outcome import Outcome
from farandole.runtime.plan import Plan

TOLD: tuple[Ending, ...] = ("completed", "held", "retrying", "dead")
"""Endings that hooks hear of; the others are the library's own business."""


def attempt_of(plan: Plan, delivery: Delivery) -> Attempt:
    """The attempt that runs now; remembered, for its end names it again."""
    step = plan.step
    parts = (step.service, step.name, delivery.ids.delivery, delivery.workflow, delivery.envelope)
    told: Attempt = tuple.__new__(Attempt, (*parts, delivery.attempt, plan.worker))
    delivery.told = told
    return told


def ended(plan: Plan, outcome: Outcome) -> Ended:
    """The attempt that an outcome ends."""
    told = outcome.delivery.told
    if told is None or told.attempt != outcome.attempt:  # it ran elsewhere, or never
        told = attempt_of(plan, outcome.delivery)._replace(attempt=outcome.attempt)
    group = outcome.delivery.group
    gave = (outcome.started, outcome.finished, len(outcome.records), outcome.error, outcome.facts)
    return tuple.__new__(Ended, (told, outcome.ending, *gave, None if group is None else group.envelopes))
