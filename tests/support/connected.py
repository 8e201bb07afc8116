"""Whether the traces of a log hang together (I17): one trace a workflow, and every delivery in it.

Derives the ids for itself, from the facts as they stand in the journal; of the spans it believes nothing but their
ids and parents. A span is anything with `context` (trace and span in hex), `parent`, `name` and `links`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Protocol

ATTEMPTS = ("completed", "retrying", "dead", "held")
LINKS = 20_000  # of a span, at most


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
    """What is wrong; empty where every attempt that the journal tells of is one span of its workflow's one trace, hangs
    on the attempt that published its event (on the root, where no fact says who did), links to all members of its
    group, and every span leads to the workflow's root, which may not be there yet.
    """
    by_trace: dict[str, dict[str, SpanLike]] = defaultdict(dict)
    times: Counter[tuple[str, str]] = Counter()
    for span in spans:
        by_trace[span.context.trace][span.context.span] = span
        times[span.context.trace, span.context.span] += 1
    found = [f"span {span} of trace {trace} came {n} times" for (trace, span), n in times.items() if n > 1]
    workflows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in facts:
        workflows[fact["workflow"]].append(fact)
    for workflow, told in workflows.items():
        trace = hashed(f"trace\x1f{workflow}", 32)
        members, root = by_trace.pop(trace, {}), hashed(f"root\x1f{workflow}", 16)
        found += [*_misplaced(told, members, root), *_loose(members, root, trace)]
    return found + [f"trace {trace} is no workflow's" for trace in by_trace]


def _misplaced(facts: list[dict[str, Any]], members: dict[str, SpanLike], root: str) -> Iterator[str]:
    """Attempts of one workflow without a span, or with one that hangs elsewhere than its event came from."""
    given = {
        (f"{fact['service']}/{fact['step']}", event_id): attempt_of(fact)
        for fact in facts
        for event_id in outputs_of(fact)
    }
    held: dict[tuple[str, str], set[str]] = defaultdict(set)  # where a group's members came from
    for fact in facts:
        if fact["fact"] not in ATTEMPTS:
            continue
        step, event, group = f"{fact['service']}/{fact['step']}", fact.get("event"), fact.get("group")
        text = f"{fact['fact']} attempt {fact['attempt']} at {step}"
        span = members.get(attempt_of(fact))
        if span is None:
            yield f"no span of {text}"
            continue
        if event:
            wanted = {given.get((event["source"], event["id"]), root)}
            fills = fact.get("fills")
            if fills and not fills.get("absent"):
                held[step, fills["group"]] |= wanted
        else:
            wanted = held[step, group["id"]] if group["count"] else {root}
            if sum(link.to.span in wanted for link in span.links) < min(group["count"], LINKS):
                yield f"{text} does not link to the {group['count']} members of its group"
        if span.parent not in wanted:
            yield f"{text} hangs on {span.parent}, not where its event came from"


def outputs_of(fact: dict[str, Any]) -> Iterator[str]:
    """The ids of what a fact says was published."""
    for out in fact.get("outputs") or ():
        if "group" in out and "absent" not in out:
            raw = bytes.fromhex(delivery_of(fact))
            for index in range(out.get("start", 0), out.get("start", 0) + len(out["keys"])):
                yield blake2b(raw + b"\x1e%d.%d" % (out["slot"], index)).hexdigest()[:32]
        else:
            yield str(out["id"])


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
