"""Whether the traces of a log hang together (I17): one trace a workflow, and every delivery in it.

Derives the ids for itself, from the facts as they stand in the journal; of the spans it believes nothing but their
ids and parents. A span is anything with `context` (trace and span in hex), `parent`, `name` and `links`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol

ATTEMPTS = ("completed", "retrying", "dead", "held")


class Named(Protocol):
    """A span's context: hex digits."""

    trace: str
    span: str


class SpanLike(Protocol):
    """What is read of a span."""

    @property
    def context(self) -> Any: ...
    @property
    def parent(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def links(self) -> Iterable[Any]: ...


def unconnected(facts: Iterable[dict[str, Any]], spans: Iterable[SpanLike]) -> list[str]:
    """What is wrong; empty where every attempt that the journal tells of is one span of its workflow's one trace,
    and every span leads to the workflow's root, which may not be there yet.
    """
    by_trace: dict[str, dict[str, SpanLike]] = defaultdict(dict)
    times: Counter[tuple[str, str]] = Counter()
    for span in spans:
        by_trace[span.context.trace][span.context.span] = span
        times[span.context.trace, span.context.span] += 1
    found = [f"span {span} of trace {trace} came {n} times" for (trace, span), n in times.items() if n > 1]
    workflows: dict[str, str] = {}
    for fact in facts:
        trace = hashed(f"trace\x1f{fact['workflow']}", 32)
        workflows[trace] = fact["workflow"]
        if fact["fact"] in ATTEMPTS and attempt_of(fact) not in by_trace[trace]:
            found.append(f"no span of {fact['fact']} attempt {fact['attempt']} at {fact['service']}/{fact['step']}")
    for trace, members in by_trace.items():
        if trace not in workflows:
            found.append(f"trace {trace} is no workflow's")
        else:
            found += _loose(members, hashed(f"root\x1f{workflows[trace]}", 16), trace)
    return found


def attempt_of(fact: dict[str, Any]) -> str:
    """The id of an attempt's span."""
    delivery, attempt, event = delivery_of(fact), fact["attempt"], fact.get("event")
    if event and fact.get("reason") == "id-conflict":
        topic, partition, offset = event["at"]
        return hashed(f"twin\x1f{delivery}\x1f{attempt}\x1f{topic}/{partition}/{offset}", 16)
    return delivery[-16:] if attempt == 1 else hashed(f"span\x1f{delivery}\x1f{attempt}", 16)


def delivery_of(fact: dict[str, Any]) -> str:
    """The id of a delivery."""
    if fact.get("group"):
        return str(fact["group"]["delivery"])
    event, step = fact["event"], f"{fact['service']}/{fact['step']}"
    text = f"delivery\x1f\x1f{step}\x1f{fact.get('generation', 0)}\x1f{event['source']}\x1f{event['id']}"
    return hashed(text, 32)


def hashed(text: str, digits: int) -> str:
    """As every id is made: the beginning of a BLAKE2b digest."""
    return blake2b(text.encode()).hexdigest()[:digits]


def _loose(members: dict[str, SpanLike], root: str, trace: str) -> list[str]:
    """Spans of one trace that do not lead to its root, and links within it that lead nowhere."""
    found, safe = [], {root}
    for start, first in members.items():
        way, here = list[str](), start
        while here not in safe and here in members and here not in way:
            way.append(here)
            here = members[here].parent
        if here in safe:
            safe.update(way)
        else:
            found.append(f"{first.name} {start} does not lead to the root of its trace")
    for span in members.values():
        lost = {link.to.span for link in span.links if link.to.trace == trace} - members.keys() - {root}
        found += [f"{span.name} links to {one}, which is no span of its trace" for one in sorted(lost)]
    return found
