"""The hooks that trace: the context of the step's code, and an outlet that nobody waits for."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from farandole.events import ids
from farandole.events.envelope import Envelope
from farandole.log.hooks import Attempt, Commit, Ended
from farandole.telemetry.otlp import Sender
from farandole.telemetry.spans import LINKS, Context, Input, Link, root_span
from farandole.telemetry.tracing import TracingHooks


class Outcome(NamedTuple):
    ending: str
    workflow: str
    started: float = 0.0
    finished: float = 1.0
    records: Sequence[object] = ()
    reason: str = ""
    sampled: bool | None = None


ATTEMPT = Attempt("s", "t", "0123456789abcdef" * 2, "w", Envelope("e", "src", "a.b", 1, b"{}"), 2, "h")


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_the_code_of_a_step_runs_in_the_context_of_its_attempt(ratio: float) -> None:
    """What it calls gets the `traceparent` that the events get; afterwards all is as before."""
    headers: dict[str, str] = {}
    with TracingHooks(pytest.fail, ratio).running(ATTEMPT):
        TraceContextTextMapPropagator().inject(headers)
    span = ids.span_id(ATTEMPT.delivery, 2)
    assert headers["traceparent"] == ids.traceparent(ids.trace_id("w"), span, sampled=ratio > 0)
    assert not trace.get_current_span().get_span_context().is_valid


async def test_attempts_side_by_side_have_their_own_contexts() -> None:
    """On one event loop."""
    hooks, both = TracingHooks(pytest.fail, 1.0), asyncio.Barrier(2)

    async def run(attempt: int) -> int:
        with hooks.running(ATTEMPT._replace(attempt=attempt)):
            await both.wait()
            return trace.get_current_span().get_span_context().span_id

    found = await asyncio.gather(run(1), run(2))
    assert [f"{one:016x}" for one in found] == [ids.span_id(ATTEMPT.delivery, n) for n in (1, 2)]


def test_of_a_workflow_that_is_not_sampled_nothing_is_made() -> None:
    """Not even its facts are read."""
    hooks = TracingHooks(pytest.fail, 0.0)
    assert not hooks.hears("completed")
    hooks.committed(Commit("s", "t", 3, 0.1, [Outcome("completed", "w")], tell=pytest.fail))


def test_only_of_what_is_sampled_the_end_is_asked_for() -> None:
    """By workflow; and only of attempts."""
    told: list[str] = []

    def tell(outcome: Outcome) -> Ended:
        told.append(outcome.workflow)
        return Ended(ATTEMPT, "completed", 0.0, 1.0, 0)

    names = [f"w{n}" for n in range(200)]
    outcomes = [*(Outcome("completed", name) for name in names), Outcome("parked", "other")]
    TracingHooks(pytest.fail, 0.3).committed(Commit("s", "t", 3, 0.1, outcomes, tell=tell))
    assert told == [name for name in names if ids.is_sampled(ids.trace_id(name), 0.3)]
    assert 30 < len(told) < 90
    told.clear()
    kept, left = (Outcome("completed", name, sampled=name == "w7") for name in ("w7", "w8"))
    TracingHooks(pytest.fail, 0.3).committed(Commit("s", "t", 3, 0.1, [kept, left], tell=tell))
    assert told == ["w7"]  # as the events that it published say


DEAF = """
import socket, time
from farandole.telemetry.otlp import Outlet
from farandole.telemetry.spans import Input, root_span
from farandole.telemetry.switch import Destination

with socket.create_server(("127.0.0.1", 0)) as deaf:
    outlet = Outlet(Destination("http", f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/traces"))
    span = root_span("w", [Input("a.b.v1", 1.0)], 2.0)
    began = time.monotonic()
    for _ in range(1000):
        outlet.emit(span)
    emitted = time.monotonic() - began
    print(emitted, outlet.close(), time.monotonic() - began)
"""


@pytest.mark.slow
def test_whoever_emits_never_waits_for_the_receiver_and_what_is_lost_is_counted() -> None:
    """Nobody answers; a thousand spans are handed over at once, and the end comes within its time."""
    done = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, check=True, timeout=60)
    emitted, lost, ended = done.stdout.split()
    assert float(emitted) < 2.0
    assert int(lost) == 1000
    assert float(ended) < 10.0


class Measuring(SpanExporter):
    """A receiver that notes how many spans and bytes each request has, and refuses those of 4 MB."""

    def __init__(self) -> None:
        self.spans = self.largest = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        size = encode_spans(spans).ByteSize()
        self.spans, self.largest = self.spans + len(spans), max(self.largest, size)
        return SpanExportResult.SUCCESS if size < 4 * 2**20 else SpanExportResult.FAILURE


@pytest.mark.parametrize(
    ("number", "links", "text"), [(3_000, 0, 10), (1_500, 0, 8_000), (3, LINKS, 10), (200, 300, 1_000)]
)
def test_no_request_is_larger_than_receivers_take(number: int, links: int, text: int) -> None:
    """However many links a span has, and however long its texts are; nothing is lost for it."""
    linked = tuple(Link(Context("1" * 32, "2" * 16), {"messaging.message.id": "3" * 32}) for _ in range(links))
    span = root_span("w", [Input("a.b.v1", 1.0)], 2.0)._replace(links=linked, attributes={"farandole.key": "k" * text})
    receiver = Measuring()
    sender = Sender(receiver)
    assert sender.send([span] * number)
    assert (sender.sent, sender.failed, receiver.spans) == (number, 0, number)
    assert receiver.largest < 4 * 2**20


@pytest.mark.parametrize("setting", ["", "off"])
def test_without_tracing_nothing_of_opentelemetry_is_loaded(setting: str) -> None:
    """Neither by a service's command, nor by what a worker process of a step loads."""
    script = (
        "import sys, farandole.cli.run_command, farandole.runtime.remote\n"
        "from farandole.cli.traced import open_traced\n"
        "from farandole.config import load\n"
        "assert open_traced(load()) is None\n"
        "print(*sys.modules)"
    )
    env = {"FARANDOLE_TRACES": setting, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert not [name for name in done.stdout.split() if name.startswith(("opentelemetry", "grpc", "google"))]
