"""(d) The embedded hop with telemetry on, beside itself with it off: metrics, and one workflow in a hundred traced."""

import asyncio
import gc
import sys
import tempfile
from pathlib import Path

from farandole.log.hooks import Hooks
from farandole.telemetry.compose import compose
from farandole.telemetry.logging import LoggingHooks, configure_logging
from farandole.telemetry.metrics import MetricsHooks
from farandole.telemetry.otlp import Outlet
from farandole.telemetry.switch import destination
from farandole.telemetry.tracing import TracingHooks
from tests.bench import hop
from tests.bench.bars import Bar, ratio_bar
from tests.bench.events import Measured, sample
from tests.observe.traced.receiver import receiving

EVENTS = 40_000
PAIRS = 7
SHARE = 0.01  # of workflows that are traced


def run(pairs: int = PAIRS, events: int = EVENTS) -> list[Bar]:
    """Throughput with, as a share of without; pairs in alternation, as `farandole run` puts its hooks together."""
    configure_logging("WARNING", json=True)
    inputs, ratios, rates = sample(events), [], []
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
        folder = Path(name)
        with receiving(folder / "spans") as receiver:
            for number in range(pairs):
                seconds = {}
                for on in (True, False) if number % 2 else (False, True):
                    seconds[on] = _told(folder, inputs, receiver.http if on else "")
                ratios.append(seconds[False] / seconds[True])
                rates.append(events / seconds[True])
                sys.stderr.write(
                    f"telling {number + 1}/{pairs}: {events / seconds[True]:,.0f} events/s with telemetry, "
                )
                sys.stderr.write(f"{events / seconds[False]:,.0f} without\n")
            spans = len(receiver.spans())
    if not spans:
        raise RuntimeError("no span arrived: what was measured did not trace")
    note = f"{sorted(rates)[len(rates) // 2]:,.0f} events/s; {spans} spans arrived"
    return [ratio_bar("hop with telemetry / without", ratios, 0.85, at_least=True, note=note)]


def _told(folder: Path, inputs: list[Measured], receiver: str) -> float:
    """Seconds. `receiver`: where spans go; empty: telemetry is off."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "log.db"
        if not receiver:
            return asyncio.run(hop.moved(path, inputs, LoggingHooks()))
        outlet = Outlet(destination(receiver))
        try:
            hooks: Hooks | None = compose([LoggingHooks(), MetricsHooks(), TracingHooks(outlet.emit, SHARE)])
            return asyncio.run(hop.moved(path, inputs, hooks, SHARE))
        finally:
            outlet.close()
            gc.collect()
