"""Records by their places: the same as a fetch of each gives, however they lie."""

import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from farandole.engines.open import open_log
from farandole.log import places
from farandole.log.places import records_at
from farandole.log.ports import Log
from farandole.log.record import NewRecord, TopicSpec

_TOPICS = ("a.b", "c.d")


@pytest.fixture(params=["memory:", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Log]:
    """Two topics of three partitions, with some hundred records each."""
    folder = tmp_path_factory.mktemp("log")
    log = await open_log("memory:" if request.param == "memory:" else f"sqlite:///{folder}/log.db")
    await log.ensure([TopicSpec(topic, 3) for topic in _TOPICS])
    for topic in _TOPICS:
        await log.append([NewRecord(topic, b"%d" % n, b"k%d" % n, ()) for n in range(600)])
    yield log
    await log.close()


@pytest.mark.parametrize("seed", range(5))
async def test_they_are_what_a_fetch_of_each_gives(log: Log, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close together and far apart, twice, and where nothing is any more, or yet."""
    rng = random.Random(seed)
    monkeypatch.setattr(places, "_GAP", rng.choice((0, 1, 5, 50)))
    spans = await log.spans(_TOPICS)
    wanted = [
        (*place, offset)
        for place, span in spans.items()
        for offset in rng.sample(range(span.start, span.end), rng.choice((0, 1, 2, 30)))
    ]
    beyond = [("a.b", 0, spans["a.b", 0].end + 3), ("a.b", 7, 0), ("no.such", 0, 0)]
    found = [record async for record in records_at(log, [*wanted, *beyond, *wanted[:3]])]
    assert Counter(r.place for r in found) == Counter(wanted), f"seed {seed}"
    for record in found:
        fetched = await log.fetch(*record.place)
        assert fetched is not None
        assert (fetched.key, fetched.value) == (record.key, record.value)


async def test_what_lies_close_together_is_read_in_one_go(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader a partition, and no fetch."""
    begun, make = [], log.reader

    async def reader(*args: object) -> object:
        begun.append(args)
        return await make(*args)  # type: ignore[arg-type]

    async def fetch(*_: object) -> None:
        raise AssertionError("a request for one record")

    monkeypatch.setattr(log, "reader", reader)
    monkeypatch.setattr(log, "fetch", fetch)
    wanted = [(*place, offset) for place in await log.spans(["a.b"]) for offset in (0, 50, 100)]
    assert len([record async for record in records_at(log, wanted)]) == 9
    assert len(begun) == 3
