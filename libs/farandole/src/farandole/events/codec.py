"""CloudEvents 1.0 on Kafka: binary mode written, binary and structured mode read.

Source: CloudEvents core and Kafka protocol binding, v1.0.2, with the correlation and distributed-tracing
extensions. Further attributes and plain headers are kept as extensions, never acted upon.
"""

from functools import lru_cache
from typing import NamedTuple

from farandole.events.attributes import match_traceparent, read_generation, read_time, read_type
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.headers import CONTENT, KNOWN, OWN_PREFIX, TRACE, Headers, read_headers
from farandole.events.limits import HEADER_COUNT_LIMIT, TEXT_LIMIT, VALUE_LIMIT
from farandole.events.scope import read_scope, scope_text
from farandole.events.structured import is_structured, read_structured

__all__ = ["MALFORMED_TRACE", "Encoded", "Headers", "decode", "encode"]

MALFORMED_TRACE = "x-malformed-traceparent"
"""Extension that keeps a `traceparent` which is none; tracing never decides whether an event is handled."""

_SPECVERSION = ("ce_specversion", b"1.0")
_JSON = (CONTENT, b"application/json")
_FIRST = ("ce_specversion", CONTENT, "ce_id", "ce_source", "ce_type")
_CONSTANT = (b"1.0", b"application/json")
_ORDER = (*_FIRST[2:], "ce_correlationid", "ce_causationid", "ce_scope", "ce_generation", TRACE, "ce_time")
_PLACES = {name: place for place, name in enumerate(_ORDER)}
_place_of = _PLACES.get
_OWN_NAME_LIMIT = 32  # times the count of headers: far below the limit of their bytes
_PRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else 0 for byte in range(256))  # ASCII; else 0


class Encoded(NamedTuple):
    """The parts of a record that an envelope determines."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def encode(envelope: Envelope) -> Encoded:
    """Binary mode. Writes no header that can be derived; extensions are written as they came."""
    # Unpacked at once, and the tuple made bare: this runs for every output of every step.
    id, source, name, version, data, key, workflow, cause, scope, generation, trace, time, extensions = envelope
    headers: list[tuple[str, bytes | None]] = [
        _SPECVERSION,
        _JSON,
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        _type_header(name, version),
    ]
    if workflow:
        headers.append(("ce_correlationid", workflow.encode()))
    if cause:
        headers.append(("ce_causationid", cause.encode()))
    if scope:
        headers.append(("ce_scope", scope_text(scope).encode()))
    if generation:
        headers.append(("ce_generation", b"%d" % generation))
    if trace:
        headers.append((TRACE, trace.encode()))
    if time:
        headers.append(("ce_time", time.encode()))
    if extensions:
        headers.extend([(name, text.encode()) for name, text in extensions])
    return tuple.__new__(Encoded, (None if key is None else key.encode(), data, tuple(headers)))


@lru_cache(maxsize=1024)
def _type_header(name: str, version: int) -> tuple[str, bytes]:
    return "ce_type", f"{name}.v{version}".encode()


def decode(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    """The envelope of a record, its data still unvalidated.

    Raises DecodeError naming the header, and no other exception, whatever the bytes are.
    """
    if len(headers) > HEADER_COUNT_LIMIT:
        raise DecodeError(f"{len(headers)} headers; at most {HEADER_COUNT_LIMIT}")
    return _read_own(key, value, headers) or _read_any(key, value, headers)


def _read_own(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope | None:
    """The quick way for what `encode` wrote: the headers in its order, their texts checked and decoded in one go.

    None where anything is unusual; what it reads, `_read_any` reads alike.
    """
    extra: list[str] = []
    last = 2
    try:
        (n0, spec), (n1, content), (n2, id), (n3, source), (n4, wire), *rest = headers
        parts = [id, source, wire, b"", b"", b"", b"", b"", b""]
        for name, raw in rest:
            at = _place_of(name, 0)
            if at > last:
                parts[at] = raw
                last = at
            elif name.startswith(OWN_PREFIX) and len(name) < _OWN_NAME_LIMIT:
                parts.append(raw)
                extra.append(name)
            else:
                return None
        whole = b" ".join(parts)  # type: ignore[arg-type]  # a None is a TypeError
    except (ValueError, TypeError):  # fewer headers, a value None
        return None
    if (
        (n0, n1, n2, n3, n4) != _FIRST
        or (spec, content) != _CONSTANT
        or len(whole) > TEXT_LIMIT
        or 0 in whole.translate(_PRINTABLE)
    ):
        return None
    texts = whole.decode().split(" ")
    if len(texts) != len(parts):
        return None
    extensions = [(name, texts.pop(len(_ORDER))) for name in extra] if extra else []
    return _envelope(texts, extensions, key, value)


def _read_any(key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    attributes, others = read_headers(headers)
    content, trace = attributes.get(CONTENT, ""), attributes.get(TRACE, "")
    if is_structured(content):
        attributes, value = read_structured(content, value)
        others = [*((name, text) for name, text in attributes.items() if name not in KNOWN), *others]
    spec = attributes.get("ce_specversion", "")
    if spec != "1.0":
        raise DecodeError(f"ce_specversion is {spec[:80]!r}; only '1.0' is known")
    start = attributes.get("ce_traceparent", "")
    if trace and start:  # the header tells the hop, the attribute where the trace began
        others.append(("ce_traceparent", start))
    texts = [attributes.get(name, "") for name in _ORDER]
    texts[_PLACES[TRACE]] = trace or start
    return _envelope(texts, others, key, value)


def _envelope(texts: list[str], extensions: list[tuple[str, str]], key: bytes | None, value: bytes | None) -> Envelope:
    id, source, wire, workflow, cause, scope, generation, trace, time = texts
    if not id or not source or not wire:
        name = "id" if not id else "source" if not source else "type"
        raise DecodeError(f"attribute {name!r} is missing; a CloudEvent needs specversion, id, source and type")
    if value is None:
        raise DecodeError("the record has no data (a tombstone); publish the event's JSON as its value")
    if len(value) > VALUE_LIMIT:
        raise DecodeError(f"data of {len(value)} bytes; at most {VALUE_LIMIT}: put the content into an asset")
    if trace and match_traceparent(trace) is None:
        extensions.append((MALFORMED_TRACE, trace))
        trace = ""
    if key is not None and len(key) > TEXT_LIMIT:
        raise DecodeError(f"the record's key has {len(key)} bytes; at most {TEXT_LIMIT}")
    try:
        key_text = None if key is None else key.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"the record's key is not UTF-8: {error.reason}") from error
    name, version = read_type(wire)
    parts = (
        id,
        source,
        name,
        version,
        value,
        key_text,
        workflow,
        cause or None,
        read_scope(scope) if scope else (),
        read_generation(generation) if generation else 0,
        trace or None,
        read_time(time) if time else None,
        tuple(extensions) if extensions else (),
    )
    return tuple.__new__(Envelope, parts)
