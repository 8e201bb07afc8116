"""(a) The embedded hop, beside the hand-written loop: pairs in alternation, on fresh files, one after the other."""

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

from farandole.engines.sqlite.log import SqliteLog
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.ids import trace_id, traceparent
from farandole.events.manifest import Manifest, StepManifest
from farandole.log.hooks import Hooks
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.host import Host, Options
from farandole.runtime.manifests import manifest_record
from tests.bench import hand
from tests.bench.bars import Bar, ratio_bar
from tests.bench.events import Measured, sample, service

_UPSTREAM = Manifest(service="up", version="0", steps=[StepManifest(name="stream", inputs=[])])
"""So that the input comes from within the dance, as on every hop but the first."""
EVENTS = 40_000
PAIRS = 7


def run(pairs: int = PAIRS, events: int = EVENTS) -> list[Bar]:
    """The two bars of the hop."""
    inputs = sample(events)
    plain, told, rates = [], [], []
    for number in range(pairs):
        with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
            folder = Path(name)
            first = number % 2 == 0
            ours = _ours(folder, inputs) if first else 0.0
            by_hand = hand.plain(hand.fill(folder / "plain.db", inputs))
            by_hand_told = hand.told(hand.fill(folder / "told.db", inputs))
            ours = ours or _ours(folder, inputs)
        plain.append(by_hand / ours)
        told.append(by_hand_told / ours)
        rates.append(events / ours)
        _say(f"hop {number + 1}/{pairs}: ours {events / ours:,.0f}/s, by hand {events / by_hand:,.0f}/s, ")
        _say(f"with ids and facts {events / by_hand_told:,.0f}/s\n")
    size = sum(len(e.data()) for e in inputs) / events
    note = f"{sorted(rates)[len(rates) // 2]:,.0f} events/s of {size:.0f} B, FULL"
    return [
        ratio_bar("embedded hop / hand-written loop", plain, 0.45, at_least=True, note=note),
        ratio_bar("embedded hop / loop with ids, headers, facts", told, 0.65, at_least=True),
    ]


def _ours(folder: Path, inputs: list[Measured]) -> float:
    return asyncio.run(moved(folder / "ours.db", inputs))


async def moved(path: Path, inputs: list[Measured], hooks: Hooks | None = None, ratio: float | None = None) -> float:
    """Seconds from the service's first poll until the last output is durable. `ratio`: of traces, None: without."""
    log = await SqliteLog.open(path)
    try:
        await log.ensure([TopicSpec("measured", 1), TopicSpec("moved", 1), TopicSpec("farandole.journal", 1)])
        await log.ensure([TopicSpec("farandole.manifests", 1, compacted=True)])
        records = [_record(number, event) for number, event in enumerate(inputs)]
        await log.append([manifest_record(_UPSTREAM)])
        for start in range(0, len(records), 500):
            await log.append(records[start : start + 500])
        return await _timed(log, len(inputs), hooks, ratio)
    finally:
        await log.close()


async def _timed(log: SqliteLog, count: int, hooks: Hooks | None, ratio: float | None) -> float:
    stop, started = asyncio.Event(), asyncio.Event()
    host = Host(service, log, hooks=hooks, options=Options(worker="bench", partitions=1, ratio=ratio))
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    sys.setswitchinterval(0.0005)
    begun = time.perf_counter()
    serving = asyncio.create_task(host.run(stop, started))
    await started.wait()
    reader = await log.reader(["moved"], {("moved", 0): count - 1})
    while not await reader.poll(timeout=60.0):
        pass
    seconds = time.perf_counter() - begun
    stop.set()
    await serving
    gc.unfreeze()
    return seconds


def _record(number: int, event: Measured) -> NewRecord:
    """An input as an upstream step would have written it."""
    name = f"{number:032x}"
    trace = traceparent(trace_id(name), "2" * 16)  # each of its own workflow, so that a share of them is sampled
    envelope = Envelope(name, "up/stream", "measured", 1, event.data(), event.key, name, "0" * 32, (), 0, trace)
    parts = encode(envelope)
    return NewRecord("measured", parts.value, parts.key, parts.headers)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
