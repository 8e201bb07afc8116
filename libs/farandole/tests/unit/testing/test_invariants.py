"""Each checker finds what it is there for, in a true history that was tampered with, and nothing in a true one."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from farandole.events.event import Event
from farandole.log.record import Record
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry
from farandole.testing import INVARIANTS, History, Rehearsal, check

JOURNAL = "farandole.journal"


class Given(Event, type="check.given", key="k"):
    k: str


class Part(Event, type="check.part", key="k"):
    k: str


class Ended(Event, type="check.ended", key="k", final=True):
    k: str


service = Service("check", accepts=[Given])


@service.step
def split(given: Given) -> list[Part]:
    return [Part(k=f"{given.k}{n}") for n in range(3)]


@service.step(retry=Retry(attempts=2, delay="1s"))
def look(given: Given, ctx: Context) -> Ended | None:
    if given.k == "dead" and ctx.attempt <= 2:
        raise OSError("until redriven")
    return Ended(k=given.k)


@service.step
def gather(parts: list[Part]) -> None: ...


@cache
def true_history() -> History:
    """Two inputs of one order value, one that dies and is redriven, and their groups."""
    with Rehearsal(service, seed=None, partitions=1) as r:
        for k in ("a", "a", "dead"):
            r.publish(Given(k=k))
            r.advance("1m")
        r.redrive()
        r.settle()
        return r.history()


Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def _with_facts(change: Change) -> History:
    """Every journal record's facts, changed."""
    history = true_history()
    records = [
        record._replace(value=to_json(change(from_json(record.value or b"[]")))) for record in history.records[JOURNAL]
    ]
    return replace(history, records={**history.records, JOURNAL: records})


def _with_records(topic: str, change: Callable[[list[Record]], list[Record]]) -> History:
    history = true_history()
    return replace(history, records={**history.records, topic: change(list(history.records[topic]))})


def _found(history: History) -> set[str]:
    return {finding.partition(":")[0] for finding in check(history)}


def _is(fact: dict[str, Any], step: str, kind: str) -> bool:
    return (fact["step"], fact["fact"]) == (step, kind)


def test_a_true_history_has_no_problem() -> None:
    """And the dead letter in it was one."""
    history = true_history()
    assert check(history) == []
    assert {"dead", "redriven", "retrying", "completed", "held"} == {told.fact.fact for told in history.told}


def test_i1_finds_an_outcome_that_is_missing_and_one_that_stands_twice() -> None:
    """Lost, and done twice."""
    lost = _with_facts(lambda facts: [fact for fact in facts if not _is(fact, "look", "completed")])
    assert "I1" in _found(lost)
    twice = _with_facts(lambda facts: [f for fact in facts for f in [fact] * (1 + _is(fact, "look", "completed"))])
    assert "I1" in _found(twice)


def test_i1_finds_an_event_that_nobody_took() -> None:
    """As where a position passed it."""
    extra = _with_records("check.given", lambda records: [*records, _renamed(records[0], b"another")])
    assert "I1" in _found(extra)


def test_i3_finds_two_of_one_order_value_that_changed_places() -> None:
    """By where their outcomes stand."""

    def swap(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for fact in facts:
            if _is(fact, "look", "completed") and fact["event"]["at"][2] < 2:
                fact["event"]["at"][2] = 1 - fact["event"]["at"][2]
        return facts

    assert "I3" in _found(_with_facts(swap))


def test_i4_finds_an_output_without_a_fact_and_a_fact_without_its_output() -> None:
    """A torn commit, either way; and an id that stands twice."""
    torn = _with_records("check.ended", lambda records: records[:-1])
    assert "I4" in _found(torn)
    doubled = _with_records("check.part", lambda records: [*records, records[0]])
    assert "I4" in _found(doubled)
    silent = _with_facts(
        lambda facts: [{**fact, "outputs": []} if _is(fact, "split", "completed") else fact for fact in facts]
    )
    assert "I4" in _found(silent)


def test_i7_finds_one_attempt_too_many_and_a_letter_that_is_not_in_the_dlq() -> None:
    """Or stands there twice."""

    def many(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**fact, "attempt": 9} if _is(fact, "look", "retrying") else fact for fact in facts]

    assert "I7" in _found(_with_facts(many))
    assert "I7" in _found(_with_records("check.dlq", lambda _: []))
    assert "I7" in _found(_with_records("check.dlq", lambda records: records * 2))


def test_i8_finds_a_redrive_that_had_two_effects() -> None:
    """One death, one effect."""
    twice = _with_facts(lambda facts: [f for fact in facts for f in [fact] * (1 + _is(fact, "look", "redriven"))])
    assert "I8" in _found(twice)


def test_i10_finds_a_group_that_fired_incomplete_early_or_never() -> None:
    """Compared with the reference, which knows only the records."""

    def short(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**fact, "group": {**fact["group"], "count": 2}} if _is(fact, "gather", "completed") else fact
            for fact in facts
        ]

    def never(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [fact for fact in facts if not _is(fact, "gather", "completed")]

    assert "I10" in _found(_with_facts(short))
    assert "I10" in _found(_with_facts(never))
    early = _with_records("check.part", lambda records: records[1:])
    assert "I10" in _found(early)


def test_i13_finds_lag_and_rows_that_are_left() -> None:
    """What is not finished when all is quiet never will be."""
    history = true_history()
    behind = {group: dict.fromkeys(positions, 0) for group, positions in history.committed.items()}
    assert "I13" in _found(replace(history, committed=behind))
    row = Record("check.look.state", 0, 9, 0.0, b"d:1", b"\x81\xa4kind\xa4open", ())
    assert "I13" in _found(_with_records("check.look.state", lambda records: [*records, row]))


def test_every_checker_is_in_the_table() -> None:
    """`check` runs those that stand there."""
    assert list(INVARIANTS) == ["I1", "I3", "I4", "I7", "I8", "I10", "I13"]


@pytest.mark.parametrize("number", INVARIANTS)
def test_a_finding_says_whose_it_is(number: str) -> None:
    """Each names a step, a topic or a delivery."""
    empty = replace(true_history(), records={**true_history().records, JOURNAL: [], "check.dlq": []})
    assert all("check" in finding for finding in INVARIANTS[number](empty))


def _renamed(record: Record, name: bytes) -> Record:
    headers = tuple((key, name if key == "ce_id" else value) for key, value in record.headers)
    return record._replace(headers=headers, offset=record.offset + 100)
