"""What left the log for the archive is read with the rest as one history; what is still needed does not leave."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.engines.open import open_log
from farandole.events.errors import ConfigError, LogFormatError
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.ports import Interest, Log, Unit
from farandole.log.reading import to_the_end
from farandole.log.record import NewRecord, Record, Span, TopicPartition, TopicSpec
from farandole.runtime.manifests import manifest_record
from farandole_observe.archive import planning, retiring
from farandole_observe.archive.files import Archive
from farandole_observe.archive.history import History
from farandole_observe.archive.planning import Cut, plan
from farandole_observe.archive.retiring import retire
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import picture
from farandole_observe.store import tables
from farandole_observe.store.bulk import upsert
from farandole_observe.store.opening import MEMORY, open_store
from libs.farandole.tests.unit.fold.declared import service, step, take
from tests.observe import written
from tests.observe.given import hash_folded

BLOB = st.one_of(st.none(), st.binary(max_size=20))
RECORDS = st.lists(
    st.tuples(BLOB, BLOB, st.lists(st.tuples(st.text(max_size=5), BLOB), max_size=3), st.integers(1, 3)), max_size=20
)


async def everything(log: Log, topics: Sequence[str]) -> list[Record]:
    """All records that a reader gives, by place."""
    reader = await log.reader(topics)
    found = [record async for records in to_the_end(log, reader, list(topics)) for record in records]
    await reader.close()
    return sorted(found, key=lambda record: record.place)


def random_cuts(spans: dict[TopicPartition, Span], rng: random.Random) -> list[Cut]:
    """For each partition a beginning somewhere, perhaps where it is."""
    return [Cut(*place, span.start, rng.randint(span.start, span.end), 0, "") for place, span in sorted(spans.items())]


@settings(deadline=None)
@given(RECORDS)
def test_a_file_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[object]]
) -> None:
    """Records with any bytes, without key or value, with gaps between their offsets."""
    archive, place = Archive(tmp_path_factory.mktemp("archive")), ("scene.received", 3)
    records, offset = list[Record](), 7
    for key, value, headers, gap in given:  # type: ignore[misc]
        records.append(Record(*place, offset, 1e9 + offset / 3, key, value, tuple(headers)))
        offset += gap
    archive.write(place, Span(7, offset), records)
    assert archive.span(place) == Span(7, offset)
    assert [r for some in archive.read(place, Span(0, offset)) for r in some] == records
    for record in records:
        assert archive.fetch(place, record.offset) == record
        assert archive.offset_at(place, record.time) == record.offset
    assert archive.offset_at(place, 2e9) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("engine", ["memory", "sqlite"])
async def test_the_archive_and_the_rest_are_one_history(
    seed: int, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut anywhere and more than once: readers, places, times and the fold find what was there before."""
    print(f"seed {seed}")
    monkeypatch.setattr(retiring, "AT_ONCE", 7)
    rng, archive = random.Random(seed), Archive(tmp_path / "archive")
    log = await open_log("memory:" if engine == "memory" else f"sqlite:///{tmp_path / 'log.db'}")
    records = written.shuffled(written.lines_of(written.played(seed)), seed)
    await written.make_topics(log, records)
    for record in records:  # each in a frame of its own
        await log.append([record])
    plain = [spec.name for spec in await log.topics() if not spec.compacted]
    whole, spans, folded = await everything(log, plain), await log.spans(plain), await hash_folded(log)
    history = History(log, archive)
    for _ in range(3):
        await retire(log, random_cuts(await log.spans(plain), rng), archive, lambda cut: None)
        assert await history.spans(plain) == spans
        assert await everything(history, plain) == whole
        assert await hash_folded(history) == folded
        for record in rng.sample(whole, 10):
            assert await history.fetch(*record.place) == record
            place = record.topic, record.partition
            first = next(r for r in whole if (r.topic, r.partition) == place and r.time >= record.time)
            assert await history.offset_at(*place, record.time) == first.offset
    assert await everything(log, plain) != whole
    await log.close()


async def test_what_lies_between_archive_and_log_is_said(tmp_path: Path) -> None:
    """History begins with the log then, the tables say how much they lack, and nothing more goes into that archive."""
    log, archive = await open_log("memory:"), Archive(tmp_path)
    records = written.shuffled(written.lines_of(written.played(1)), 1)
    await written.make_topics(log, records)
    await log.append(records)
    place = next(place for place, span in (await log.spans([JOURNAL])).items() if span.end > 3)
    await retire(log, [Cut(*place, 0, 1, 0, "")], archive, lambda cut: None)
    await log.prune({place: 3})
    history = History(log, archive)
    assert (await history.spans([JOURNAL]))[place].start == 3
    store = await open_store(MEMORY)
    await Replica(history, store, "one").catch_up()
    async with picture(store, log.clock.now()) as seen:
        assert seen.freshness.cut == 3
    with pytest.raises(ConfigError, match="of another log, or something between is gone"):
        await retire(log, [Cut(*place, 3, 4, 0, "")], archive, lambda cut: None)
    assert (await log.spans([JOURNAL]))[place].start == 3
    await store.close()
    await log.close()


@pytest.mark.parametrize("name", ["notes.parquet", "00000000000000000009-00000000000000000010.parquet"])
def test_a_folder_that_is_no_archive_is_refused(name: str, tmp_path: Path) -> None:
    """A strange file, or a range that does not go on where the one before ends."""
    archive, place = Archive(tmp_path), ("work", 0)
    archive.write(place, Span(0, 2), [])
    (tmp_path / "work" / "0" / name).write_bytes(b"")
    with pytest.raises(LogFormatError, match=name):
        archive.span(place)


async def test_what_is_needed_does_not_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of unfinished workflows nothing goes, nor what a group has not handled; finished ones go when they are old."""
    monkeypatch.setattr(planning, "MARGIN", 0.0)
    log, store = await open_log("memory:"), await open_store(MEMORY)
    dance = written.played(3)
    records = written.shuffled(written.lines_of(dance), 3)
    await written.make_topics(log, records)
    await log.append(records)
    await Replica(log, store, "one").catch_up()
    unfinished = {s.workflow for s in dance.fold().workflows() if s.status != "complete"}
    assert unfinished
    async with picture(store, log.clock.now() + 3600.0) as seen:
        cuts = await plan(log, seen, 60.0)
        assert {cut.topic for cut in cuts} == {spec.name for spec in await log.topics()} - {MANIFESTS}
        first = min([(await seen.state(workflow)).summary.started for workflow in unfinished])
        for cut in cuts:
            assert cut.end <= await log.offset_at(cut.topic, cut.partition, first)
            assert cut.why or cut.end == (await log.spans([cut.topic]))[cut.topic, cut.partition].end
        assert any(cut.why.startswith("workflow ") for cut in cuts)
    async with picture(store, log.clock.now()) as seen:
        assert all(cut.end == cut.start for cut in await plan(log, seen, 7200.0)), "younger than what is to be kept"
    await store.close()
    await log.close()


async def test_nothing_that_a_group_or_a_projection_has_to_handle_leaves() -> None:
    """Their positions bound what goes, though the tables know of no workflow there."""
    log, store = await open_log("memory:"), await open_store(MEMORY)
    await log.ensure([TopicSpec(JOURNAL, written.PARTITIONS), TopicSpec(MANIFESTS, 1, compacted=True)])
    await log.ensure([TopicSpec("strange", 1)])
    await log.append([manifest_record(service("shop", step("pack", take("order", "strange"))))])
    await log.append([NewRecord("strange", b"%d" % n) for n in range(10)])
    subscription = await log.subscribe(Interest("shop/pack", "strange"))
    polled = await subscription.poll(limit=10, timeout=1.0)
    await subscription.commit([Unit(polled.granted[0], [], {"strange": 4})])
    await Replica(log, store, "one").catch_up()
    async with picture(store, log.clock.now() + 1e6) as seen:
        (cut,) = [cut for cut in await plan(log, seen, 1.0) if cut.topic == "strange"]
    assert (cut.start, cut.end, cut.why) == (0, 4, "shop/pack goes on there")
    async with store.writing() as connection:  # as a user's projection that came less far
        await upsert(connection, tables.projection_positions, [("mine", "strange", 0, 3, 0.0)])
    async with picture(store, log.clock.now() + 1e6) as seen:
        (cut,) = [cut for cut in await plan(log, seen, 1.0) if cut.topic == "strange"]
    assert (cut.end, cut.why) == (3, "the tables lack what follows")
    await store.close()
    await log.close()
