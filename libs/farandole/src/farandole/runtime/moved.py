"""Refuses a version under which a step's state would move, or its rows mean something else: no replica could go on.

Where a step leases its inbox instead of the topic of its event, or the other way round, its group has no position
there: it would begin anew, beside old replicas that still handle the same events.
"""

from collections.abc import Iterable

from farandole.events.errors import DeclarationError
from farandole.events.manifest import Manifest, StepManifest
from farandole.runtime.declare import AnyStep

_SHAPES = {"one": "takes each event by itself", "fan-in": "gathers a group", "join": "joins several types"}
_PLACES = {True: "reads its inbox (several types, or another order)", False: "reads the topic of its event"}


def refuse_moved(steps: Iterable[AnyStep], before: Iterable[Manifest]) -> None:
    """`before`: the versions of their service that were declared so far.

    Raises DeclarationError for a step that leases or gathers otherwise than when its name was last declared.
    """
    latest = {step.name: step for manifest in sorted(before, key=lambda m: m.at) for step in manifest.steps}
    for step in steps:
        then = latest.get(step.name)
        if then is not None and (why := _moved(step, then)):
            raise DeclarationError(
                f"step {step.producer}: {why}; its state would be left behind, and events be handled twice: once it "
                f'owes nothing, declare it anew, with name="{step.name}-2", start="now" (docs/operating.md, What does '
                "not roll); where the log is only for trying, begin a new one"
            )


def _moved(step: AnyStep, then: StepManifest) -> str:
    """Why what is kept under its name is of no use to it; empty: it is of use."""
    shape, inbox = step.signature.shape, _had_inbox(step, then)
    if shape != then.shape:
        now, once = _SHAPES[shape], _SHAPES[then.shape]
    elif step.fed_by_inbox != inbox:
        now, once = _PLACES[step.fed_by_inbox], _PLACES[inbox]
    else:
        return ""
    return f"it {now}, but under this name it was declared as one that {once}"


def _had_inbox(step: AnyStep, then: StepManifest) -> bool:
    """Of an older library, which did not say so, by the keys that its types have now."""
    if then.inbox is not None:
        return then.inbox
    topics = {name for name, _ in then.consumed}
    keys = {event.event_type.key for event in step.signature.consumed if event.event_type.name in topics}
    other_order = bool(keys) and then.order_by is not None and then.order_by not in keys
    return then.shape != "one" or len(topics) > 1 or other_order
