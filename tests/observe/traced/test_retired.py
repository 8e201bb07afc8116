"""Traces of a log of which a part has left: with the archive nothing is lacking, without it what lacks is said."""

import random
from pathlib import Path

import pytest

from farandole.engines.open import open_log
from farandole.events import ids
from farandole.events.topics import JOURNAL
from farandole.log.ports import Log
from farandole.telemetry.spans import Span
from farandole_observe.archive.files import Archive
from farandole_observe.archive.history import History
from farandole_observe.archive.retiring import retire
from farandole_observe.traces.rebuild import Rebuild
from tests.observe import written
from tests.observe.test_archive import random_cuts


async def told(log: Log) -> tuple[dict[str, Span], Rebuild]:
    """The spans of a log by id, and how the rebuild went."""
    rebuild = Rebuild(log)
    return {span.context.span: span async for spans in rebuild.spans() for span in spans}, rebuild


@pytest.mark.parametrize("seed", range(4))
async def test_the_archive_and_the_rest_give_the_same_traces_and_the_rest_alone_says_what_lacks(
    seed: int, tmp_path: Path
) -> None:
    """Cut anywhere: never a crash, never a span that the whole has not; what hangs on what is gone still names it."""
    print(f"seed {seed}")
    rng, log = random.Random(seed), await open_log("memory:")
    records = written.shuffled(written.lines_of(written.played(seed)), seed)
    await written.make_topics(log, records)
    await log.append(records)
    whole, before = await told(log)
    assert (before.cut, before.gone) == (0, 0)
    plain = [spec.name for spec in await log.topics() if not spec.compacted]
    await retire(log, random_cuts(await log.spans(plain), rng), Archive(tmp_path), lambda cut: None)
    assert (await told(History(log, Archive(tmp_path))))[0] == whole
    rest, after = await told(log)
    assert after.gone == sum(span.start for span in (await log.spans([JOURNAL])).values())
    assert rest.keys() <= whole.keys()
    assert len(rest) < len(whole) or not after.gone
    roots = {ids.root_span_id(flow) for flow in before.told}
    lost = {s.parent for s in rest.values()} - rest.keys() - roots - {""}
    assert lost <= whole.keys()
    await log.close()
