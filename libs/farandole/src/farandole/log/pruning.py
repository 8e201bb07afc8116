"""What every engine says alike where a log was pruned, or is to be."""

from collections.abc import Collection, Mapping

from farandole.events.errors import ConfigError, LogError
from farandole.log.record import Place, Span, TopicPartition


def check_prunable(
    before: Mapping[TopicPartition, int], spans: Mapping[TopicPartition, Span], compacted: Collection[str]
) -> None:
    """Raise ConfigError where records before these offsets cannot be removed. `compacted`: names of such topics."""
    for (topic, partition), offset in before.items():
        span = spans.get((topic, partition))
        if span is None:
            raise ConfigError(f"there is no partition {partition} of a topic {topic!r} to prune")
        if topic in compacted:
            raise ConfigError(f"topic {topic!r} is compacted: it keeps the latest of each key, and cannot be pruned")
        if not 0 <= offset <= span.end:
            raise ConfigError(f"{topic}/{partition} cannot be pruned before {offset}; it ends at {span.end}")


def gone_unhandled(group: str, place: Place, start: int) -> LogError:
    """A group's position lies before what the log still has."""
    return LogError(
        f"{group} is to go on at {place.topic}/{place.partition}/{place.offset}, but the log begins at {start}: what "
        "lay between is gone unhandled. Restore it, or set the position by hand, knowing that"
    )


def gone_handled(group: str, place: Place, end: int) -> LogError:
    """A group's position lies behind all that the log still has."""
    return LogError(
        f"{group} is to go on at {place.topic}/{place.partition}/{place.offset}, but the log ends at {end}: what it "
        "has handled is gone from there. Restore it, or set the position by hand, knowing that"
    )


def gone_unread(place: Place, start: int) -> LogError:
    """A reader wants what the log has no longer."""
    return LogError(
        f"the log no longer holds what was to be read from {place.topic}/{place.partition}/{place.offset} on; it "
        f"begins at {start}: read from its beginning"
    )
