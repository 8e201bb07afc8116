"""The spans that a log gives, for what judges a run afterwards."""

from farandole.engines.open import open_log
from farandole.telemetry.spans import Span
from farandole_observe.traces.rebuild import Rebuild


async def spans_of(url: str) -> list[Span]:
    """Every span of a log, as `farandole traces rebuild` exports them."""
    log = await open_log(url)
    try:
        return [span async for spans in Rebuild(log).spans() for span in spans]
    finally:
        await log.close()
