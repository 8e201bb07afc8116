"""Our own records: what is written is read back, by the quick way and by the strict one alike."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.events import codec
from farandole.events.attributes import read_type
from farandole.events.codec import MALFORMED_TRACE, Encoded, Headers, decode, encode
from farandole.events.envelope import ABSENT, Envelope
from farandole.events.errors import DecodeError
from farandole.events.scope import Level

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = Envelope(
    id="0123456789abcdef0123456789abcdef",
    source="tiling/extract",
    type="tile.extracted",
    version=1,
    data=b'{"tile_id":"t1"}',
    key="t1",
    workflow="w" * 32,
    cause="c" * 32,
    scope=(Level("00ff00ff00ff00ff", 3, 18),),
    generation=2,
    traceparent=TRACE,
    time="2017-01-05T10:20:30.5Z",
    extensions=(("ce_subject", "a tile"), ("fd-from", "scene.received/0/7")),
)
ONLY_NEEDED = Envelope("1", "cli", "noted", 1, b"{}")

# What CloudEvents' String may hold, and what we refuse beyond: nothing.
printable = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
)
ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
texts = ascii_text | printable
names = st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z][a-z0-9-]{0,9}){0,3}", fullmatch=True).filter(
    lambda name: read_type(name) == (name, 1)
)
levels = st.integers(1, 99).flatmap(
    lambda n: st.builds(Level, ascii_text.filter(str.isalnum), st.integers(0, n - 1), st.just(n))
)
extensions = st.lists(
    st.tuples(st.from_regex(r"ce_x[a-z0-9]{1,8}|fd-[a-z]{1,6}|[A-Z][a-z-]{1,9}", fullmatch=True), texts),
    max_size=3,
    unique_by=lambda item: item[0].lower(),
)
envelopes = st.builds(
    Envelope,
    id=texts,
    source=texts,
    type=names,
    version=st.integers(1, 999_999_999),
    data=st.binary(max_size=50),
    key=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    workflow=st.just("") | texts,
    cause=st.none() | texts,
    scope=st.lists(levels, max_size=3).map(tuple),
    generation=st.integers(0, 999_999),
    traceparent=st.none() | st.just(TRACE),
    time=st.none() | st.just("2017-01-05T10:20:30Z"),
    extensions=extensions.map(tuple),
)


def attempt(
    read: Callable[[bytes | None, bytes | None, Headers], Envelope | None],
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
) -> Envelope | str | None:
    """What is read, or "refused"."""
    try:
        return read(key, value, headers)
    except DecodeError:
        return "refused"


def names_of(headers: Headers) -> list[str]:
    return [name for name, _ in headers]


@settings(max_examples=60)
@given(envelopes)
def test_an_envelope_reads_back(envelope: Envelope) -> None:
    """Every envelope within the rules survives the wire unchanged."""
    assert decode(*encode(envelope)) == envelope


@settings(max_examples=40)
@given(envelopes)
def test_the_quick_way_and_the_strict_way_agree(envelope: Envelope) -> None:
    """Whatever the quick way reads, the strict one reads alike."""
    quick = codec._read_own(*encode(envelope))
    assert quick is None or quick == codec._read_any(*encode(envelope))


@pytest.mark.parametrize(
    "envelope", [EVENT._replace(extensions=()), EVENT._replace(extensions=(("fd-x", "1"),)), ONLY_NEEDED]
)
def test_ordinary_records_of_ours_take_the_quick_way(envelope: Envelope) -> None:
    """With and without the optional headers, and with those that the library adds."""
    assert codec._read_own(*encode(envelope)) == envelope


@settings(max_examples=150)
@given(st.data())
def test_the_quick_way_never_reads_what_the_strict_way_would_refuse_or_read_otherwise(data: st.DataObject) -> None:
    """Headers dropped, doubled, moved, emptied or spoilt: both ways agree, or the quick one abstains."""
    key, value, headers = encode(EVENT._replace(extensions=(("fd-from", "a/0/1"),)))
    spoilt = list(headers)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        other = data.draw(st.integers(0, len(spoilt) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "swap", "value", "name"]))
        name, raw = spoilt[at]
        if change == "drop" and len(spoilt) > 1:
            del spoilt[at]
        elif change == "double":
            spoilt.insert(other, (name, raw))
        elif change == "swap":
            spoilt[at], spoilt[other] = spoilt[other], spoilt[at]
        elif change == "value":
            spoilt[at] = (name, data.draw(st.sampled_from(SPOILT)))
        else:
            spoilt[at] = (data.draw(st.sampled_from([name.upper(), f"{name}x", "ce_id", "x", ""])), raw)
    quick = attempt(codec._read_own, key, value, tuple(spoilt))
    if quick is not None:
        assert quick == attempt(codec._read_any, key, value, tuple(spoilt))


SPOILT = [None, b"", b" ", b"a b", b"\x00", b"\n", b"\x7f", b"\xff", "é".encode(), "\u202e".encode(), b"x" * 1100]
SPOILT += [b"1.0", b"0.3", b"text/plain", b"g:1:2", b"g:2:2", b"01", b"-1", TRACE.encode(), TRACE.upper().encode()]


def test_binary_mode_is_written_with_no_header_that_can_be_derived() -> None:
    """The smallest record has five headers, the fullest each attribute once."""
    assert encode(ONLY_NEEDED) == Encoded(
        None,
        b"{}",
        (
            ("ce_specversion", b"1.0"),
            ("content-type", b"application/json"),
            ("ce_id", b"1"),
            ("ce_source", b"cli"),
            ("ce_type", b"noted.v1"),
        ),
    )
    assert encode(EVENT).headers[5:] == (
        ("ce_correlationid", b"w" * 32),
        ("ce_causationid", b"c" * 32),
        ("ce_scope", b"00ff00ff00ff00ff:3:18"),
        ("ce_generation", b"2"),
        ("traceparent", TRACE.encode()),
        ("ce_time", b"2017-01-05T10:20:30.5Z"),
        ("ce_subject", b"a tile"),
        ("fd-from", b"scene.received/0/7"),
    )


def test_attribute_names_are_those_that_cloudevents_permits() -> None:
    """Lower-case letters and digits, at most 20 of them."""
    attributes = [name[3:] for name in names_of(encode(EVENT).headers) if name.startswith("ce_")]
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in attributes)


def test_an_absence_and_an_identity_can_be_told() -> None:
    """What the runtime asks of an envelope."""
    assert EVENT.identity == ("tiling/extract", "0123456789abcdef0123456789abcdef")
    assert not EVENT.is_absence
    assert decode(*encode(EVENT._replace(type=ABSENT))).is_absence


@pytest.mark.parametrize(
    ("wire", "name", "version"),
    [
        ("scene.received.v1", "scene.received", 1),
        ("scene.received.v12", "scene.received", 12),
        ("scene.received", "scene.received", 1),
        ("com.example.someevent", "com.example.someevent", 1),
        ("scene.v2.received", "scene.v2.received", 1),
        ("scene.v0", "scene.v0", 1),
        ("scene.v01", "scene.v01", 1),
        (".v3", ".v3", 1),
        ("v3", "v3", 1),
        ("scene.v" + "9" * 10, "scene.v" + "9" * 10, 1),
    ],
)
def test_a_type_is_a_name_and_a_version(wire: str, name: str, version: int) -> None:
    """A foreign type without our ending has version 1."""
    headers = tuple((n, wire.encode() if n == "ce_type" else raw) for n, raw in encode(ONLY_NEEDED).headers)
    envelope = decode(None, b"{}", headers)
    assert (envelope.type, envelope.version) == (name, version)


@pytest.mark.parametrize(
    "trace",
    [
        "",
        "x",
        TRACE.upper(),
        TRACE[:-1],
        f"{TRACE}-more",
        TRACE.replace("00-", "ff-", 1),
        TRACE.replace("-", "_"),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "a\x00b",
        "\udcff",
        "x" * 2000,
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace_and_is_kept(trace: str) -> None:
    """Tracing never decides whether an event is handled."""
    headers = (*encode(ONLY_NEEDED).headers, ("traceparent", trace.encode("utf-8", "surrogateescape")))
    envelope = decode(None, b"{}", headers)
    assert envelope.traceparent is None
    kept = trace.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert envelope.extensions == (((MALFORMED_TRACE, kept),) if trace else ())


@pytest.mark.parametrize("trace", [TRACE, "cc" + TRACE[2:], "cc" + TRACE[2:] + "-what-later-versions-add"])
def test_a_traceparent_of_any_version_is_read(trace: str) -> None:
    """W3C: parse what is known of later versions."""
    headers = (*encode(ONLY_NEEDED).headers, ("traceparent", trace.encode()))
    assert decode(None, b"{}", headers).traceparent == trace


def test_two_traceparents_are_none() -> None:
    """Which one would be right cannot be told; both are kept."""
    headers = (*encode(ONLY_NEEDED).headers, ("traceparent", TRACE.encode()), ("traceparent", TRACE.encode()))
    envelope = decode(None, b"{}", headers)
    assert envelope.traceparent is None
    assert envelope.extensions == ((MALFORMED_TRACE, f"{TRACE}, {TRACE}"),)


def test_the_header_tells_the_hop_and_the_attribute_where_the_trace_began() -> None:
    """The header wins, the attribute is kept; alone, the attribute serves."""
    start = ("ce_traceparent", TRACE.encode())
    hop = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
    plain = encode(ONLY_NEEDED).headers
    assert decode(None, b"{}", (*plain, start)).traceparent == TRACE
    both = decode(None, b"{}", (*plain, start, ("traceparent", hop.encode())))
    assert both.traceparent == hop
    assert both.extensions == (("ce_traceparent", TRACE),)


def test_further_attributes_and_plain_headers_are_kept_in_order_and_never_acted_upon() -> None:
    """A forged principal or workflow is an extension like any other."""
    further: Headers = (
        ("x-b", b"1"),
        ("ce_workflow", b"forged"),
        ("principal", b"root"),
        ("x-b", b"2"),
        ("attempt", b"-1"),
        ("tracestate", b"a=1"),
        ("raw", b"\xff\x00"),
        ("none", None),
    )
    envelope = decode(None, b"{}", (*encode(ONLY_NEEDED).headers, *further))
    assert envelope.workflow == ""
    assert envelope.extensions == (
        ("x-b", "1"),
        ("ce_workflow", "forged"),
        ("principal", "root"),
        ("x-b", "2"),
        ("attempt", "-1"),
        ("tracestate", "a=1"),
        ("raw", "\ufffd\x00"),
    )


def test_empty_optional_attributes_count_as_absent() -> None:
    """None and empty bytes are tolerated where nothing depends on them."""
    optional = ("ce_correlationid", "ce_causationid", "ce_scope", "ce_generation", "ce_time", "traceparent")
    for raw in (b"", None):
        envelope = decode(b"", b"{}", (*encode(ONLY_NEEDED).headers, *((name, raw) for name in optional)))
        assert envelope == ONLY_NEEDED._replace(key="")


def test_names_are_matched_in_any_case() -> None:
    """As the implementations do that came from HTTP."""
    headers = tuple((name.upper(), raw) for name, raw in encode(EVENT._replace(extensions=())).headers)
    assert decode(b"t1", EVENT.data, headers) == EVENT._replace(extensions=())


@pytest.mark.parametrize(
    ("time", "read"),
    [
        ("2018-04-05T17:31:00Z", "2018-04-05T17:31:00Z"),
        ("2018-04-05t17:31:00z", "2018-04-05T17:31:00Z"),
        ("2018-04-05T17:31:00.123456789+02:00", "2018-04-05T17:31:00.123456789+02:00"),
        ("2261-12-31T23:59:59Z", "2261-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_rfc_3339(time: str, read: str) -> None:
    """What a reader parses with the standard library."""
    headers = (*encode(ONLY_NEEDED).headers, ("ce_time", time.encode()))
    assert decode(None, b"{}", headers).time == read


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59Z",
        "1600-01-01T00:00:00Z",
        "2018-02-30T00:00:00Z",
        "2018-04-05T24:00:00Z",
        "2018-04-05",
        "2018-04-05T17:31:00",
        "yesterday",
        "1522949460",
        "2018-04-05 17:31:00Z",
        "2018-W01-1T17:31:00Z",
        "２０18-04-05T17:31:00Z",
        "2018-04-05T17:31:00+25:00",
    ],
)
def test_a_time_that_readers_cannot_hold_is_refused(time: str) -> None:
    """Also a year whose nanoseconds do not fit in 64 bits."""
    with pytest.raises(DecodeError, match="ce_time"):
        decode(None, b"{}", (*encode(ONLY_NEEDED).headers, ("ce_time", time.encode())))
