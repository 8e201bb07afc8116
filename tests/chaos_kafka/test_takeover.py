"""A take-over counts among those that nothing else disturbed only where nothing else did."""

import json

import pytest

from tests.chaos_kafka.diary import CUT, KILL, Entry
from tests.chaos_kafka.takeover import takeovers
from tests.support.judging import Row

TAKEN = Row("order.taken", 2, 0, "k", json.dumps({"number": 7}).encode(), {"ce_id": "a"}, 100.0)


def _struck(begin: float, kind: str = "kill", service: str = "checking", end: float = 0.0) -> Entry:
    marks = [(service, 7, 0)] if kind == "kill" else []
    return Entry(kind, begin, service, 1, end or begin, marks)


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([], "alone"),
        ([_struck(101.0, "zombie", "cutting")], "alone"),
        ([_struck(99.0, KILL, "", 101.0)], "beside"),
        ([_struck(90.0, KILL, "", 99.0)], "alone"),
        ([_struck(101.0, "delay", "", 103.0)], "beside"),
        ([_struck(101.0, "lose answer", "", 101.01)], "alone"),
        ([_struck(93.0, "zombie")], "crowded"),
        ([_struck(103.0, "zombie"), _struck(99.0, KILL, "", 101.0)], "crowded"),
        ([_struck(105.0, "zombie")], "alone"),
    ],
)
def test_what_stood_beside_a_kill(others: list[Entry], kind: str) -> None:
    """The kill comes at 100 s, the next commit of its partition 4 s later."""
    facts = [{"fact": "completed", "service": "checking", "event": {"id": "a", "at": ["order.taken", 2, 0]}}]
    found = takeovers([_struck(100.0), *others], [TAKEN], [fact | {"appended": 104.0} for fact in facts])
    assert found[kind] == {"kills": 1, "p50": 4.0, "p99": 4.0, "max": 4.0}
    assert found["all"]["kills"] == 1
    assert found["never"] == 0


def test_what_befell_a_service_before_its_next_commit_is_told() -> None:
    """Strikes of other services, and what is over before the kill or begins after the commit, have no part in it."""
    others = [
        _struck(90.0, KILL, "", 99.0),
        _struck(99.0, CUT, "", 103.0),
        _struck(101.0, service="cutting"),
        _struck(108.0, "zombie"),
        _struck(115.0),
    ]
    facts = [{"fact": "completed", "service": "checking", "event": {"id": "a", "at": ["order.taken", 2, 0]}}]
    found = takeovers([_struck(100.0), *others], [TAKEN], [fact | {"appended": 112.0} for fact in facts])
    meanwhile = [(CUT, -1.0), ("zombie", 8.0)]
    assert found["slowest"][0] == {"seconds": 12.0, "service": "checking", "at": 100.0, "meanwhile": meanwhile}
