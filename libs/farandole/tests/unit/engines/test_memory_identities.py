"""Identities: what is remembered, and for how long."""

import pytest

from farandole.events.errors import IdConflict
from farandole.log.identities import AT_LEAST, REMEMBERED, Identities
from farandole.log.record import Place

PLACE = Place("t", 0, 0)


def test_identities_are_remembered_for_a_week_however_many() -> None:
    """Within seven days none is forgotten."""
    identities = Identities()
    for n in range(AT_LEAST + 10):
        identities.remember(b"%d" % n, b"v", PLACE, now=0.0 if n < 5 else REMEMBERED)
    assert identities.firsts([b"v"], [b"0"]) == [PLACE]


def test_the_last_identities_are_remembered_however_old() -> None:
    """After seven days only those beyond the last hundred thousand are forgotten, the oldest first."""
    identities = Identities()
    for n in range(AT_LEAST + 10):
        identities.remember(b"%d" % n, b"v", PLACE, now=0.0)
    assert identities.firsts([b"v"], [b"0"]) == [PLACE]
    identities.remember(b"new", b"v", PLACE, now=REMEMBERED + 1)
    forgotten = [n for n in range(20) if identities.firsts([b"v"], [b"%d" % n]) == [None]]
    assert forgotten == list(range(11))


def test_first_appearances_are_told_apart() -> None:
    """Known places, earlier indices of the same call, and new ones; nothing is remembered by asking."""
    identities = Identities()
    identities.remember(b"old", b"v", PLACE, now=0.0)
    names = [b"old", b"new", None, b"new", None, b"old"]
    for _ in range(2):
        assert identities.firsts([b"v"] * 6, names) == [PLACE, None, None, 1, None, 0]


def test_another_value_is_a_conflict() -> None:
    """Whether the first was written long ago or stands in the same call."""
    identities = Identities()
    identities.remember(b"old", None, PLACE, now=0.0)
    for values, names in (([b""], [b"old"]), ([b"a", b"b"], [b"x", b"x"])):
        with pytest.raises(IdConflict, match="another value"):
            identities.firsts(values, names)
