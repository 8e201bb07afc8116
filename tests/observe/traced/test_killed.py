"""Services that are killed while they work, on an embedded log: every delivery in one connected trace (I17)."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker import read_log
from tests.observe.traced.receiver import receiving
from tests.observe.traced.stage import PATIENCE, SERVICES, Stage, rebuilt
from tests.support.connected import unconnected
from tests.support.traces import spans_of

pytestmark = pytest.mark.slow
_KILLS = 6
_ORDERS = 24


def told(path: Path) -> list[dict[str, Any]]:
    """The facts, read raw."""
    return read_log(path)[1]


def test_with_services_killed_every_delivery_is_in_one_connected_trace(tmp_path: Path) -> None:
    """What they exported is in the log; the log alone gives every workflow as one whole.

    OpenTelemetry's own variables say where to.
    """
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    path = tmp_path / "log.db"
    with receiving(tmp_path / "live.txt") as receiver:
        endpoint = receiver.grpc.replace("otlp:", "http:")
        stage = Stage(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", WORK="0.01")
        with stage.services() as running:
            flows = stage.publish({f"o{n}": 5 for n in range(_ORDERS)})
            for kill in range(_KILLS):
                stage.until_completed(1 + kill * 40)
                chosen = rng.randrange(len(SERVICES))
                os.kill(running[chosen].pid, signal.SIGKILL)
                assert running[chosen].wait(PATIENCE) == -signal.SIGKILL
                stage.again(running, chosen)
            flows += stage.publish({f"late{n}": 5 for n in range(4)})
            stage.until(flows)
        live = receiver.spans()
    spans, facts = asyncio.run(spans_of(stage.url)), told(path)
    found = unconnected(facts, spans)
    assert not found, found[:5]
    assert {fact["workflow"] for fact in facts} == set(flows)
    assert sum(not span.parent for span in spans) == len(flows)
    again = Counter(json.dumps(span, sort_keys=True) for span in rebuilt(stage, tmp_path))
    assert live
    assert not Counter(json.dumps(span, sort_keys=True) for span in live) - again
