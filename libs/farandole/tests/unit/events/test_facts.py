"""The journal's facts: read tolerantly, so that a later version may add kinds and fields."""

import json
from typing import Any

import pytest

from farandole.events.facts import read_facts

COMPLETED: dict[str, Any] = {
    "fact": "completed",
    "workflow": "w",
    "service": "tiling",
    "step": "extract",
    "event": {
        "source": "ingest/read",
        "id": "1",
        "type": "scene.received.v1",
        "time": 1.5,
        "at": ["scene.received", 0, 7],
    },
    "outputs": [{"slot": 0, "type": "tile.extracted.v1", "id": "2", "key": "t"}],
}


def test_facts_are_read_in_order() -> None:
    """What one commit wrote, with its defaults."""
    first, second = read_facts(json.dumps([COMPLETED, {**COMPLETED, "fact": "dead", "reason": "invalid"}]).encode())
    assert (first.fact, first.service, first.attempt, first.generation) == ("completed", "tiling", 1, 0)
    assert first.event is not None
    assert first.event.at == ("scene.received", 0, 7)
    assert (second.fact, second.reason) == ("dead", "invalid")


@pytest.mark.parametrize(
    "later", [{"fact": "paused"}, {"fact": ["completed"]}, {"fact": None}, {}, 5, None, [], "completed"]
)
def test_kinds_that_this_version_does_not_know_are_skipped(later: Any) -> None:
    """A record of a later version keeps its known facts."""
    assert len(read_facts(json.dumps([later, COMPLETED]).encode())) == 1


def test_fields_that_this_version_does_not_know_are_ignored() -> None:
    """At every depth."""
    more = {**COMPLETED, "added": 1, "event": {**COMPLETED["event"], "added": {"deep": 1}}}
    assert read_facts(json.dumps([more]).encode()) == read_facts(json.dumps([COMPLETED]).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"5",
        b"null",
        b"{}",
        b'"completed"',
        b'[{"fact":"completed"}]',
        b"[" * 10_000,
        json.dumps([{**COMPLETED, "event": {"id": "1"}}]).encode(),
        json.dumps([{**COMPLETED, "attempt": "x"}]).encode(),
    ],
)
def test_what_is_no_list_of_facts_is_a_value_error(data: bytes) -> None:
    """And nothing else, so that a reader has one thing to catch."""
    with pytest.raises(ValueError, match=r"."):
        read_facts(data)
