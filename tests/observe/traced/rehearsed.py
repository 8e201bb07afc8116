"""A rehearsal whose processes trace, and what its log gives a rebuild."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from farandole.log.ports import Log
from farandole.runtime.declare import Service
from farandole.runtime.host import Host, Options
from farandole.telemetry.spans import Span
from farandole.telemetry.tracing import TracingHooks
from farandole.testing import Rehearsal
from farandole_observe.traces.rebuild import Rebuild


@contextmanager
def traced(*services: Service, ratio: float = 1.0, **more: Any) -> Iterator[tuple[Rehearsal, list[Span]]]:
    """A rehearsal, and the spans that its services emit."""
    live: list[Span] = []
    hooks = TracingHooks(live.append, ratio)

    def host(service: Service, log: Log, *, options: Options) -> Host:
        return Host(service, log, hooks=hooks, options=replace(options, ratio=ratio))

    with patch("farandole.testing.process.Host", host), Rehearsal(*services, **more) as r:
        yield r, live


def rebuilt(r: Rehearsal, ratio: float = 1.0) -> tuple[list[Span], Rebuild]:
    """The spans of all that stands in the log, and how the rebuild went."""
    told = Rebuild(r._log, ratio)

    async def read() -> list[Span]:
        return [span async for spans in told.spans() for span in spans]

    return r._run(read()), told


def journal(r: Rehearsal) -> list[dict[str, Any]]:
    """The facts as they stand there."""
    return [fact.model_dump(mode="json") for fact in r.facts()]
