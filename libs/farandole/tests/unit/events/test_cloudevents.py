"""CloudEvents as others write it: the specification's own examples, structured mode, and the official SDK."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.events.codec import Headers, decode, encode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.limits import VALUE_LIMIT

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
REQUIRED = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext",
    "id": "A234-1234-1234",
}


def structured(event: dict[str, Any], headers: Headers = STRUCTURED) -> Envelope:
    return decode(b"mykey", json.dumps(event).encode(), headers)


# --- the Kafka binding's examples (sections 3.2.5 and 3.3.4)


def test_the_binary_example_of_the_kafka_binding_is_read() -> None:
    """Attributes from headers, the data as it is, whatever its content type."""
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_type", b"com.example.someevent"),
        ("ce_source", b"/mycontext/subcontext"),
        ("ce_id", b"1234-1234-1234"),
        ("ce_time", b"2018-04-05T03:56:24Z"),
        ("content-type", b"application/avro"),
    )
    assert decode(b"mykey", b"\x02avro", headers) == Envelope(
        id="1234-1234-1234",
        source="/mycontext/subcontext",
        type="com.example.someevent",
        version=1,
        data=b"\x02avro",
        key="mykey",
        time="2018-04-05T03:56:24Z",
    )


def test_the_structured_example_of_the_kafka_binding_is_read() -> None:
    """The whole event from the value; the content type with its parameter."""
    event = {
        "specversion": "1.0",
        "type": "com.example.someevent",
        "source": "/mycontext/subcontext",
        "id": "1234-1234-1234",
        "time": "2018-04-05T03:56:24Z",
        "datacontenttype": "application/xml",
        "data": {"application": "data"},
    }
    assert structured(event) == Envelope(
        id="1234-1234-1234",
        source="/mycontext/subcontext",
        type="com.example.someevent",
        version=1,
        data=b'{"application":"data"}',
        key="mykey",
        time="2018-04-05T03:56:24Z",
    )


# --- the JSON format's examples (section 3.2), which differ in their data only

EXTENDED = {
    **REQUIRED,
    "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "unsetextension": None,
    "subject": None,
}


@pytest.mark.parametrize(
    ("part", "data"),
    [
        (
            {"datacontenttype": "application/vnd.apache.thrift.binary", "data_base64": "gP8A"},
            b"\x80\xff\x00",
        ),
        ({"datacontenttype": "application/xml", "data": '<much wow="xml"/>'}, b'<much wow="xml"/>'),
        (
            {"datacontenttype": "application/json", "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}},
            b'{"appinfoA":"abc","appinfoB":123,"appinfoC":true}',
        ),
        ({"data": "I'm just a string"}, b'"I\'m just a string"'),
        ({"datacontenttype": "application/geo+json; charset=utf-8", "data": "text"}, b'"text"'),
        ({"datacontenttype": "text/json", "data": [1, 2.5, None]}, b"[1,2.5,null]"),
        ({"data": None}, b"null"),
        ({"data_base64": ""}, b""),
        ({"data": False}, b"false"),
        ({"data": {"text": "åß\u0000"}}, '{"text":"åß\\u0000"}'.encode()),
    ],
    ids=["binary", "xml", "object", "string", "+json", "list", "null", "empty binary", "false", "unicode"],
)
def test_the_data_of_a_structured_event_follows_the_json_format(part: dict[str, Any], data: bytes) -> None:
    """JSON stays JSON, other text is the content itself, base64 is bytes; extensions become text."""
    envelope = structured({**EXTENDED, **part})
    assert envelope.data == data
    assert envelope.extensions == (("ce_comexampleextension1", "value"), ("ce_comexampleothervalue", "5"))


# --- structured mode, further rules


@pytest.mark.parametrize(
    "content",
    [
        "application/cloudevents+json",
        "Application/CloudEvents+JSON",
        "application/cloudevents",
        "application/cloudevents+json;charset=utf-8",
        "APPLICATION/CLOUDEVENTS+JSON ; Charset=UTF-8",
    ],
)
def test_the_content_type_alone_decides_the_mode_in_any_case(content: str) -> None:
    """Matched by its prefix, with or without parameters."""
    assert structured({**REQUIRED, "data": 1}, (("Content-Type", content.encode()),)).data == b"1"


@pytest.mark.parametrize(
    "content",
    ["application/cloudevents+avro", "application/cloudevents-batch+json", "application/cloudevents+json+x"],
)
def test_formats_that_we_do_not_know_are_refused(content: str) -> None:
    """Never half read: not as binary mode either."""
    with pytest.raises(DecodeError, match="structured mode"):
        structured({**REQUIRED, "data": 1}, (("content-type", content.encode()),))


def test_ce_headers_beside_a_structured_event_are_ignored() -> None:
    """Producers may add them; the value tells, even against them."""
    headers: Headers = (
        ("ce_specversion", b"0.3"),
        ("ce_id", b"other"),
        ("ce_type", b"com.example.other"),
        ("ce_source", b"/other"),
        *STRUCTURED,
    )
    envelope = structured({**REQUIRED, "data": 1}, headers)
    assert (envelope.id, envelope.source, envelope.type) == ("A234-1234-1234", "/mycontext", "com.example.someevent")


def test_our_attributes_are_read_from_structured_events_too() -> None:
    """Correlation, causation, scope, generation and trace, in either mode."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    ours = {"correlationid": "w", "causationid": "c", "scope": "g:1:2", "generation": 3, "traceparent": trace}
    envelope = structured({**REQUIRED, **ours, "data": {}})
    assert encode(envelope).headers == (
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_id", b"A234-1234-1234"),
        ("ce_source", b"/mycontext"),
        ("ce_type", b"com.example.someevent.v1"),
        ("ce_correlationid", b"w"),
        ("ce_causationid", b"c"),
        ("ce_scope", b"g:1:2"),
        ("ce_generation", b"3"),
        ("traceparent", trace.encode()),
    )


def test_attributes_become_text_as_the_type_system_says() -> None:
    """Booleans in lower case, integers in decimal."""
    envelope = structured({**REQUIRED, "flag": True, "off": False, "count": -(2**31), "data": 1})
    assert dict(envelope.extensions) == {"ce_flag": "true", "ce_off": "false", "ce_count": "-2147483648"}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ([REQUIRED], "not a JSON object"),
        ({**REQUIRED, "data": 1, "data_base64": "AA=="}, "both"),
        ({**REQUIRED, "data_base64": "no base64!"}, "not base64"),
        ({**REQUIRED, "data_base64": 5}, "not base64"),
        ({**REQUIRED, "data_base64": "é"}, "not base64"),
        (REQUIRED, "no data"),
        ({**REQUIRED, "data": 1, "source": None}, "missing"),
        ({**REQUIRED, "data": 1, "id": ""}, "missing"),
        ({**REQUIRED, "data": 1, "specversion": "0.3"}, "specversion"),
        ({**REQUIRED, "data": 1, "specversion": 1}, "specversion"),
        ({**REQUIRED, "data": 1, "my_attribute": "x"}, "lower-case"),
        ({**REQUIRED, "data": 1, "myAttribute": "x"}, "lower-case"),
        ({**REQUIRED, "data": 1, "ratio": 0.5}, "32 bits"),
        ({**REQUIRED, "data": 1, "big": 2**31}, "32 bits"),
        ({**REQUIRED, "data": 1, "nested": {"a": 1}}, "32 bits"),
        ({**REQUIRED, "data": 1, "subject": "a\nb"}, r"U\+000A"),
        ({**REQUIRED, "data": 1, "subject": "x" * 1025}, "at most"),
        ({**REQUIRED, "data": 1, **{f"x{i}": i for i in range(200)}}, "attributes"),
        ({**REQUIRED, "data": 1, "time": "9999-12-31T00:00:00Z"}, "9999"),
        ({**REQUIRED, "data": 2**53}, "beyond"),
        ({**REQUIRED, "data": {"__proto__": 1}}, "__proto__"),
    ],
)
def test_a_structured_event_that_breaks_a_rule_is_refused(event: Any, why: str) -> None:
    """The refusal names what is wrong."""
    with pytest.raises(DecodeError, match=why):
        structured(event)


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"id":"1","id":"2"}'])
def test_a_structured_value_that_is_no_json_object_is_refused(value: bytes | None) -> None:
    """Also one whose names repeat: readers would disagree on the id."""
    with pytest.raises(DecodeError):
        decode(None, value, STRUCTURED)


def test_a_structured_value_may_be_as_large_as_its_data_needs() -> None:
    """A megabyte as base64 passes, one byte more does not; the check comes before any parsing."""
    largest = base64.b64encode(bytes(VALUE_LIMIT)).decode()
    assert len(structured({**REQUIRED, "data_base64": largest}).data) == VALUE_LIMIT
    too_large = base64.b64encode(bytes(VALUE_LIMIT + 1)).decode()
    with pytest.raises(DecodeError, match="at most"):
        structured({**REQUIRED, "data_base64": too_large})
    with pytest.raises(DecodeError, match="at most"):
        decode(None, b"[" * 2 * VALUE_LIMIT, STRUCTURED)


# --- the official SDK, for ordinary cases

attribute_texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
json_data = st.dictionaries(st.text(max_size=5), st.integers(-(2**40), 2**40) | st.text(max_size=5), max_size=4)
times = st.integers(-(2**33), 2**33 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def by_sdk(headers: Headers, value: bytes | None, key: bytes | None = None) -> CloudEvent:
    named = {name: raw for name, raw in headers if raw is not None}
    event = kafka.from_kafka(kafka.KafkaMessage(named, key, value or b""), JSONFormat(), CloudEvent)
    assert isinstance(event, CloudEvent)
    return event


@settings(max_examples=50)
@given(id=attribute_texts, source=attribute_texts, data=json_data, at=times)
def test_the_sdk_reads_what_we_write(id: str, source: str, data: dict[str, Any], at: datetime) -> None:
    """Attributes, extensions, key and data arrive as meant."""
    envelope = Envelope(
        id=id,
        source=source,
        type="scene.received",
        version=3,
        data=json.dumps(data).encode(),
        key="k",
        workflow="w",
        cause="c",
        time=at.isoformat(),
        extensions=(("ce_subject", "s"),),
    )
    key, value, headers = encode(envelope)
    event = by_sdk(headers, value, key)
    assert event.get_id() == id
    assert event.get_source() == source
    assert event.get_type() == "scene.received.v3"
    assert event.get_time() == at
    assert event.get_subject() == "s"
    assert event.get_datacontenttype() == "application/json"
    assert [event.get_extension(name) for name in ("correlationid", "causationid", "partitionkey")] == ["w", "c", "k"]
    assert event.get_data() == data


@settings(max_examples=50)
@given(
    id=attribute_texts, source=attribute_texts, data=json_data, at=times, mode=st.sampled_from(["binary", "structured"])
)
def test_we_read_what_the_sdk_writes(id: str, source: str, data: dict[str, Any], at: datetime, mode: str) -> None:
    """Both modes of the SDK give the same envelope."""
    attributes = {"id": id, "source": source, "type": "scene.received.v3", "time": at, "specversion": "1.0"}
    attributes |= {"datacontenttype": "application/json", "correlationid": "w", "partitionkey": "k", "flag": "x"}
    event = CloudEvent(attributes, data)
    write = kafka.to_binary if mode == "binary" else kafka.to_structured
    message = write(event, JSONFormat())
    key = message.key.encode() if isinstance(message.key, str) else message.key
    envelope = decode(key, message.value, tuple(message.headers.items()))
    assert envelope.identity == (source, id)
    assert (envelope.type, envelope.version, envelope.workflow, envelope.key) == ("scene.received", 3, "w", "k")
    assert json.loads(envelope.data) == data
    assert envelope.time is not None
    assert datetime.fromisoformat(envelope.time) == at
    assert dict(envelope.extensions) == {"ce_partitionkey": "k", "ce_flag": "x"}
