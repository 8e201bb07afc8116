"""A bad record ends in the dlq with its reason and original bytes, and its partition goes on."""

import asyncio
import json
import pickle
import zlib
from collections.abc import Sequence

import pytest

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.event import Event
from farandole.events.limits import VALUE_LIMIT
from farandole.log.record import NewRecord
from farandole.runtime.declare import Service
from farandole.testing import Rehearsal, check

Headers = Sequence[tuple[str, bytes | None]]


class Came(Event, type="bad.came", key="k"):
    k: str
    n: float = 0.0
    when: str = ""


class Went(Event, type="bad.went", key="k", final=True):
    k: str


class Other(Event, type="bad.other", key="k"):
    k: str


service = Service("bad", accepts=[Came, Other])


@service.step
def let_go(came: Came) -> Went:
    return Went(k=came.k)


@service.step
def look(other: Other | Came) -> None: ...


GOOD = encode(Envelope("good", "outside", "bad.came", 1, Came(k="after").data(), key="after"))
HEADERS = dict(GOOD.headers)


def _headers(**changes: bytes | None) -> Headers:
    named = HEADERS | {"ce_id": b"bad"} | {name.replace("__", "-"): value for name, value in changes.items()}
    return tuple((name, value) for name, value in named.items() if value != b"(none)")


BODIES: dict[str, tuple[bytes | None, str]] = {
    "11 empty": (b"", "invalid"),
    "12 null (a tombstone)": (None, "undecodable"),
    "12 null (JSON)": (b"null", "invalid"),
    "13 truncated JSON": (b'{"k":"a"', "invalid"),
    "14 invalid UTF-8": (b'{"k":"\xff\xfe"}', "invalid"),
    "15 BOM": (b'\xef\xbb\xbf{"k":"a"}', "invalid"),
    "16 NaN": (b'{"k":"a","n":NaN}', "invalid"),
    "16 1e999": (b'{"k":"a","n":1e999}', "invalid"),
    "17 duplicate keys": (b'{"k":"a","k":"b"}', "invalid"),
    "18 100,000 nested lists": (b'{"k":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid"),
    "19 a 5,000-digit integer": (b'{"k":"a","n":' + b"9" * 5000 + b"}", "invalid"),
    "20 lone surrogate": (b'{"k":"\\ud800"}', "invalid"),
    "21 2^53+1": (b'{"k":"a","n":9007199254740993}', "invalid"),
    "22 1 MB and a byte": (b'{"k":"' + b"x" * VALUE_LIMIT + b'"}', "undecodable"),
    "23 gzip": (zlib.compress(b"0" * 1_000_000), "invalid"),
    "24 pickle": (pickle.dumps({"k": "a"}), "invalid"),
    "25 __proto__": (b'{"k":"a","__proto__":{}}', "invalid"),
    "25 __class__": (b'{"k":"a","__class__":"x"}', "invalid"),
    "29 the year 9999": (b'{"k":"a","when":"9999-12-31T23:59:59Z"}', "invalid"),
    "a missing field": (b'{"n":1}', "invalid"),
    "a field of another type": (b'{"k":[1]}', "invalid"),
    "no object": (b"[1,2]", "invalid"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_dead_lettered_with_its_bytes(case: str) -> None:
    """At each step that takes it, once; the next record of the same partition is handled."""
    body, reason = BODIES[case]
    _expect(NewRecord("bad.came", body, b"bad", tuple(_headers())), reason)


LARGE = tuple((f"h{n}", b"x" * 900) for n in range(50))
MANY = tuple((f"h{n}", b"x") for n in range(10_000))
HEADER_CASES: dict[str, tuple[Headers, str]] = {
    "26 unknown version": (_headers(ce_type=b"bad.came.v2"), "unknown-version"),
    "27 wrong topic": (_headers(ce_type=b"bad.other.v1"), "invalid"),
    "31 duplicate id": ((*_headers(), ("ce_id", b"again")), "undecodable"),
    "32 900 kB of headers": ((*_headers(), ("x", b"y" * 900_000)), "undecodable"),
    "32 45 kB of headers": ((*_headers(), *LARGE), "undecodable"),
    "36 10,000 headers": ((*_headers(), *MANY), "undecodable"),
    "no id": (_headers(ce_id=b"(none)"), "undecodable"),
    "no type": (_headers(ce_type=b"(none)"), "undecodable"),
    "no headers": ((), "undecodable"),
    "another specversion": (_headers(ce_specversion=b"0.3"), "undecodable"),
    "a scope that is none": (_headers(ce_scope=b"x:y"), "undecodable"),
    "a generation that is none": (_headers(ce_generation=b"-1"), "undecodable"),
    "a time that is none": (_headers(ce_time=b"yesterday"), "undecodable"),
    "an id that is not UTF-8": (_headers(ce_id=b"\xff"), "undecodable"),
}


@pytest.mark.parametrize("case", HEADER_CASES)
def test_bad_headers_are_dead_lettered(case: str) -> None:
    """Whatever they hold: neither header nor body may hang the partition."""
    headers, reason = HEADER_CASES[case]
    _expect(NewRecord("bad.came", Came(k="bad").data(), b"bad", tuple(headers)), reason)


HARMLESS: dict[str, tuple[bytes | None, Headers]] = {
    "30 a header without a value": (b"bad", (*_headers(), ("x", None))),
    "30 an empty key": (b"", _headers()),
    "30 no key": (None, _headers()),
    "33 attempt=-1": (b"bad", (*_headers(), ("attempt", b"-1"), ("fd-attempt", b""))),
    "34 malformed traceparent": (b"bad", _headers(traceparent=b"nonsense")),
    "35 forged workflow": (b"bad", (*_headers(), ("workflow", b"mine"), ("principal", b"root"))),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_not_used_is_tolerated(case: str) -> None:
    """It is handled, as if the header were not there."""
    key, headers = HARMLESS[case]
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(NewRecord("bad.came", Came(k="bad").data(), key, tuple(headers)))
        r.settle()
        assert r.events(Went) == [Went(k="bad")]
        assert {fact.attempt for fact in r.facts()} == {1}
        assert check(r.history()) == []


def test_28_the_same_id_with_another_body_is_dead_lettered() -> None:
    """Within the memory of inputs seen, over a crash, and for good: its ids are the first one's."""
    first = NewRecord("bad.came", Came(k="a").data(), b"a", tuple(_headers()))
    second = NewRecord("bad.came", Came(k="b").data(), b"a", tuple(_headers()))
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(first)
        r.settle()
        r.kill("bad")
        r.append(second, first)
        r.restart("bad")
        r.settle()
        assert {(letter.step, letter.reason) for letter in r.dead_letters()} == {
            ("bad/let-go", "id-conflict"),
            ("bad/look", "id-conflict"),
        }
        r.redrive()
        r.settle()
        assert {letter.reason for letter in r.dead_letters()} == {"id-conflict"}
        r.discard()
        r.settle()
        assert r.events(Went) == [Went(k="a")]


def test_28_a_conflict_that_waited_in_its_lane_is_one_after_a_crash_too() -> None:
    """No row tells of it, so it is found anew."""

    class Slow(Event, type="bad.slow", key="k"):
        k: str
        n: int

    class Fast(Event, type="bad.fast", key="k", final=True):
        k: str
        n: int

    slow = Service("slow", accepts=[Slow])

    @slow.step
    async def wait(event: Slow) -> Fast:
        await asyncio.sleep(20 if event.n == 1 else 0)
        return Fast(k=event.k, n=event.n)

    with Rehearsal(slow, seed=None, partitions=1) as r:
        r.publish(Slow(k="a", n=1), id="one")
        for n, name in ((2, "two"), (3, "two"), (4, "four")):
            parts = encode(Envelope(name, "rehearsal", "bad.slow", 1, Slow(k="a", n=n).data(), key="a"))
            r.append(NewRecord("bad.slow", parts.value, parts.key, parts.headers))
        r.advance("10s")
        r.kill("slow")
        r.restart("slow")
        r.settle()
        (letter,) = r.dead_letters()
        assert (letter.id, letter.reason) == ("two", "id-conflict")
        r.discard()
        r.settle()
        assert [event.n for event in r.events(Fast)] == [1, 2, 4]


def test_17_a_record_that_a_step_of_ours_wrote_is_not_judged_by_foreign_rules() -> None:
    """What other readers might misunderstand is refused at the edge only."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        headers = (*_headers(ce_source=b"bad/let-go"),)
        r.append(NewRecord("bad.came", b'{"k":"a","k":"b"}', b"a", headers))
        r.settle()
        assert r.events(Went) == [Went(k="b")]


def test_the_journal_names_an_undecodable_record_by_its_place() -> None:
    """Its workflow follows from topic, partition and offset; no payload stands in the facts."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(NewRecord("bad.came", b"secret-payload", None, ()))
        r.settle()
        fact = next(f for f in r.facts() if f.fact == "dead" and f.step == "let-go")
        assert fact.event is not None
        assert (fact.event.source, fact.event.id, tuple(fact.event.at)) == ("log:bad.came/0", "0", ("bad.came", 0, 0))
        assert "secret-payload" not in fact.model_dump_json()
        values = [record.value or b"" for record in r.history().records["farandole.journal"]]
        assert all(b"secret-payload" not in value for value in values)


def _expect(bad: NewRecord, reason: str) -> None:
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(bad, NewRecord("bad.came", GOOD.value, GOOD.key, GOOD.headers))
        r.settle()
        assert r.events(Went) == [Went(k="after")]
        letters = r.dead_letters()
        assert {(letter.step, letter.reason) for letter in letters} == {("bad/let-go", reason), ("bad/look", reason)}
        for record in r.history().records["bad.dlq"]:
            about = dict(record.headers)
            assert (record.value or b"") in ((bad.value or b""), b"")
            assert (about["fd-reason"] or b"").decode() == reason
            assert about["fd-place"] == b"bad.came/0/0"
            assert about["fd-error"]
        problems = check(r.history())
        assert problems == []
        r.discard()
        r.settle()
        assert r.dead_letters() == []
        assert check(r.history()) == []
        assert json.loads(r.facts()[-1].model_dump_json())["fact"] == "discarded"
