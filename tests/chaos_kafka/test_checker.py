"""The checker sees what it is there to see; on a log of a few records, without a broker."""

import json
from typing import Any

import pytest

from tests.chaos_kafka.checker import lost, reordered, twice
from tests.support.judging import Row

MANIFESTS: list[dict[str, Any]] = [
    {
        "service": "checking",
        "steps": [
            {"name": "check", "shape": "one", "order_by": "key", "inputs": [{"types": [["order.taken", 1]]}]},
        ],
    }
]
ACKS = [{"source": "stage", "id": f"order-{number}"} for number in range(2)]


def _row(topic: str, offset: int, id: str, data: dict[str, Any], cause: str | None = None) -> Row:
    headers = {"ce_source": "stage" if cause is None else "checking/check", "ce_id": id}
    headers |= {} if cause is None else {"ce_causationid": cause}
    return Row(topic, 0, offset, "k", json.dumps(data).encode(), headers, 0.0)


def _log() -> tuple[list[Row], list[dict[str, Any]]]:
    """Two orders of one part and one key, each taken, checked and done, in order."""
    rows = [_row("order.taken", n, f"order-{n}", {"number": n, "parts": 1}) for n in range(2)]
    rows += [_row("order.checked", n, f"c{n}", {"number": n, "parts": 1}, f"order-{n}") for n in range(2)]
    rows += [_row("order.done", n, f"d{n}", {"number": n, "parts": [0]}, f"order-{n}") for n in range(2)]
    event = [{"source": "stage", "id": f"order-{n}"} for n in range(2)]
    return rows, [{"fact": "completed", "service": "checking", "step": "check", "event": ref} for ref in event]


def test_a_whole_log_has_no_findings() -> None:
    """Nothing lost, twice or reordered, also where the publisher repeats itself."""
    rows, facts = _log()
    again = [*rows, rows[0]._replace(offset=9)]
    assert lost(again, facts, MANIFESTS, ACKS) == twice(again, facts, {"stage"}) == reordered(rows, MANIFESTS) == []


@pytest.mark.parametrize("missing", ["order.taken", "order.done"])
def test_a_missing_record_is_lost(missing: str) -> None:
    """An acknowledged input, or the end of an order."""
    rows, facts = _log()
    rows.remove(next(row for row in rows if row.topic == missing))
    assert len(lost(rows, facts, MANIFESTS, ACKS)) == 1


def test_a_delivery_that_nobody_ended_is_lost() -> None:
    """Its fact is missing."""
    rows, facts = _log()
    assert lost(rows, facts[:1], MANIFESTS, ACKS) == ["checking/check never ended order.taken/0/1"]


def test_an_output_an_end_or_an_ending_that_stands_there_again_is_found() -> None:
    """Under the same id, for the same order under another id, or as a second fact."""
    rows, facts = _log()
    assert twice([*rows, rows[2]._replace(offset=9)], facts, {"stage"})
    other = rows[4].headers | {"ce_id": "d9"}
    assert twice([*rows, rows[4]._replace(offset=9, headers=other)], facts, {"stage"})
    assert twice(rows, [*facts, facts[0]], {"stage"})


def test_outputs_that_do_not_follow_their_inputs_are_reordered() -> None:
    """Two outputs of one key have changed places, or one has gone to another partition."""
    rows, _ = _log()
    swapped = [*rows[:2], rows[3]._replace(offset=0), rows[2]._replace(offset=1)]
    assert reordered(swapped, MANIFESTS)
    assert reordered([*rows[:3], rows[3]._replace(partition=1)], MANIFESTS)
