"""Inputs seen: for 7 days or the last 100,000 of a partition, whichever is shorter."""

import pytest

from farandole.events.envelope import Envelope
from farandole.events.ids import workflow_id
from farandole.log.record import Record
from farandole.runtime import seen as seen_module
from farandole.runtime.rows import SEEN_FOR, read_row
from farandole.runtime.seen import Seen


def _input(n: int, body: bytes = b"{}") -> Envelope:
    return Envelope(f"id-{n}", "outside", "t", 1, body)


def _restored(rows: dict[str, bytes | None]) -> Seen:
    seen = Seen()
    fields = [(key, read_row(Record("t", 0, 0, 0.0, b"", value, ()))) for key, value in rows.items() if value]
    for key, row in sorted(fields, key=lambda item: item[1]["at"]):
        seen.restore(key, row["at"], [(name, body) for name, body in row["entries"]])
    return seen


def test_the_same_input_again_is_the_same_and_another_body_a_conflict() -> None:
    """From the moment it was taken, not only once it is durable."""
    seen = Seen()
    assert [seen.check(0, _input(1)), seen.check(1, _input(1)), seen.check(2, _input(1, b"[]"))] == [
        "new",
        "same",
        "conflict",
    ]
    assert seen.check(3, _input(1)._replace(source="elsewhere")) == "new"


def test_the_same_input_in_another_workflow_is_a_conflict() -> None:
    """Dropped, it would leave a workflow that nothing ever ends."""
    seen = Seen()
    own = workflow_id("outside", "id-1")
    assert seen.check(0, _input(1)) == "new"
    assert seen.check(1, _input(1)._replace(workflow=own)) == "same"
    assert seen.check(2, _input(1)._replace(workflow="another")) == "conflict"


def test_one_row_a_commit_holds_what_lies_below_the_position() -> None:
    """And nothing is written twice."""
    seen = Seen()
    for offset in range(4):
        seen.check(offset, _input(offset))
    assert list(seen.rows(3, 1.0)) == ["n:3"]
    seen.commit(3, 1.0)
    assert seen.rows(3, 2.0) == {}
    assert list(seen.rows(4, 2.0)) == ["n:4"]


def test_rows_bring_the_memory_back() -> None:
    """Whoever takes over knows what was taken."""
    seen, rows = Seen(), dict[str, bytes | None]()
    for offset in range(6):
        seen.check(offset, _input(offset))
        if offset % 2:
            rows |= seen.rows(offset + 1, float(offset))
            seen.commit(offset + 1, float(offset))
    back = _restored(rows)
    assert [back.check(9, _input(n)) for n in range(6)] == ["same"] * 6
    assert back.check(9, _input(6)) == "new"
    assert not back.knows(_input(0, b"[]"))
    assert back.knows(_input(0))
    assert back.knows(_input(99))


def test_what_is_older_than_seven_days_is_forgotten_with_its_row() -> None:
    """And only that."""
    seen = Seen()
    seen.check(0, _input(0))
    seen.commit(1, 0.0)
    seen.check(1, _input(1))
    seen.commit(2, 1000.0)
    assert seen.rows(2, SEEN_FOR - 1) == {}
    assert seen.rows(2, SEEN_FOR) == {"n:1": None}
    seen.commit(2, SEEN_FOR)
    assert (seen.check(2, _input(0)), seen.check(3, _input(1))) == ("new", "same")


def test_the_oldest_beyond_the_last_100000_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row at a time: at least so many are remembered, and hardly more."""
    monkeypatch.setattr(seen_module, "SEEN_LIMIT", 10)
    seen = Seen()
    for offset in range(30):
        seen.check(offset, _input(offset))
        if offset % 3 == 2:
            seen.rows(offset + 1, 1.0)
            seen.commit(offset + 1, 1.0)
    kept = [n for n in range(30) if seen.check(99, _input(n)) == "same"]
    assert 10 <= len(kept) <= 12
    assert kept == list(range(30 - len(kept), 30))
