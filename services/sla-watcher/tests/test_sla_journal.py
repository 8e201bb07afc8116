"""Reading the journal from outside."""

import json
from typing import Any

import pytest

from farandole.events.facts import FACTS as OUR_FACTS
from farandole.events.facts import FACTS_VERSION
from farandole.events.topics import JOURNAL
from sla_watcher.journal import FACTS, TOPIC, NotFacts, attempts_of, is_facts
from sla_watcher.tally import Attempt


def fact(kind: str, **more: Any) -> dict[str, Any]:
    """One of a step, from the 100th to the 102nd second."""
    return {"fact": kind, "service": "tiling", "step": "cut", "started": 100.0, "finished": 102.0, **more}


def attempts(*facts: Any) -> list[Attempt]:
    return attempts_of(json.dumps(facts).encode())


def test_every_end_of_an_attempt_counts_once_and_nothing_else_does() -> None:
    """A retry and a dead letter are failures; what tells of no attempt is left out, later kinds too."""
    others = "continued held parked redriven discarded cancelled something-new".split()
    assert attempts(*map(fact, ["completed", "retrying", "dead", *others])) == [
        Attempt("tiling/cut", False, 2.0),
        Attempt("tiling/cut", True, 2.0),
        Attempt("tiling/cut", True, 2.0),
    ]


def test_what_never_began_fails_without_a_duration_and_an_absence_handed_on_is_no_attempt() -> None:
    """An undecodable event dies before its step is called; an absence passes by the step."""
    assert attempts({"fact": "dead", "service": "a", "step": "b"}) == [Attempt("a/b", True, None)]
    assert attempts(fact("completed", finished=100.0)) == []
    assert attempts(fact("completed", started=None)) == []


def test_a_clock_that_was_set_back_gives_no_duration_below_zero() -> None:
    """It counts as nothing."""
    assert attempts(fact("retrying", finished=99.0)) == [Attempt("tiling/cut", True, 0.0)]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1,", b'"[]"'])
def test_what_is_no_list_of_facts_is_said_to_be_none(data: bytes) -> None:
    """Whoever else writes to the journal."""
    with pytest.raises(NotFacts):
        attempts_of(data)


def test_entries_that_are_no_facts_are_left_out() -> None:
    """Beside those that are."""
    assert len(attempts(1, None, {}, {"fact": "completed"}, fact("completed"))) == 1


def test_the_names_on_the_wire_are_those_that_farandole_writes() -> None:
    """Nothing of farandole is imported there, so that they agree is seen here."""
    assert TOPIC == JOURNAL
    assert f"{OUR_FACTS}.v{FACTS_VERSION}" == FACTS
    assert is_facts([("ce_id", b"1"), ("ce_type", FACTS.encode())])
    assert not is_facts([("ce_type", b"order.placed.v1"), ("ce_other", None)])
