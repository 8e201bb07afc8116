"""When what happened in a workflow: each attempt, and how long the delivery had waited for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from farandole.fold.state import ENDED, Delivery, Node
from farandole.fold.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Bar:
    """One delivery on the time axis, in seconds since the epoch. `attempts`: start, end and ending of each.

    `ready`: when it could have begun: its event was there, or its group full. `ended`: None while it has not.
    """

    step: str
    type: str
    key: str | None
    id: str
    state: str
    ready: float
    ended: float | None
    attempts: tuple[tuple[float, float, str], ...]

    @property
    def waited(self) -> float | None:
        """Seconds from `ready` to the first attempt's start; None where none was made."""
        return max(0.0, self.attempts[0][0] - self.ready) if self.attempts else None


def bars(workflow: Workflow) -> list[Bar]:
    """Every delivery that is known, by the time at which it could have begun; members of groups have none."""
    return sorted(_bars(workflow), key=lambda bar: (bar.ready, bar.attempts[:1], bar.step, bar.id))


def _bars(workflow: Workflow) -> Iterator[Bar]:
    for node in workflow.nodes.values():
        for step in node.owing:
            if step not in node.deliveries:
                yield Bar(step, node.wire, node.key, node.id, "owed", node.time, None, ())
        for delivery in node.deliveries.values():
            if delivery.state != "held" or delivery.attempts:
                yield _bar(delivery, node.time, node)
    for gathering in workflow.gatherings.values():
        owing = gathering.untold if gathering.standing == "owed" else gathering.delivery
        if owing is not None:
            yield _bar(owing, gathering.latest, None)


def _bar(delivery: Delivery, ready: float, node: Node | None) -> Bar:
    return Bar(
        step=delivery.step,
        type=node.wire if node is not None else "",
        key=node.key if node is not None else None,
        id=node.id if node is not None else delivery.group,
        state=delivery.state,
        ready=ready,
        ended=delivery.since if delivery.state in ENDED else None,
        attempts=tuple((ran.started, ran.finished, ran.ending) for ran in delivery.attempts),
    )
