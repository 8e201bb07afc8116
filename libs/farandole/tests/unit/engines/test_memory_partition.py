"""Partitions: what is kept, read and found, against plain lists and dictionaries."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from farandole.engines.memory.partition import CompactedPartition, Partition, PlainPartition
from farandole.log.record import NewRecord, Record

DAY = 86_400.0

writes = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.none() | st.binary(max_size=2), st.integers(-2, 50)),
    max_size=60,
)


def written(partition: Partition, entries: Sequence[tuple[bytes, bytes | None, int]]) -> list[Record]:
    """Every record that was written, with times that may step back."""
    now = 100.0
    records: list[Record] = []
    for key, value, step in entries:
        now += step
        offset = partition.write(NewRecord("t", value, key), 3, now)
        time = max([now, *(record.time for record in records)])
        records.append(Record("t", 3, offset, time, key, value, ()))
    return records


def read_all(partition: Partition, start: int, limit: int) -> list[Record]:
    """Read in slices to the end."""
    found: list[Record] = []
    while True:
        more, start = partition.read(start, limit)
        assert len(more) <= limit
        found += more
        if not more:
            return found


def check(partition: Partition, kept: list[Record], start: int, limit: int, time: float) -> None:
    assert read_all(partition, start, limit) == [record for record in kept if record.offset >= start]
    by_place = {record.offset: record for record in kept}
    assert [partition.at(n) for n in range(-1, partition.end + 2)] == [
        by_place.get(n) for n in range(-1, partition.end + 2)
    ]
    later = [record.offset for record in kept if record.time >= time]
    assert partition.offset_at(time) == (later[0] if later else partition.end)


@given(writes, st.integers(0, 70), st.integers(1, 9), st.integers(90, 400))
def test_a_plain_partition_keeps_everything(
    entries: list[tuple[bytes, bytes | None, int]], start: int, limit: int, time: int
) -> None:
    """Every record is read, found by offset and by time, in the order of writing; time never falls."""
    partition = PlainPartition()
    records = written(partition, entries)
    assert partition.end == len(records)
    check(partition, records, start, limit, float(time))


@given(writes, st.integers(0, 70), st.integers(1, 9), st.integers(90, 400))
def test_a_compacted_partition_keeps_the_latest_of_each_key(
    entries: list[tuple[bytes, bytes | None, int]], start: int, limit: int, time: int
) -> None:
    """Only the last record of a key, tombstones included, is read or found."""
    partition = CompactedPartition()
    records = written(partition, entries)
    latest = {record.key: record for record in records}
    kept = [record for record in records if latest[record.key] is record]
    assert partition.end == len(records)
    check(partition, kept, start, limit, float(time))


@given(st.integers(1, 6), st.integers(100, 300))
def test_a_compacted_partition_sweeps_what_was_overwritten(keys: int, count: int) -> None:
    """Its memory follows its keys, not its writes, and a sweep changes nothing that is read."""
    partition = CompactedPartition()
    entries = [(b"%d" % (n % keys), b"%d" % n, 1) for n in range(count)]
    latest = {record.key: record for record in written(partition, entries)}
    assert len(partition._records) <= 2 * keys + 64
    assert read_all(partition, 0, 7) == sorted(latest.values(), key=lambda record: record.offset)


def test_a_tombstone_is_forgotten_after_a_day_and_not_before() -> None:
    """Deletions stay for a day for those who follow; after it they cost nothing."""
    for age, there in ((DAY / 2, True), (DAY * 2, False)):
        partition = CompactedPartition()
        partition.write(NewRecord("t", b"v", b"gone"), 0, 0.0)
        partition.write(NewRecord("t", None, b"gone"), 0, 0.0)
        for n in range(200):
            partition.write(NewRecord("t", b"%d" % n, b"k"), 0, age)
        assert (b"gone" in {record.key for record in read_all(partition, 0, 10)}) is there
