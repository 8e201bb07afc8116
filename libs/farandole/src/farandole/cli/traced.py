"""Tracing as the commands switch it on: nothing of OpenTelemetry is imported where it is off."""

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from farandole.cli.say import remark
from farandole.config import Loaded
from farandole.events.errors import ConfigError
from farandole.log.hooks import Hooks
from farandole.telemetry.spans import Span
from farandole.telemetry.switch import Destination, Tracing, installed, tracing

if TYPE_CHECKING:
    from farandole.telemetry.otlp import Outlet, Sender

_REMEDY = "install it (pip install 'farandole[otel]'), or write traces = \"off\""


class Traced:
    """Traces on their way out, for as long as a command runs; `ratio` is the share of workflows that is traced."""

    def __init__(self, wanted: Tracing) -> None:
        self.ratio = wanted.ratio
        self._outlet: Outlet = importlib.import_module("farandole.telemetry.otlp").Outlet(wanted.destination)

    @property
    def emit(self) -> Callable[[Span], None]:
        """Hand a span over; never waits."""
        return self._outlet.emit

    def hooks(self) -> Hooks:
        """What services tell of their attempts."""
        found: Hooks = importlib.import_module("farandole.telemetry.tracing").TracingHooks(self.emit, self.ratio)
        return found

    async def close(self) -> None:
        """Send what waits; what never arrived is told."""
        lost = await asyncio.to_thread(self._outlet.close)
        if lost:
            remark(f"{lost} spans did not reach the receiver of traces; `farandole traces rebuild` has them")


def open_traced(loaded: Loaded) -> Traced | None:
    """Tracing as the settings want it, or None. Raises ConfigError where they want it and it is not installed."""
    wanted = tracing(loaded.config.traces, loaded.config.trace_ratio)
    if wanted is None:
        return None
    if not installed():
        if wanted.asked:
            raise ConfigError(f"traces: OpenTelemetry is not installed; {_REMEDY}")
        remark(f"OpenTelemetry's variables want traces, but it is not installed; {_REMEDY}")
        return None
    return Traced(wanted)


def sender_to(where: Destination) -> "Sender":
    """A `Sender` that waits for the receiver's answer. Raises ConfigError where OpenTelemetry is not installed."""
    if not installed():
        raise ConfigError(f"traces: OpenTelemetry is not installed; {_REMEDY}")
    otlp = importlib.import_module("farandole.telemetry.otlp")
    found: Sender = otlp.Sender(otlp.exporter(where))
    return found
