"""Bad records on the embedded log, told by the command line: where each ends, and that the others go on."""

import gzip
import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from farandole.events import ids
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.log.record import NewRecord
from farandole.testing import Rehearsal, check
from libs.farandole.tests.unit.runtime.test_bad_records import BODIES, HEADER_CASES
from tests.badinput.hall import Came, Hall, Went, service

Headers = Sequence[tuple[str, bytes | None]]


def _record(name: str, data: bytes | None, *more: tuple[str, bytes | None], key: str = "") -> NewRecord:
    parts = encode(Envelope(name, "outside", "bad.came", 1, data or b""))
    return NewRecord("bad.came", data, (key or name).encode(), (*parts.headers, *more))


def _renamed(headers: Headers, name: str) -> Headers:
    return tuple((n, name.encode() if (n, raw) == ("ce_id", b"bad") else raw) for n, raw in headers)


class Touching:
    """What a loader of pickles would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hall:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    return Hall.make(tmp_path)


def _json(hall: Hall, *args: str) -> dict[str, Any]:
    done = hall.farandole(*args, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _cases(hall: Hall) -> list[tuple[str, NewRecord]]:
    """Those of a step's own test, and some that need a folder or another header; the reason of each."""
    made = [(reason, _record(f"body-{number}", body)) for number, (body, reason) in enumerate(BODIES.values(), start=1)]
    good = Came(k="a").data()
    for number, (headers, reason) in enumerate(HEADER_CASES.values(), start=1):
        name = f"headers-{number}"
        made.append((reason, NewRecord("bad.came", good, name.encode(), tuple(_renamed(headers, name)))))
    bomb = gzip.compress(gzip.compress(bytes(20_000_000)))
    made.append(("invalid", _record("bomb", bomb, ("content-encoding", b"gzip"))))
    made.append(("invalid", _record("pickle", pickle.dumps(Touching(hall.folder / "unpickled")))))
    made.append(("undecodable", _record("late", good, ("ce_time", b"9999-12-31T23:59:59Z"))))
    return made


def test_every_bad_record_ends_in_the_dlq_and_the_next_one_is_handled(hall: Hall) -> None:
    """With its reason, told at the error level, shown by every command as it stands, and gone once discarded."""
    cases = _cases(hall)
    good = _record("good", Came(k="good").data())
    lines = hall.serve([*(record for _, record in cases), good], len(cases) + 1)
    letters = {letter["place"]["offset"]: letter for letter in _json(hall, "dlq", "list")["dead_letters"]}
    assert {at: letter["reason"] for at, letter in letters.items()} == dict(enumerate(reason for reason, _ in cases))
    assert all(letter["error"].isprintable() and letter["attempt"] == 1 for letter in letters.values())
    assert [line["log_level"] for line in lines if line["event"].startswith("attempt failed")] == ["error"] * len(cases)
    assert not (hall.folder / "unpickled").exists()
    topics = {topic["topic"]: topic for topic in _json(hall, "topics")["topics"]}
    assert topics["bad.came"]["lag"] == {"bad/let-go": 0}
    assert [span["end"] for span in topics["bad.went"]["spans"]] == [1]
    _shown(hall, letters.values())
    assert hall.farandole("dlq", "discard", "--all").returncode == 0
    hall.serve([_record("last", Came(k="last").data())], 1, dead=0)
    assert _json(hall, "dlq", "list") == {"dead_letters": []}
    assert hall.farandole("log", "check").returncode == 0


def _shown(hall: Hall, letters: Any) -> None:
    """No command fails at what a record holds, and none lets it write to the terminal."""
    for letter in letters:
        for args in (("dlq", "show", letter["delivery"]), ("events", letter["workflow"])):
            done = hall.farandole(*args)
            assert (done.returncode, done.stderr) == (0, "")
            assert all(line.isprintable() for line in done.stdout.splitlines())
            assert letter["delivery"] in done.stdout or args[0] == "events"


def test_22_a_body_that_is_too_large_is_dead_lettered_with_the_remedy(hall: Hall) -> None:
    """The store of assets is named, to who publishes and in the dead letter."""
    body, _ = BODIES["22 1 MB and a byte"]
    hall.serve([_record("large", body)], 1)
    (letter,) = _json(hall, "dlq", "list")["dead_letters"]
    assert letter["reason"] == "undecodable"
    assert "put the content into an asset" in letter["error"]
    (hall.folder / "large.json").write_bytes(body or b"")
    done = hall.farandole("publish", "bad.came", "--data", "@large.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "farandole asset put" in done.stderr


@pytest.mark.parametrize("case", [case for case, (body, _) in BODIES.items() if body is not None])
def test_a_bad_body_is_refused_where_it_is_published(hall: Hall, case: str) -> None:
    """Exit 2, one line, nothing written."""
    body, _ = BODIES[case]
    (hall.folder / "body").write_bytes(body or b"")
    done = hall.farandole("publish", "bad.came", "--data", "@body")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr[:-1].isprintable()
    assert len(done.stderr) < 500
    assert _ends(hall, "bad.came") == 0


def _ends(hall: Hall, topic: str) -> int:
    (found,) = (one for one in _json(hall, "topics")["topics"] if one["topic"] == topic)
    return sum(span["end"] for span in found["spans"])


def test_28_another_body_under_a_known_id_raises_an_alarm(hall: Hall) -> None:
    """Over a restart too: dead-lettered, and told at the error level; the same body again is nothing."""
    first, other = _record("one", Came(k="a").data(), key="a"), _record("one", Came(k="b").data(), key="b")
    lines = hall.serve([first, first, other, _record("two", Came(k="c").data())], 3)
    lines += hall.serve([_record("one", Came(k="d").data(), key="d"), first, _record("three", Came(k="e").data())], 2)
    alarms = [line for line in lines if line["log_level"] == "error"]
    assert [(line["event_id"], line["error"].partition(":")[0]) for line in alarms] == [("one", "IdConflict")] * 2
    assert {letter["reason"] for letter in _json(hall, "dlq", "list")["dead_letters"]} == {"id-conflict"}
    assert _ends(hall, "bad.went") == 3


@pytest.mark.parametrize("trace", [b"nonsense", b"", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff\xfe"])
def test_34_a_malformed_traceparent_gives_a_new_trace(trace: bytes) -> None:
    """The one that follows from the workflow, and the record keeps what it came with."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(_record("one", Came(k="a").data(), ("traceparent", trace)))
        r.settle()
        (came,), (went,) = r.history().records["bad.came"], r.history().records["bad.went"]
        expected = ids.trace_id(ids.workflow_id("outside", "one"))
        assert (dict(went.headers)["traceparent"] or b"").decode().split("-")[1] == expected
        assert dict(came.headers)["traceparent"] == trace
        assert check(r.history()) == []


@pytest.mark.parametrize("name", ["workflow", "principal", "fd-workflow", "fd-principal", "correlationid"])
def test_35_a_forged_header_changes_nothing(name: str) -> None:
    """The workflow is the one that the input starts, and nobody acts in another's name."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        r.append(_record("one", Came(k="a").data(), (name, b"forged")))
        r.settle()
        assert r.events(Went) == [Went(k="a")]
        assert {fact.workflow for fact in r.facts()} == {ids.workflow_id("outside", "one")}
        assert "forged" not in "".join(fact.model_dump_json() for fact in r.facts())
        assert check(r.history()) == []
