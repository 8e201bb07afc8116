"""Records become frames and rows: in order, in measure, or refused by name."""

import pytest

from farandole.engines.sqlite.catalog import Catalog, Topic
from farandole.engines.sqlite.compose import FRAME_BYTES, FRAME_RECORDS, RECORD_LIMIT, Composed, Composer
from farandole.engines.sqlite.frames import decode
from farandole.events.errors import RecordRefused
from farandole.log.partitioner import partition_of
from farandole.log.record import NewRecord


class Known(Catalog):
    """A catalog that needs no file."""

    def __init__(self, *topics: Topic) -> None:
        self._topics = {topic.name: topic for topic in topics}

    def find(self, name: str) -> Topic | None:
        return self._topics.get(name)


@pytest.fixture
def composer() -> Composer:
    """Knows a topic of one partition, one of four, and a compacted one of two."""
    return Composer(Known(Topic(1, "one", 1, False, 1), Topic(2, "four", 4, False, 2), Topic(3, "state", 2, True, 6)))


def contents(composed: Composed) -> dict[int, list[bytes | None]]:
    """Values by tp, in the order in which they will stand."""
    found: dict[int, list[bytes | None]] = {}
    for tp, count, body in composed.frames:
        values = [record.value for record in decode(body, "", 0, 0, 0.0)]
        assert len(values) == count
        found.setdefault(tp, []).extend(values)
    for tp, _, value, _ in composed.rows:
        found.setdefault(tp, []).append(value)
    return found


def test_the_order_given_is_kept_per_partition(composer: Composer) -> None:
    """However topics and partitions mingle."""
    names = ("one", "four", "state")
    records = [NewRecord(names[n % 3], b"%d" % n, b"key-%d" % (n % 7)) for n in range(300)]
    found = contents(composer.compose(records))
    for name, first, partitions in (("one", 1, 1), ("four", 2, 4), ("state", 6, 2)):
        for number in range(partitions):
            wanted = [r.value for r in records if r.topic == name and partition_of(r.key or b"", partitions) == number]
            assert found.pop(first + number, []) == wanted
    assert found == {}


def test_a_given_partition_counts_more_than_the_key(composer: Composer) -> None:
    """Who names a partition gets it."""
    found = contents(composer.compose([NewRecord("four", b"%d" % n, b"same", (), n) for n in range(4)]))
    assert found == {2: [b"0"], 3: [b"1"], 4: [b"2"], 5: [b"3"]}


def test_records_without_key_are_spread(composer: Composer) -> None:
    """Every partition has its share."""
    found = contents(composer.compose([NewRecord("four", b"v") for _ in range(40)]))
    assert {tp: len(values) for tp, values in found.items()} == {2: 10, 3: 10, 4: 10, 5: 10}


def test_no_frame_is_large_unless_its_record_is(composer: Composer) -> None:
    """Large records are cut into several frames, in order; one that is large by itself has its own."""
    sizes = [400_000, 10, 700_000, RECORD_LIMIT, 500_000, *[300] * 9000]
    records = [NewRecord("one", b"%08d" % n + bytes(size - 8) if size > 8 else b"") for n, size in enumerate(sizes)]
    composed = composer.compose(records)
    assert contents(composed)[1] == [record.value for record in records]
    for frame in composed.frames:
        assert frame.records <= FRAME_RECORDS
        assert len(frame.body) <= FRAME_BYTES or frame.records == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (NewRecord("nowhere", b"v"), "topic 'nowhere': it does not exist; create it"),
        (NewRecord("four", b"v", partition=4), "topic 'four': it has no partition 4; give one below 4"),
        (NewRecord("four", b"v", partition=-1), "topic 'four': it has no partition -1"),
        (NewRecord("state", b"v"), "topic 'state': it is compacted, so a record needs a key"),
        (NewRecord("one", bytes(RECORD_LIMIT + 1)), f"topic 'one': a record of {RECORD_LIMIT + 1} bytes; at most"),
        (
            NewRecord("state", bytes(RECORD_LIMIT), b"k"),
            "a record of .* put large content into an asset",
        ),
        (NewRecord("one", b"v", None, (("h", bytes(RECORD_LIMIT)),)), "topic 'one': a record of"),
        (NewRecord("one", "text"), "topic 'one': keys, values and header values are bytes or None, not str"),  # type: ignore[arg-type]
        (NewRecord("state", "text", b"k"), "topic 'state': keys and values are bytes or None, not str"),  # type: ignore[arg-type]
        (NewRecord("state", b"v", b"k", (("h", 1),)), "topic 'state': keys, values and header"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(composer: Composer, record: NewRecord, reason: str) -> None:
    """Among others too: topic, reason and remedy."""
    with pytest.raises(RecordRefused, match=reason):
        composer.compose([NewRecord("one", b"sound"), record, NewRecord("one", b"sound")])


def test_a_record_of_exactly_the_limit_passes(composer: Composer) -> None:
    """Key, value and headers count together."""
    size = RECORD_LIMIT - 10 - 4 - 6
    record = NewRecord("one", bytes(size), bytes(10), (("name", bytes(6)),))
    assert len(composer.compose([record]).frames) == 1
    with pytest.raises(RecordRefused):
        composer.compose([record._replace(key=bytes(11))])
