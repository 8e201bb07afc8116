"""Reading a record's headers: which is which attribute, and their texts; what they mean is the codec's business."""

from farandole.events.attributes import check_text, is_attribute_name
from farandole.events.errors import DecodeError
from farandole.events.limits import HEADER_BYTES_LIMIT

Headers = tuple[tuple[str, bytes | None], ...]
"""Header names and values as the log holds them; names may repeat."""

CONTENT = "content-type"
TRACE = "traceparent"
KNOWN = frozenset(
    """content-type traceparent ce_specversion ce_id ce_source ce_type ce_time ce_correlationid ce_causationid
    ce_scope ce_generation ce_traceparent ce_datacontenttype""".split()
)
"""Headers with a meaning to us; everything else is an extension."""

OWN_PREFIX = "fd-"
"""Plain headers that the library itself adds to records begin with this."""


def read_headers(headers: Headers) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The texts of KNOWN headers by name, and the others in order. Raises DecodeError naming the header.

    Plain headers, which are none of CloudEvents, may repeat and hold anything; bytes that are not UTF-8 are
    replaced in them. Attributes are matched in any case, as other implementations do.
    """
    attributes: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    size = 0
    for name, raw in headers:
        size += len(name) + len(raw or b"")
        if size > HEADER_BYTES_LIMIT:
            raise DecodeError(f"header {name[:80]!r}: more than {HEADER_BYTES_LIMIT} bytes of headers")
        attribute = _attribute_name(name)
        if attribute == TRACE and TRACE in attributes:
            attributes[TRACE] += ", " + _text(TRACE, raw or b"")  # as HTTP joins them; no traceparent any more
        elif attribute in attributes:
            raise DecodeError(f"header {attribute!r} stands twice; an attribute has one value")
        elif attribute is not None:
            attributes[attribute] = _text(attribute, raw or b"")
        if raw is not None and attribute not in KNOWN:
            others.append((attribute or name, raw.decode("utf-8", "replace")))
    return attributes, others


def _attribute_name(name: str) -> str | None:
    lower = name.lower()
    if lower in (CONTENT, TRACE) or (lower.startswith("ce_") and is_attribute_name(lower[3:])):
        return lower
    return None


def _text(name: str, raw: bytes) -> str:
    if name == TRACE:
        return raw.decode("utf-8", "replace")
    try:
        return check_text(name, raw.decode())
    except UnicodeDecodeError as error:
        raise DecodeError(f"header {name!r} is not UTF-8: {error.reason}") from error
