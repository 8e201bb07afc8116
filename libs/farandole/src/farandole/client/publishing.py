"""What is published from outside: checked here, where whoever publishes can still mend it; nothing is written."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic_core import to_json

from farandole.events.attributes import check_text, match_traceparent, read_type
from farandole.events.codec import decode, encode
from farandole.events.edge import check_id, read_interoperable
from farandole.events.envelope import Envelope
from farandole.events.errors import BadInput, DecodeError
from farandole.events.event import Event, check_type_name
from farandole.events.ids import workflow_id
from farandole.events.limits import TEXT_LIMIT, VALUE_LIMIT
from farandole.events.manifest import Manifest
from farandole.events.manifest import Published as Declared
from farandole.log.record import NewRecord, Place, Record

_VERSIONED = re.compile(r".+\.v[1-9][0-9]{0,8}")
Body = bytes | str | Mapping[str, Any]


class Published(NamedTuple):
    """An event that the log took. `workflow`: the one that it starts or belongs to; `place`: where it stands."""

    id: str
    source: str
    workflow: str
    place: Place


class Draft(NamedTuple):
    """What is to be published; `version` and `key` are None where the manifests have to tell."""

    type: str
    version: int | None
    data: bytes
    key: str | None
    is_keyed: bool  # whether `key` is final, even where it is None


def draft(event: Event | str, data: Body | None) -> Draft:
    """From an event, or from a type's name (with or without its version) and JSON. Raises BadInput."""
    if isinstance(event, Event):
        if data is not None:
            raise BadInput("an event was given and data beside it; give one of them")
        kind = type(event).event_type
        return Draft(kind.name, kind.version, event.data(), event.order_key, True)
    if data is None:
        raise BadInput(f"type {event[:80]!r} was given without data; give its JSON")
    name, version = read_type(event) if _VERSIONED.fullmatch(event) else (event, None)
    wrong = check_type_name(name)
    if wrong:
        raise BadInput(f"type {name[:80]!r}: {wrong}")
    return Draft(name, version, _bytes(data), None, False)


def _bytes(data: Body) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode() if isinstance(data, str) else to_json(data, inf_nan_mode="constants")
    except (UnicodeEncodeError, ValueError) as error:
        raise BadInput(f"the data cannot be written as JSON: {error}") from None


def completed(found: Draft, manifests: Iterable[Manifest]) -> Draft:
    """The draft with the version and the key that the type's owner declares. Raises BadInput."""
    fields = _object(found)
    if found.is_keyed:
        return found
    owned = _declared(found, manifests)
    if owned is None:
        return found._replace(version=found.version or 1, is_keyed=True)
    key = None if owned.key is None else _key(fields, owned)
    return found._replace(version=owned.version, key=key, is_keyed=True)


def is_accepted(found: Draft, manifests: Iterable[Manifest]) -> bool:
    """Whether some service takes this type from outside."""
    return any(p.accepted and p.type == found.type for manifest in manifests for p in manifest.published)


def _object(found: Draft) -> dict[str, Any]:
    if len(found.data) > VALUE_LIMIT:
        raise BadInput(
            f"{found.type} has {len(found.data)} bytes of data, at most {VALUE_LIMIT}: put the content into the asset "
            "store (farandole asset put FILE) and publish the asset's name"
        )
    try:
        value = read_interoperable(found.data)
    except DecodeError as error:
        raise BadInput(f"{found.type}: {error}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{found.type}: the data is JSON but no object; write {{…}} with the event's fields")
    return value


def _declared(found: Draft, manifests: Iterable[Manifest]) -> Declared | None:
    """As the latest manifest has it; without a version, the highest, accepted ones first."""
    known = {
        (p.version, p.accepted): p
        for manifest in sorted(manifests, key=lambda m: m.at)
        for p in manifest.published
        if p.type == found.type and found.version in (None, p.version)
    }
    return max(known.values(), key=lambda p: (p.accepted, p.version), default=None)


def _key(fields: dict[str, Any], owned: Declared) -> str:
    value = fields.get(owned.key or "")
    if isinstance(value, str | int | float):
        return str(value)
    raise BadInput(f"{owned.type}: the data lacks {owned.key!r}, the event's key, as text or number")


def make_record(
    found: Draft, *, event_id: str, source: str, workflow: str | None, traceparent: str | None = None
) -> NewRecord:
    """The record of a completed draft. Raises BadInput naming the wrong part."""
    check_id(event_id)
    if traceparent is not None and match_traceparent(traceparent) is None:
        raise BadInput(f"traceparent {traceparent[:80]!r} is none; write 00-<32 hex digits>-<16 hex digits>-01")
    if workflow is not None:
        check_id(workflow, "workflow")
    try:
        check_text("source", source)
    except DecodeError as error:
        raise BadInput(str(error)) from None
    if not source:
        raise BadInput("source is empty; name who publishes")
    if found.key is not None and len(found.key.encode("utf-8", "replace")) > TEXT_LIMIT:
        raise BadInput(f"{found.type}: the event's key has more than {TEXT_LIMIT} bytes")
    envelope = Envelope(
        id=event_id,
        source=source,
        type=found.type,
        version=found.version or 1,
        data=found.data,
        key=found.key,
        workflow=workflow or "",
        traceparent=traceparent,
    )
    parts = encode(envelope)
    return NewRecord(found.type, parts.value, parts.key, parts.headers)


def workflow_in(record: Record) -> str:
    """The workflow of an input as it stands in the log."""
    envelope = decode(record.key, record.value, record.headers)
    return workflow_of(envelope.id, envelope.source, envelope.workflow)


def workflow_of(event_id: str, source: str, workflow: str | None) -> str:
    """The workflow that an input starts, or that it was given."""
    return workflow or workflow_id(source, event_id)
