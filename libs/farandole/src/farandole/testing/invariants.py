"""The promises, checked on a log read raw; every checker gives its findings as text, none when all is well.

The numbers are those of the project's list of invariants. Nothing here looks into a running service.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from itertools import pairwise

import msgspec

from farandole.events.ids import Parent, fingerprint
from farandole.events.manifest import StepManifest
from farandole.log.record import Record
from farandole.runtime.delivery import FROM
from farandole.testing.history import Found, History
from farandole.testing.outputs import outputs_of
from farandole.testing.reference import Gathered, gathered
from farandole.testing.stories import Story

_PAST = frozenset({"dead", "closed", "seen"})  # rows that stay when all is done


def ends_once(history: History) -> Iterator[str]:
    """I1: every event ends exactly once at every step that takes it, or stands dead, or waits behind what does."""
    told = history.stories
    for story in told.values():
        yield from story.breaks()
    dead = any(story.standing == "dead" for story in told.values())
    for name, step in history.steps.items():
        for identity, records in _distinct(history.taken_by(step)).items():
            found = [told[name, (*r.place, 0)] for r in records if (name, (*r.place, 0)) in told]
            standing = [story.standing for story in found]
            if len(standing) != 1:
                yield f"{name}: event {identity} has {len(standing)} outcomes, not one"
            elif standing == ["owed"] or (standing == ["parked"] and not dead):
                yield f"{found[0].name}: {found[0].told[-1].fact.fact}, and nothing after it"


def keeps_order(history: History) -> Iterator[str]:
    """I3: what has one order value ends in the order in which it came."""
    told = history.stories
    places = {found.identity: found.record for topic in history.events.values() for found in topic}
    for name, step in history.steps.items():
        for lane in _lanes(history, name, step):
            line = [told[name, (*place, 0)] for place in lane if (name, (*place, 0)) in told]
            for before, after in pairwise(line):
                if after.end is not None and not _in_order(before, after, places):
                    yield f"{after.name}: ended before {before.name}, which came before it"


def all_or_nothing(history: History) -> Iterator[str]:
    """I4: what is visible was told of, what was told of is visible, and every id stands once."""
    told = Counter(output for one in history.told for output in outputs_of(one))
    there = Counter(
        (topic, found.identity)
        for topic, records in history.events.items()
        for found in records
        if found.identity.source in history.steps
    )
    for output in told.keys() | there.keys():
        if told[output] != 1 or there[output] != 1:
            topic, identity = output
            yield f"{topic}: event {identity} is there {there[output]} times and told of {told[output]} times"


def attempts_bounded(history: History) -> Iterator[str]:
    """I7: no delivery is tried more often than its step says, and each death is in the dlq exactly once."""
    for story in history.stories.values():
        limit, spent = history.steps[story.step].attempts, 0
        for told in story.told:
            attempt = told.fact.attempt
            if attempt - spent > limit:
                yield f"{story.name}: attempt {attempt} after {spent} were spent; at most {limit}"
            if told.fact.fact == "redriven":
                spent = attempt
    dead = Counter((t.fact.service, t.delivery, t.fact.attempt) for t in history.told if t.fact.fact == "dead")
    there = Counter(letter for topic in history.records for letter in _letters(history, topic))
    for letter in dead.keys() | there.keys():
        if dead[letter] != 1 or there[letter] != 1:
            yield f"dead letter {letter} stands {there[letter]} times in the dlq and {dead[letter]} in the journal"


def redriven_once(history: History) -> Iterator[str]:
    """I8: a word about a dead letter that comes again changes nothing: one effect a death."""
    for story in history.stories.values():
        kinds = Counter(told.fact.fact for told in story.told)
        words = kinds["redriven"] + kinds["discarded"]
        if words > kinds["dead"]:
            yield f"{story.name}: died {kinds['dead']} times, and was redriven or discarded {words} times"


def gathers_whole(history: History) -> Iterator[str]:
    """I10: a group or join fires once, with all that came, where the reference says that it is complete."""
    told: dict[str, dict[Hashable, Story]] = defaultdict(dict)
    for story in history.stories.values():
        told[story.step][story.of] = story
    for name, step in history.steps.items():
        if step.shape == "one":
            continue
        expected = Counter(gathered(history, name, step, told[name]))
        there = Counter(one for story in told[name].values() if (one := _fired(story)) is not None)
        for one in expected.keys() | there.keys():
            if expected[one] != there[one]:
                yield f"{name}: {one} should fire {expected[one]} times and fired {there[one]} times"


def healed(history: History) -> Iterator[str]:
    """I13: nothing lags and no row is left but what stays: dead letters, closed groups, inputs seen."""
    stand = [story for story in history.stories.values() if story.standing == "dead"]
    for name, step in history.steps.items():
        yield from _lag(history, name, step)
        rows = [_kind(row) for row in _rows(history, name)]
        for kind, count in Counter(rows).items():
            if kind not in _PAST and (not stand or kind in ("open", "retry")):
                yield f"{name}: {count} rows of kind {kind!r} are left"
        dead = sum(story.step == name for story in stand)
        if rows.count("dead") != dead:
            yield f"{name}: {rows.count('dead')} rows of dead letters, and {dead} that stand dead"


INVARIANTS: dict[str, Callable[[History], Iterator[str]]] = {
    "I1": ends_once,
    "I3": keeps_order,
    "I4": all_or_nothing,
    "I7": attempts_bounded,
    "I8": redriven_once,
    "I10": gathers_whole,
    "I13": healed,
}


def check(history: History) -> list[str]:
    """Everything that is wrong, each finding with the number of its invariant."""
    return [f"{number}: {found}" for number, checker in INVARIANTS.items() for found in checker(history)]


def _distinct(records: list[Found]) -> dict[tuple[Parent, bytes], list[Record]]:
    """Records by identity and body: a foreign event that came twice is one."""
    distinct: dict[tuple[Parent, bytes], list[Record]] = defaultdict(list)
    for found in records:
        distinct[found.identity, fingerprint(found.record.value or b"")].append(found.record)
    return distinct


def _lanes(history: History, name: str, step: StepManifest) -> list[list[tuple[str, int, int]]]:
    """Per order value the first places of what came, in order; none where the step keeps no order."""
    if step.shape != "one" or step.order_by is None:
        return []
    inbox = history.records.get(f"{name.replace('/', '.')}.inbox", [])
    fed = [record for record in inbox if dict(record.headers).get(FROM)]
    lanes: dict[tuple[int, bytes], list[tuple[str, int, int]]] = defaultdict(list)
    for record in fed or [found.record for found in history.taken_by(step)]:
        if record.key is not None:
            lanes[record.partition, record.key].append(_first_place(record))
    return list(lanes.values())


def _first_place(record: Record) -> tuple[str, int, int]:
    noted = dict(record.headers).get(FROM)
    if not noted:
        return record.place
    topic, partition, offset = noted.decode().split("/")
    return topic, int(partition), int(offset)


def _in_order(before: Story, after: Story, places: dict[Parent, Record]) -> bool:
    first, second = before.end, after.end
    if first is None or second is None or first.time > second.time:
        return False
    if first.place[0] == second.place[0] and first.place > second.place:
        return False
    last: dict[tuple[str, int], int] = {}
    for _, identity in outputs_of(first):
        if (record := places.get(identity)) is not None:
            last[record.topic, record.partition] = record.offset
    later = (places[identity] for _, identity in outputs_of(second) if identity in places)
    return all(record.offset > last.get((record.topic, record.partition), -1) for record in later)


def _letters(history: History, topic: str) -> Iterator[tuple[str, str, int]]:
    if topic.endswith(".dlq"):
        for record in history.records[topic]:
            about = dict(record.headers)
            delivery, attempt = about["fd-delivery"] or b"", about["fd-attempt"] or b""
            yield topic.removesuffix(".dlq"), delivery.decode(), int(attempt)


def _fired(story: Story) -> Gathered | None:
    fact = story.told[-1].fact
    if fact.group is None:
        return None
    group = fact.group
    return Gathered(story.step, fact.workflow, fact.generation, group.count, group.digest, tuple(group.absent))


def _lag(history: History, name: str, step: StepManifest) -> Iterator[str]:
    inbox = f"{name.replace('/', '.')}.inbox"
    topics = {topic for topic, _ in step.consumed}
    for (topic, partition), span in history.spans.items():
        if (topic != inbox and topic not in topics) or not span.end:
            continue
        groups = (history.committed.get(group, {}) for group in (name, f"{name}/{topic}"))
        position = max(positions.get((topic, partition), 0) for positions in groups)
        if position != span.end:
            yield f"{name}: {topic}/{partition} ends at {span.end}, and it is at {position}"


def _rows(history: History, name: str) -> Iterator[bytes]:
    for record in history.records.get(f"{name.replace('/', '.')}.state", ()):
        if record.value is not None:
            yield record.value


def _kind(row: bytes) -> str:
    fields = msgspec.msgpack.decode(row)
    return str(fields["kind"])
