"""Spans that real services export as they go, held against those that the log alone gives."""

import base64
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from farandole.events import ids
from tests.observe.traced.receiver import Got, Receiver, receiving
from tests.observe.traced.stage import OUTSIDE, PATIENCE, Stage, rebuilt

pytestmark = pytest.mark.slow


def attributes(span: Got) -> dict[str, object]:
    return {a["key"]: next(iter(a["value"].values())) for a in span.get("attributes", [])}


def is_root(span: Got) -> bool:
    return bool(span["name"].startswith("workflow "))


def once(spans: Sequence[Got]) -> list[Got]:
    """Each span once, where it came several times alike."""
    return list({json.dumps(span, sort_keys=True): span for span in spans}.values())


def until_rooted(receiver: Receiver, workflows: Sequence[str]) -> None:
    """Wait until the root of each has come."""
    wanted, until = {ids.trace_id(w) for w in workflows}, time.monotonic() + PATIENCE
    while wanted - {hexed(s["traceId"]) for s in receiver.spans()}:
        assert time.monotonic() < until, "the roots never came"
        time.sleep(0.1)


def hexed(value: str) -> str:
    """An id as MessageToDict gives it."""
    return base64.b64decode(value).hex()


def test_an_undisturbed_run_exports_what_a_rebuild_gives(tmp_path: Path) -> None:
    """Every field of every span, over gRPC and over HTTP: fan-out, fan-in, join, retry, absence, dead letter,
    redrive and a trace from outside; the roots by the projector.
    """
    orders = {"a": 3, "odd": 3, "dead": 2, "long": 1500, "none": 0, "out": 1}
    with receiving(tmp_path / "live.txt") as receiver, receiving(tmp_path / "roots.txt") as rooted:
        stage = Stage(tmp_path, FARANDOLE_TRACES=receiver.grpc)
        other = Stage(tmp_path, FARANDOLE_TRACES=rooted.http)
        with stage.services():
            flows = dict(zip(orders, stage.publish(orders, outside=["out"]), strict=True))
            stage.until([flows["dead"]], "dead")
            stage.redrive()
            stage.until(list(flows.values()))
        with other.process("observe"):
            until_rooted(rooted, list(flows.values()))
        live, roots = receiver.spans(), once(rooted.spans())
    again = rebuilt(stage, tmp_path)
    assert [s for s in again if not is_root(s)] == live
    assert [s for s in again if is_root(s)] == roots
    assert rebuilt(stage, tmp_path, http=True) == again
    assert len({(s["traceId"], s["spanId"]) for s in again}) == len(again)
    shows_what_happened(again, flows)
    for name in ("a", "out"):
        inside = {json.loads(e.data).get("inside"): e.traceparent for e in stage.events(flows[name])}
        assert {seen for seen in inside if seen} == {inside[seen] for seen in inside if seen}
        assert len({seen for seen in inside if seen}) == 2


def shows_what_happened(spans: Sequence[Got], flows: Mapping[str, str]) -> None:
    """Each shape, where a person would look for it."""
    of = {name: [s for s in spans if hexed(s["traceId"]) == ids.trace_id(flow)] for name, flow in flows.items()}
    sends = Counter(s["name"] for s in of["long"] if s["name"].startswith("send "))
    assert sends["send item.picked"] == sends["send item.packed"] == 1500
    (gathered,) = named(of["long"], "process packing/gather")
    assert len(gathered["links"]) == 1500
    assert attributes(gathered)["messaging.batch.message_count"] == "1500"
    (joined,) = named(of["a"], "process packing/ship")
    producers = {
        s["spanId"] for s in of["a"] if attributes(s).get("farandole.step") in ("packing/gather", "picking/bill")
    }
    assert {link["spanId"] for link in joined["links"]} <= producers
    assert len(joined["links"]) == 2
    tried = [s for s in named(of["a"], "process item.picked") if s.get("status", {}).get("code") == "STATUS_CODE_ERROR"]
    assert [(attributes(s)["farandole.ending"], attributes(s)["error.type"]) for s in tried] == [("retrying", "Busy")]
    assert "canary" not in json.dumps(tried)
    assert "busy with a.1" in tried[0]["status"]["message"]
    (later,) = [s for s in of["a"] if tried[0]["spanId"] in {link["spanId"] for link in s.get("links", [])}]
    assert attributes(later)["farandole.attempt"] == "2"
    assert later["parentSpanId"] == tried[0]["parentSpanId"]
    endings = Counter(attributes(s).get("farandole.ending") for s in named(of["dead"], "process item.picked"))
    assert endings == {"dead": 1, "retrying": 1, "completed": 2}
    assert [
        attributes(s)["cloudevents.event_type"] for s in of["odd"] if attributes(s).get("farandole.ending") == "held"
    ].count("farandole.absent.v1") == 1
    outside = base64.b64encode(bytes.fromhex(OUTSIDE[3:35])).decode()
    linked = [s["name"] for s in of["out"] if any(link["traceId"] == outside for link in s.get("links", []))]
    assert sorted(linked) == ["process order.placed", "process order.placed", "workflow order.placed"]


def named(spans: Sequence[Got], name: str) -> list[Got]:
    return [s for s in spans if s["name"] == name]
