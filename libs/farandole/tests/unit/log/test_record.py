"""Records and the words for places: what follows from their parts."""

from farandole.log.record import NewRecord, Place, Record, Span, TopicSpec


def test_a_record_knows_its_place() -> None:
    """Topic, partition and offset, comparable with what an append returned."""
    record = Record("t", 1, 7, 0.0, None, b"v", ())
    assert record.place == ("t", 1, 7) == Place("t", 1, 7)


def test_defaults_are_the_ordinary_case() -> None:
    """A new record needs topic and value only; a topic has one partition and keeps everything."""
    assert NewRecord("t", b"v") == NewRecord("t", b"v", key=None, headers=(), partition=None)
    assert TopicSpec("t") == TopicSpec("t", partitions=1, compacted=False)


def test_places_sort_by_topic_partition_and_offset() -> None:
    """So that sorting by place gives the order of every partition."""
    places = [Place("b", 0, 0), Place("a", 1, 0), Place("a", 0, 10), Place("a", 0, 9)]
    assert sorted(places) == [Place("a", 0, 9), Place("a", 0, 10), Place("a", 1, 0), Place("b", 0, 0)]


def test_a_span_is_start_and_end() -> None:
    """An empty partition's are equal."""
    assert Span(3, 3).end - Span(3, 3).start == 0
