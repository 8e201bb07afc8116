"""The spans that a log gives, for what judges a run afterwards."""

from collections.abc import Iterable
from typing import Any

from farandole.engines.open import open_log
from farandole.telemetry.spans import Span
from farandole_observe.traces.rebuild import Rebuild
from tests.support.connected import unconnected

_SHOWN = 20


async def spans_of(url: str) -> list[Span]:
    """Every span of a log, as `farandole traces rebuild` exports them."""
    log = await open_log(url)
    try:
        return [span async for spans in Rebuild(log).spans() for span in spans]
    finally:
        await log.close()


async def connected(url: str, facts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Whether every delivery of a run is in its workflow's one trace (I17): how many `spans`, and what is wrong."""
    spans = await spans_of(url)
    found = unconnected(facts, spans)
    return {"spans": len(spans), "wrong": len(found), "unconnected": found[:_SHOWN]}
