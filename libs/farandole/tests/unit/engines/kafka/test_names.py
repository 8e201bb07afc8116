"""Names under a namespace lead to Kafka's and back, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farandole.engines.kafka.names import Names
from farandole.engines.kafka.note import Note, read_note
from farandole.events.errors import ConfigError
from farandole.events.topics import ENGINE

WORDS = st.text("abcz019-_", min_size=1, max_size=8)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(".".join)


@given(NAMES, NAMES)
def test_a_name_comes_back(namespace: str, name: str) -> None:
    """Whatever the namespace; but `__` begins what is Kafka's own."""
    for names in (Names(namespace), Names("")):
        outer = names.outer(name)
        assert names.inner(outer) == (None if outer.startswith("__") else name)


@given(NAMES, NAMES)
def test_the_topics_of_another_namespace_are_not_ours(namespace: str, name: str) -> None:
    """Nor are those that the engine keeps for itself."""
    assert Names(f"x{namespace}").inner(Names(f"y{namespace}").outer(name)) is None
    assert Names(namespace).inner(Names(namespace).outer(ENGINE + name)) is None


@pytest.mark.parametrize("name", ["", "with space", "ünder", "a/b", "x" * 250])
def test_a_name_that_kafka_would_not_take_is_refused(name: str) -> None:
    """Before any broker is asked."""
    with pytest.raises(ConfigError):
        Names("").checked(name)


@given(st.builds(Note, st.text(), st.integers(0, 2**53), st.booleans(), st.text()))
def test_a_note_comes_back(note: Note) -> None:
    """It lies as text beside a position."""
    assert read_note(note.text()) == note


@pytest.mark.parametrize("text", [None, "", "by hand", "{}", "[1]", '["id", "epoch"]', "\ud800"])
def test_a_position_that_somebody_else_set_counts(text: str | None) -> None:
    """It has no note, or none of ours."""
    assert read_note(text) == Note()
