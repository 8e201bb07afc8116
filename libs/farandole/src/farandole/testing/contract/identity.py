"""Identity: what is appended again with its identity is written once."""

import asyncio
from collections import Counter

from farandole.events.errors import IdConflict
from farandole.log.record import NewRecord, TopicSpec
from farandole.testing.contract.checks import expect, refused, same
from farandole.testing.contract.look import attempt, count_of, numbered, values_of
from farandole.testing.contract.rig import Case, Rig

IDS = [b"id-%d" % n for n in range(10)]


async def an_identity_is_written_once(rig: Rig) -> None:
    """The same identity and value again gives the first place and writes nothing."""
    log = await rig.open()
    await log.ensure([TopicSpec("events", 2)])
    first = await log.append(numbered("events", 3), identities=IDS[:3])
    same(await log.append(numbered("events", 3), identities=IDS[:3]), first, "places the second time")
    more = await log.append(numbered("events", 5), identities=IDS[:5])
    same(more[:3], first, "places among others")
    same(Counter(await values_of(log, "events")), Counter(b"%d" % n for n in range(5)), "values")


async def an_identity_has_one_value(rig: Rig) -> None:
    """The same identity with another value is refused, and nothing of the call is written."""
    log = await rig.open()
    await log.ensure([TopicSpec("events")])
    await log.append([NewRecord("events", b"a")], identities=[b"id"])
    call = log.append([NewRecord("events", b"new"), NewRecord("events", b"b")], identities=[b"other", b"id"])
    await refused(call, IdConflict)
    same(await values_of(log, "events"), [b"a"], "values")
    await log.append([NewRecord("events", b"newer")], identities=[b"other"])
    same(await values_of(log, "events"), [b"a", b"newer"], "an identity whose append was refused is free")


async def an_identity_counts_within_a_call(rig: Rig) -> None:
    """Twice in one call is once in the log; with two values nothing of the call is written."""
    log = await rig.open()
    await log.ensure([TopicSpec("events")])
    a, b = NewRecord("events", b"a"), NewRecord("events", b"b")
    places = await log.append([a, b, a], identities=[b"1", b"2", b"1"])
    same(places[0], places[2], "places of one identity")
    await refused(log.append([a, b], identities=[b"3", b"3"]), IdConflict)
    same(await values_of(log, "events"), [b"a", b"b"], "values")


async def what_has_no_identity_is_always_written(rig: Rig) -> None:
    """Without identities, or with None among them, equal records are written each time."""
    log = await rig.open()
    await log.ensure([TopicSpec("events")])
    for identities in (None, [None, b"id"], [None, b"id"]):
        await log.append([NewRecord("events", b"v"), NewRecord("events", b"v")], identities=identities)
    same(await count_of(log, "events"), 5, "records")


async def no_value_is_a_value(rig: Rig) -> None:
    """A record without value and one with an empty value are two, also under one identity."""
    log = await rig.open()
    await log.ensure([TopicSpec("events")])
    await log.append([NewRecord("events", None)], identities=[b"id"])
    await log.append([NewRecord("events", None)], identities=[b"id"])
    await refused(log.append([NewRecord("events", b"")], identities=[b"id"]), IdConflict)
    same(await values_of(log, "events"), [None], "values")


async def appends_at_once_write_an_identity_once(rig: Rig) -> None:
    """Calls under way at the same time, of one handle, agree on the first place."""
    log = await rig.open()
    await log.ensure([TopicSpec("events")])
    calls = [log.append(numbered("events", 4), identities=IDS[:4]) for _ in range(5)]
    places = await asyncio.gather(*calls)
    same(places, [places[0]] * 5, "places")
    same(await count_of(log, "events"), 4, "records")


async def handles_share_identities(rig: Rig) -> None:
    """Where the engine can tell: another handle's identity counts too, at once and later."""
    one, two = await rig.open(), await rig.open()
    if not one.capabilities.identities:
        return
    await one.ensure([TopicSpec("events")])
    new = numbered("events", 3)
    calls = [log.append(new, identities=IDS[:3]) for log in (one, two, one, two)]
    places = await asyncio.gather(*calls)
    same(places, [places[0]] * 4, "places")
    await refused(two.append([NewRecord("events", b"other")], identities=IDS[:1]), IdConflict)
    same(await count_of(two, "events"), 3, "records")


async def an_append_of_a_crashed_handle_can_be_repeated(rig: Rig) -> None:
    """Wherever the first handle died, the same append by another leaves every record once."""
    witness = await rig.open()
    if not witness.capabilities.identities:
        return
    await witness.ensure([TopicSpec(f"events-{n}") for n in range(len(rig.crash_points))])
    for n, point in enumerate(rig.crash_points):
        topic = f"events-{n}"
        identities = [b"%d-%d" % (n, i) for i in range(5)]
        log = await rig.open()
        await rig.crash_at(log, point)
        ended = await attempt(rig, log.append(numbered(topic, 5), identities=identities))
        there = await count_of(witness, topic)
        expect(there in (0, 5), f"{there} of 5 records after a crash at {point}")
        expect(there == 5 or not ended.returned, f"an append returned, crashed at {point}, and is not there")
        places = await witness.append(numbered(topic, 5), identities=identities)
        if ended.returned:
            same(places, ended.result, "places the second time")
        same(await values_of(witness, topic), [b"%d" % i for i in range(5)], f"values after {point}")


CASES: tuple[Case, ...] = (
    an_identity_is_written_once,
    an_identity_has_one_value,
    an_identity_counts_within_a_call,
    what_has_no_identity_is_always_written,
    no_value_is_a_value,
    appends_at_once_write_an_identity_once,
    handles_share_identities,
    an_append_of_a_crashed_handle_can_be_repeated,
)
