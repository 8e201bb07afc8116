"""Frames hold whatever records there are, and nothing that is no record."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.engines.sqlite.frames import decode, decode_headers, encode, encode_headers
from farandole.events.errors import LogFormatError
from farandole.log.record import NewRecord, Record

octets = st.none() | st.binary(max_size=40)
names = st.text(st.characters(), max_size=6)  # lone surrogates too: other writers' names are not ours to judge
headers = st.lists(st.tuples(names, octets), max_size=5).map(tuple)
alike = st.lists(names, max_size=4).flatmap(
    lambda shape: st.lists(st.tuples(*(st.tuples(st.just(name), octets) for name in shape)), min_size=1, max_size=9)
)


def records_of(shapes: list[tuple[tuple[str, bytes | None], ...]], body: bytes | None) -> list[NewRecord]:
    return [NewRecord("t", body, None if n % 3 else b"%d" % n, pairs) for n, pairs in enumerate(shapes)]


def stored(records: list[NewRecord], base: int = 7) -> list[Record]:
    return [Record("t", 3, base + n, 1.5, r.key, r.value, r.headers) for n, r in enumerate(records)]


@settings(deadline=None)
@given(st.lists(headers, min_size=1, max_size=12) | alike, octets)
def test_what_is_read_equals_what_was_written(shapes: list[tuple[tuple[str, bytes | None], ...]], body: bytes) -> None:
    """Whatever the headers: alike, repeated, of different shape, absent, not text."""
    records = records_of(shapes, body)
    found = decode(encode(records), "t", 3, 7, 1.5)
    assert found == stored(records)
    assert all(type(record) is Record and type(record.headers) is tuple for record in found)


@given(headers)
def test_headers_of_a_row_are_read_as_written(pairs: tuple[tuple[str, bytes | None], ...]) -> None:
    """A row of a compacted topic keeps its headers."""
    assert decode_headers(encode_headers(pairs)) == pairs


def test_a_header_that_all_share_is_stored_once() -> None:
    """A thousand equal headers cost no more than one."""
    many = [NewRecord("t", b"v", None, (("name", b"x" * 500),)) for _ in range(1000)]
    assert len(encode(many)) < 1000 * 4 + 600


@pytest.mark.parametrize(
    "record",
    [
        NewRecord("t", "text"),  # type: ignore[arg-type]
        NewRecord("t", b"v", 3),  # type: ignore[arg-type]
        NewRecord("t", b"v", None, (("h", "text"),)),  # type: ignore[arg-type]
        NewRecord("t", bytearray(b"v")),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_bytes_is_refused(record: NewRecord) -> None:
    """Alone, among sound ones, and in headers of different shapes: else nobody could read the frame."""
    sound = NewRecord("t", b"v", None, (("h", b"1"),))
    for frame in ([record], [sound, record], [record, NewRecord("t", b"v")]):
        with pytest.raises(TypeError, match="bytes or None"):
            encode(frame)


@pytest.mark.parametrize("body", [b"", b"\x93", b"\x95\x01\x02\x03\x04\x05", b"not a frame"])
def test_a_damaged_frame_is_named(body: bytes) -> None:
    """The error says where it stands and what to do."""
    with pytest.raises(LogFormatError, match=r"topic 't', partition 3: the frame at offset 7 is damaged.*restore"):
        decode(body, "t", 3, 7, 0.0)
