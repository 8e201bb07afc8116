"""Where in the log to read on, and what is not there any more."""

from collections.abc import Mapping
from typing import NamedTuple

from farandole.events.errors import ConfigError
from farandole.log.record import Span, TopicPartition
from farandole_observe.projection.keeping import Positions

Spans = Mapping[TopicPartition, Span]
_NOTHING = Span(0, 0)


class Beginning(NamedTuple):
    """By partition the offset to read on from, and how many offsets before it are gone that were not folded."""

    start: dict[TopicPartition, int]
    gone: dict[TopicPartition, int]


def beginning(spans: Spans, positions: Positions) -> Beginning:
    """Where to read on behind these positions."""
    found = Beginning({}, {})
    for place in spans.keys() | positions.keys():
        stands = positions[place].next if place in positions else 0
        span = spans.get(place, _NOTHING)
        found.start[place] = max(stands, span.start)
        if span.start > stands:
            found.gone[place] = span.start - stands
    return found


def beyond(spans: Spans, positions: Positions) -> TopicPartition | None:
    """A partition that ends before its position: then the positions are of another log."""
    return next((place for place, stands in positions.items() if stands.next > spans.get(place, _NOTHING).end), None)


def check_log(name: str, spans: Spans, positions: Positions) -> None:
    """Raises ConfigError where the positions of a projection are of another log."""
    place = beyond(spans, positions)
    if place is not None:
        raise ConfigError(
            f"projection {name!r} is at offset {positions[place].next} of {place[0]}/{place[1]}, where the log ends "
            "earlier: it was folded from another log; name that with --log, or `farandole projection rebuild`"
        )
