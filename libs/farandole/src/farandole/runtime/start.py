"""`start="now"`: a new step's positions begin before its manifest says so, so that it is owed nothing that it skips."""

from farandole.events import topics
from farandole.events.errors import LogUnavailable
from farandole.log.ports import Interest, Log
from farandole.runtime.declare import AnyStep

_PATIENCE = 60  # polls of at most a second until every partition was leased by somebody once


async def begin_now(log: Log, step: AnyStep) -> None:
    """Have every partition that the step takes from begin at its present end. Raises LogUnavailable if it can't be."""
    types = sorted(step.signature.topics)
    if not step.fed_by_inbox:
        inbox, state = topics.inbox(step.service, step.name), topics.state(step.service, step.name)
        await _begin(log, Interest(step.producer, types[0], "now", inbox, state))
        return
    for name in types:
        await _begin(log, Interest(topics.forwarder(step.producer, name), name, "now"))


async def _begin(log: Log, interest: Interest) -> None:
    spans = await log.spans([interest.topic])
    subscription = await log.subscribe(interest)
    try:
        for _ in range(_PATIENCE):
            if spans.keys() <= (await log.committed(interest.group)).keys():
                return
            await subscription.poll(limit=0, timeout=1.0)
    finally:
        await subscription.close()
    raise LogUnavailable(f"{interest.group} was not given the partitions of {interest.topic} to begin at their end")
