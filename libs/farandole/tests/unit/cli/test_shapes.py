"""The JSON of `--json` is frozen: fields may be added, none may go or change its meaning."""

import json
from dataclasses import replace

from farandole.cli import shapes
from farandole.client import DeadLetter
from farandole.fold import End, EventView, Left, Missing, StepCount, Summary, WorkflowState

VIEW = EventView(
    source="client", id="1", type="a.b.v1", topic="a.b", key="k", time=1767225600.0, cause="", scope="", absent=False,
    pending=False, place=("a.b", 0, 7),
)  # fmt: skip
COUNT = StepCount(
    waiting=1, retrying=0, parked=0, dead=1, held=0, completed=3, discarded=0, cancelled=0, gathering=0, attempts=4,
    seconds=1.5, longest=1.0,
)  # fmt: skip
SUMMARY = Summary(
    workflow="w", status="dead", moves=False, truncated=False, started=1767225600.0, updated=1767225601.5,
    inputs=(VIEW,), steps={"s/t": COUNT},
)  # fmt: skip
LEFT = Left(kind="dead", step="s/t", moves=False, since=1767225600.0, delivery="d", source="client", id="1",
            type="a.b.v1", key="k", attempt=2, reason="exhausted", error="OSError: x")  # fmt: skip
LETTER = DeadLetter(
    delivery="d", workflow="w", step="s/t", reason="exhausted", error="OSError: x", attempt=2, since=1767225600.0,
    source="client", id="1", type="a.b.v1", key="k", place=("a.b", 0, 7), group="", partition=0,
)  # fmt: skip


def test_a_workflow() -> None:
    """Of `status`."""
    assert shapes.summary(SUMMARY) == {
        "workflow": "w",
        "status": "dead",
        "moves": False,
        "truncated": False,
        "started": "2026-01-01T00:00:00.000Z",
        "updated": "2026-01-01T00:00:01.500Z",
        "inputs": [{"source": "client", "id": "1", "type": "a.b.v1", "key": "k"}],
        "steps": {
            "s/t": {
                "waiting": 1,
                "retrying": 0,
                "parked": 0,
                "dead": 1,
                "held": 0,
                "completed": 3,
                "discarded": 0,
                "cancelled": 0,
                "gathering": 0,
                "attempts": 4,
                "seconds": 1.5,
                "longest": 1.0,
            }
        },
    }


def test_one_workflow_with_what_is_left() -> None:
    """Of `status WORKFLOW`."""
    shape = shapes.state(WorkflowState(SUMMARY, (LEFT,), (VIEW,)))
    assert shape["workflow"] == "w"
    assert shape["left"] == [
        {
            "kind": "dead",
            "step": "s/t",
            "moves": False,
            "since": "2026-01-01T00:00:00.000Z",
            "delivery": "d",
            "source": "client",
            "id": "1",
            "type": "a.b.v1",
            "key": "k",
            "attempt": 2,
            "due": None,
            "reason": "exhausted",
            "error": "OSError: x",
            "behind": None,
            "group": None,
            "present": 0,
            "missing": 0,
            "members": [],
        }
    ]


def test_the_members_that_are_missing() -> None:
    """Each with where it was last seen."""
    member = Missing("tiles", 3, False, (End("dead", "s/t", "a.b.v1", "9"), End("final", "", "c.v1", "8")))
    left = replace(LEFT, kind="group", delivery="", group="g", present=2, missing=1, members=(member,), due=None)
    assert shapes.left(left)["members"] == [
        {
            "param": "tiles",
            "index": 3,
            "pending": False,
            "ends": [
                {"kind": "dead", "step": "s/t", "type": "a.b.v1", "id": "9"},
                {"kind": "final", "step": None, "type": "c.v1", "id": "8"},
            ],
        }
    ]


def test_an_event() -> None:
    """Of `events`."""
    assert shapes.event(VIEW) == {
        "id": "1",
        "source": "client",
        "type": "a.b.v1",
        "topic": "a.b",
        "key": "k",
        "time": "2026-01-01T00:00:00.000Z",
        "cause": None,
        "scope": None,
        "absent": False,
        "pending": False,
        "place": {"topic": "a.b", "partition": 0, "offset": 7},
    }
    assert shapes.event(replace(VIEW, place=None))["place"] is None


def test_a_dead_letter() -> None:
    """Of `dlq list`; and what was asked of its step."""
    assert shapes.letter(LETTER) == {
        "delivery": "d",
        "workflow": "w",
        "step": "s/t",
        "reason": "exhausted",
        "error": "OSError: x",
        "attempt": 2,
        "since": "2026-01-01T00:00:00.000Z",
        "source": "client",
        "id": "1",
        "type": "a.b.v1",
        "key": "k",
        "place": {"topic": "a.b", "partition": 0, "offset": 7},
        "group": None,
    }
    assert shapes.asked([LETTER]) == {"asked": [{"delivery": "d", "step": "s/t", "workflow": "w"}]}


def test_all_of_it_is_json() -> None:
    """Without help."""
    json.dumps([shapes.state(WorkflowState(SUMMARY, (LEFT,), (VIEW,))), shapes.letter(LETTER)], allow_nan=False)
