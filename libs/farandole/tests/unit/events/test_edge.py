"""The edge: ids that people type, and JSON from programs that are not ours."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.events.edge import ID_LIMIT, check_id, check_interoperable, read_interoperable
from farandole.events.errors import BadInput, DecodeError

SAFE = 2**53 - 1
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", max_size=3), inner, max_size=3)
)


@pytest.mark.parametrize("text", ["scene-1", "S2A_MSIL1C_20170105", "a.b:c@d+e=f,g~h", "0" * ID_LIMIT])
def test_ordinary_ids_pass_unchanged(text: str) -> None:
    """What people call scenes."""
    assert check_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\x00b",
        "a\nb",
        "a\n",
        "a\x1b[31mb",
        "../../etc",
        "a..b",
        "a/b",
        "a\\b",
        "-rf",
        ".hidden",
        "a b",
        "é",
        "0" * (ID_LIMIT + 1),
        "0" * 10_000,
        "\udc80",
    ],
)
def test_an_id_that_could_harm_a_path_a_terminal_or_a_header_is_refused(text: str) -> None:
    """The refusal names the argument, escapes what it repeats, and stays one line."""
    with pytest.raises(BadInput, match="workflow") as caught:
        check_id(text, "workflow")
    told = str(caught.value)
    assert told.isprintable()
    assert len(told) < 400


@settings(max_examples=60)
@given(documents)
def test_ordinary_json_passes_and_keeps_its_value(document: object) -> None:
    """Whatever Python writes within the rules is read alike."""
    data = json.dumps(document).encode()
    check_interoperable(data)
    assert read_interoperable(data) == document


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"nul", "not JSON"),
        (b'{"a":', "not JSON"),
        (b'"\xff"', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        ('{"a":1}'.encode("utf-16"), "not JSON"),
        (b"NaN", "not JSON"),
        (b"-Infinity", "not JSON"),
        (b"1e999", "double"),
        (b'{"a":-1e999}', "double"),
        (b'{"a":1,"b":{"c":1,"c":1}}', "'c' stands twice"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"9" * 400, "beyond"),
        (b'"\\ud800"', "not JSON"),
        (b'"\\udc00\\ud800"', "not JSON"),
        (b"9007199254740992", "beyond"),
        (b"-9007199254740992", "beyond"),
        (b'{"__proto__":{}}', "__proto__"),
        (b'[{"__class__":"os.system"}]', "__class__"),
        (b"\x80\x04\x95\x10", "not JSON"),
        (b"\x1f\x8b\x08\x00", "not JSON"),
        (b'{"at":"9999-12-31T23:59:59Z"}', "9999-12-31"),
        (b'{"at":"0001-01-01T00:00:00Z"}', "0001-01-01"),
        (b"1 2", "not JSON"),
        (b'{"a":1}\x00', "not JSON"),
        (b"{'a':1}", "not JSON"),
    ],
)
def test_json_that_readers_understand_differently_is_refused(data: bytes, why: str) -> None:
    """Every case of a malformed, ambiguous or overflowing payload ends in a DecodeError that says why."""
    with pytest.raises(DecodeError, match=why) as caught:
        check_interoperable(data)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "data",
    [
        b"9007199254740991",
        b"-9007199254740991",
        b"1.7976931348623157e308",
        b'{"_id":1,"__x":1,"x__":1}',
        b'{"at":"1678-01-01T00:00:00Z","to":"2261-12-31T23:59:59Z"}',
        b'"9999-12"',
        b'{"a":{"b":1},"c":{"b":1}}',
        b'"\\ud83d\\ude00"',
        b"[" * 150 + b"]" * 150,
        b'"\\u0000"',
    ],
)
def test_what_lies_just_within_the_rules_passes(data: bytes) -> None:
    """Limits are where the text says."""
    check_interoperable(data)


@settings(max_examples=60)
@given(st.binary(max_size=60) | st.text('{}[]",:0159.e-+\\u_nulltruefalse NaN', max_size=40).map(str.encode))
def test_no_bytes_give_another_error_than_decode_error(data: bytes) -> None:
    """Bytes of any kind are either JSON or a DecodeError."""
    try:
        check_interoperable(data)
    except DecodeError:
        return
    json.loads(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"' + b"a" * 10**6 + b'":1}',
        b"[" + b"1," * 499_999 + b"1]",
        b"0." + b"1" * 10**6,
        b'"' + b"\\" * 10**6 + b'"',
        b"{" + b",".join(b'"%d":0' % i for i in range(90_000)) + b"}",
        b'"2017-' * 170_000,
    ],
    ids=["long name", "many numbers", "many digits", "many escapes", "many names", "half times"],
)
def test_a_megabyte_of_anything_is_answered_at_once(data: bytes) -> None:
    """No input of the permitted size makes the check slow."""
    start = time.process_time()
    with suppress(DecodeError):
        check_interoperable(data)
    assert time.process_time() - start < 3
