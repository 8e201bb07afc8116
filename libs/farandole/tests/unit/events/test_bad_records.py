"""Whatever bytes a record holds, decoding gives an envelope or a DecodeError that names the place; soon and small."""

import gzip
import pickle
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from farandole.events.codec import Headers, decode, encode
from farandole.events.edge import check_interoperable
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.event import Event
from farandole.events.limits import HEADER_BYTES_LIMIT, HEADER_COUNT_LIMIT, TEXT_LIMIT, VALUE_LIMIT

GOOD = encode(Envelope("1", "cli", "noted", 1, b'{"text":"a"}')).headers
NAMES = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_correlationid", "ce_causationid"]
NAMES += ["ce_scope", "ce_generation", "ce_traceparent", "traceparent", "content-type", "ce_subject", "x", "", "CE_ID"]


class Noted(Event, type="noted"):
    text: str


@contextmanager
def soon_and_small(limit: int) -> Iterator[None]:
    """At most `limit` bytes more than before at any time, and at most a second."""
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
        taken, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2
    assert peak < limit


def answer(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope | DecodeError:
    try:
        return decode(key, value, headers)
    except DecodeError as error:
        return error


def replaced(name: str, raw: bytes | None) -> Headers:
    return tuple((n, raw if n == name else r) for n, r in GOOD)


def without(name: str) -> Headers:
    return tuple(header for header in GOOD if header[0] != name)


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_source", "ce_type"])
def test_a_record_that_lacks_a_required_attribute_is_refused(name: str) -> None:
    """Missing, None and empty are the same; the refusal names the attribute."""
    for headers in (without(name), replaced(name, None), replaced(name, b"")):
        with pytest.raises(DecodeError, match=name[3:]):
            decode(None, b"{}", headers)


def test_a_record_without_headers_is_refused() -> None:
    """Something else than a CloudEvent."""
    with pytest.raises(DecodeError, match="specversion"):
        decode(b"k", b"{}", ())


def test_another_version_of_cloudevents_is_refused() -> None:
    """0.3 and versions to come."""
    for version in (b"0.3", b"1.1", b"2.0", b"1"):
        with pytest.raises(DecodeError, match="ce_specversion"):
            decode(None, b"{}", replaced("ce_specversion", version))


def test_a_tombstone_is_no_event() -> None:
    """A null value is refused; an empty one is data, which no event accepts."""
    with pytest.raises(DecodeError, match="tombstone"):
        decode(b"k", None, GOOD)
    with pytest.raises(ValidationError):
        Noted.read(decode(b"k", b"", GOOD).data)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("ce_") or name == "content-type"])
def test_an_attribute_that_stands_twice_is_refused(name: str) -> None:
    """Also with the same value, in another case, or with None."""
    for first, second in ((b"1", b"2"), (b"1", b"1"), (None, b"1"), (b"1", None)):
        with pytest.raises(DecodeError, match=f"{name}.*twice"):
            decode(None, b"{}", (*without(name), (name, first), (name.upper(), second)))


@pytest.mark.parametrize("raw", [b"\xff", b"a\x00b", b"a\nb", b"\x1b[31m", b"\x7f", "\x9b".encode(), "\ufdd0".encode()])
@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_correlationid", "ce_subject", "content-type"])
def test_attributes_hold_no_control_characters_and_only_utf8(name: str, raw: bytes) -> None:
    """Nothing that a terminal, a path or a separator could take for something else; the refusal is printable."""
    with pytest.raises(DecodeError, match=name) as caught:
        decode(None, b"{}", (*without(name), (name, raw)))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("key", [b"\xff\xfe", b"k" * (TEXT_LIMIT + 1)])
def test_a_key_that_is_no_short_text_is_refused(key: bytes) -> None:
    """Order values are text."""
    with pytest.raises(DecodeError, match="key"):
        decode(key, b"{}", GOOD)


@pytest.mark.parametrize("generation", [b"-1", b"1.5", b"x", b"+1", b" 1", b"1000000", "١".encode(), b"9" * 1000])
def test_a_generation_is_a_count(generation: bytes) -> None:
    """Nothing else that int() would take."""
    with pytest.raises(DecodeError, match="ce_generation"):
        decode(None, b"{}", (*GOOD, ("ce_generation", generation)))


def test_texts_have_a_limit() -> None:
    """1,024 characters of an attribute pass, one more does not; the refusal repeats none of it."""
    assert decode(None, b"{}", replaced("ce_id", b"x" * TEXT_LIMIT)).id == "x" * TEXT_LIMIT
    with pytest.raises(DecodeError, match=r"'ce_id' has 1025 characters") as caught:
        decode(None, b"{}", replaced("ce_id", b"x" * (TEXT_LIMIT + 1)))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("prefix", ["x", "fd-", "ce_x"])
def test_ten_thousand_headers_are_refused(prefix: str) -> None:
    """Counted before they are read."""
    many = (*GOOD, *((f"{prefix}{i}", b"") for i in range(10_000)))
    with soon_and_small(64 * 1024), pytest.raises(DecodeError, match=f"at most {HEADER_COUNT_LIMIT}"):
        decode(None, b"{}", many)
    with pytest.raises(DecodeError, match=f"at most {HEADER_COUNT_LIMIT}"):
        decode(None, b"{}", many[: HEADER_COUNT_LIMIT + 1])
    assert len(decode(None, b"{}", many[:HEADER_COUNT_LIMIT]).extensions) == HEADER_COUNT_LIMIT - len(GOOD)


@pytest.mark.parametrize("name", ["x", "ce_id", "ce_subject", "traceparent", "ce_scope", "fd-from"])
def test_a_header_of_900_kilobytes_is_refused(name: str) -> None:
    """Whatever it is called; the refusal names it."""
    huge = b"x" * 900_000
    with soon_and_small(2 * len(huge)), pytest.raises(DecodeError, match=f"{name}.*at most|{name}.*more than"):
        decode(None, b"{}", (*without(name), (name, huge)))


@pytest.mark.parametrize("prefix", ["x", "fd-", "ce_x"])
def test_a_header_name_of_900_kilobytes_is_refused(prefix: str) -> None:
    """A name counts as its value does."""
    name = prefix + "x" * 900_000
    with soon_and_small(2 * len(name)), pytest.raises(DecodeError, match=f"more than {HEADER_BYTES_LIMIT}"):
        decode(None, b"{}", (*GOOD, (name, b"")))


def test_data_beyond_the_limit_is_refused_with_the_remedy_and_without_a_copy() -> None:
    """One byte too many, and a hundred megabytes, cost nothing to refuse; the limit itself passes uncopied."""
    largest = bytes(VALUE_LIMIT)
    with soon_and_small(64 * 1024):
        assert decode(None, largest, GOOD).data is largest
    for size in (VALUE_LIMIT + 1, 100_000_000):
        value = bytes(size)
        with soon_and_small(64 * 1024), pytest.raises(DecodeError, match="into an asset"):
            decode(None, value, GOOD)


def test_header_names_that_never_repeat_leave_nothing_behind() -> None:
    """No cache grows with what outsiders choose."""
    tracemalloc.start()
    for round in range(3000):
        decode(None, b"{}", (*GOOD, (f"x{round}-" + "y" * 2000, b"1")))
        decode(None, b"{}", replaced("ce_source", b"s%d" % round + b"y" * 900))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 512 * 1024


PAYLOADS = {
    "empty": b"",
    "null": b"null",
    "truncated": b'{"text":"a',
    "invalid UTF-8": b'{"text":"\xff"}',
    "BOM": b'\xef\xbb\xbf{"text":"a"}',
    "NaN": b'{"text":"a","x":NaN}',
    "infinite": b'{"text":"a","x":1e999}',
    "duplicate": b'{"text":"a","text":"b"}',
    "nested": b'{"text":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "digits": b'{"text":"a","x":' + b"9" * 5000 + b"}",
    "surrogate": b'{"text":"\\ud800"}',
    "beyond a double": b'{"text":"a","x":9007199254740993}',
    "gzip": gzip.compress(bytes(10_000_000)),
    "pickle": pickle.dumps({"text": "a"}),
    "prototype": b'{"text":"a","__proto__":{"admin":true}}',
    "class": b'{"text":"a","__class__":"x"}',
    "far year": b'{"text":"9999-12-31T23:59:59Z"}',
}


@pytest.mark.parametrize("name", sorted(PAYLOADS.keys() - {"null"}))
def test_a_bad_payload_from_outside_is_refused_soon_and_small(name: str) -> None:
    """The envelope is read; the check for records that no step of ours wrote refuses the data."""
    data = decode(None, PAYLOADS[name], GOOD).data
    with soon_and_small(1024 * 1024), pytest.raises(DecodeError):
        check_interoperable(data)


@pytest.mark.parametrize(
    "name", ["empty", "null", "truncated", "invalid UTF-8", "BOM", "nested", "digits", "surrogate", "gzip", "pickle"]
)
def test_a_payload_that_is_no_event_is_refused_by_the_step_that_wants_it(name: str) -> None:
    """Also where a step of ours is said to have written it."""
    with soon_and_small(1024 * 1024), pytest.raises(ValidationError):
        Noted.read(PAYLOADS[name])


@settings(max_examples=80)
@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=40),
    headers=st.lists(
        st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), st.none() | st.binary(max_size=20)), max_size=12
    ),
)
def test_no_record_gives_another_error_than_decode_error(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Arbitrary keys, values and headers, alone and around a good record."""
    for whole in (tuple(headers), (*GOOD, *headers), (*headers, *GOOD)):
        read = answer(key, value, whole)
        if isinstance(read, Envelope):
            assert decode(*encode(read)) == read
        else:
            assert str(read).isprintable()


@settings(max_examples=80)
@given(st.text('{}[]",:01.e- abcdinopstuvy_64\\u\x00é', max_size=80))
def test_no_structured_value_gives_another_error_than_decode_error(text: str) -> None:
    """Almost-JSON inside a structured record, alone and as an attribute's value."""
    headers: Headers = (("content-type", b"application/cloudevents+json"),)
    for value in (text, f'{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{text}}}'):
        with suppress(DecodeError):
            decode(None, value.encode(), headers)
