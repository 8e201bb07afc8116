"""The stack of groups on the wire: what is written is read back, and nothing else is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.events.errors import DecodeError
from farandole.events.scope import Level, read_scope, scope_text

groups = st.text("0123456789abcdef", min_size=1, max_size=16)
levels = st.integers(0, 10**6).flatmap(
    lambda size: st.builds(Level, groups, st.integers(0, max(size - 1, 0)), st.just(size))
)


@settings(max_examples=50)
@given(st.lists(levels, max_size=6).map(tuple))
def test_a_scope_reads_back(scope: tuple[Level, ...]) -> None:
    """Any depth, outermost first, empty groups included."""
    assert read_scope(scope_text(scope)) == scope


def test_the_wire_form_is_group_index_size() -> None:
    """The format that other programs read."""
    assert scope_text((Level("a1", 0, 18), Level("b2", 3, 4))) == "a1:0:18/b2:3:4"
    assert read_scope("") == ()
    assert read_scope("g:0:0") == (Level("g", 0, 0),)


@pytest.mark.parametrize(
    "text",
    [
        "g",
        "g:1",
        "g:1:2:3",
        ":0:1",
        "g:2:2",
        "g:1:0",
        "g:-1:2",
        "g:+1:2",
        "g: 1:2",
        "g:1_0:20",
        "g:١:٢",
        "g:a:2",
        "g:0:1/",
        "/g:0:1",
        "g:0:1//g:0:1",
        "g:0:1000000001",
        "g:" + "9" * 5000 + ":1",
        "gé:0:1",
        "g:0x1:2",
        ":",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Signs, blanks, other digits, indices beyond the size, missing parts."""
    with pytest.raises(DecodeError, match="ce_scope"):
        read_scope(text)


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_no_text_gives_another_error_than_decode_error(text: str) -> None:
    """Whatever stands in the header; and what is read is written alike but for leading zeros."""
    try:
        scope = read_scope(text)
    except DecodeError:
        return
    assert read_scope(scope_text(scope)) == scope
