"""A lineage as a tree that fits a page: events of one type, made by one version of a step, stand on one line."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from farandole_observe.questions.lineage import Lineage


@dataclass(frozen=True, slots=True)
class Layer:
    """Events of one type and one maker, below what was made of them. `again`: all of them stand further up already,
    with all that follows. `step`, `version`: empty of inputs, and where no attempt made them.
    """

    depth: int
    type: str
    absent: bool
    step: str
    version: str
    events: tuple[int, ...]
    again: bool


_Kind = tuple[bool, str, str, str]


def layers(lineage: Lineage, start: Iterable[int], following: Callable[[int], Iterable[int]]) -> list[Layer]:
    """From these events on, depth first; `following` gives an event's parents, or its children."""
    found: list[Layer] = []
    seen: set[int] = set()
    stack = [(0, *layer) for layer in reversed(_sorted(lineage, start))]
    while stack:
        depth, (absent, name, step, version), events = stack.pop()
        again = seen.issuperset(events)
        found.append(Layer(depth, name, absent, step, version, events, again))
        if not again:
            seen.update(events)
            below = dict.fromkeys(n for event in events for n in following(event))
            stack.extend((depth + 1, *layer) for layer in reversed(_sorted(lineage, below)))
    return found


def _sorted(lineage: Lineage, events: Iterable[int]) -> list[tuple[_Kind, tuple[int, ...]]]:
    kinds = defaultdict[_Kind, list[int]](list)
    for number in events:
        made = lineage.events[number]
        making = None if made.by is None else lineage.makings[made.by]
        last = None if making is None else making.last
        name = made.view.topic if made.view.absent else made.view.type
        step = "" if making is None else making.step
        kinds[made.view.absent, name, step, "" if last is None else last.version].append(number)
    return [(kind, tuple(sorted(numbers))) for kind, numbers in sorted(kinds.items())]
