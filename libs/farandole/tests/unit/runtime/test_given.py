"""What a step gave is what its signature says, or it is refused and never retried."""

from typing import Any

import pytest

from farandole.events.event import Event
from farandole.runtime.bind import OutSlot, Signature
from farandole.runtime.given import Item, Undeclared, event_type, read_given


class A(Event, type="given.a", key="k"):
    k: str


class B(Event, type="given.b"):
    n: int


class Sub(A, type="given.sub", key="k"):
    pass


def _signature(*slots: OutSlot, is_tuple: bool = False) -> Signature:
    return Signature((), slots, is_tuple, None, (), ())


ONE, EITHER = OutSlot((A,), False, False), OutSlot((A, B), False, False)
MAYBE, MANY = OutSlot((A,), False, True), OutSlot((A, B), True, False)


def test_what_is_declared_is_taken() -> None:
    """Which of the slot's types, the key, and the JSON."""
    assert read_given(_signature(), None) == []
    assert read_given(_signature(ONE), A(k="x")) == [Item(0, "x", b'{"k":"x"}')]
    assert read_given(_signature(EITHER), B(n=1)) == [Item(1, None, b'{"n":1}')]
    assert read_given(_signature(MAYBE), None) == [None]
    assert read_given(_signature(MANY), []) == [[]]
    members = read_given(_signature(MANY), [B(n=1), A(k="x")])
    assert members == [[Item(1, None, b'{"n":1}'), Item(0, "x", b'{"k":"x"}')]]
    both = read_given(_signature(MAYBE, MANY, is_tuple=True), (None, [A(k="x")]))
    assert both == [None, [Item(0, "x", b'{"k":"x"}')]]
    assert event_type(MANY, members[0][0]).name == "given.b"  # type: ignore[index,arg-type]


@pytest.mark.parametrize(
    ("signature", "value", "text"),
    [
        (_signature(), A(k="x"), "returned A but is declared -> None"),
        (_signature(ONE), None, "returned None but declares A; declare A | None"),
        (_signature(ONE), B(n=1), "returned B but declares A"),
        (_signature(ONE), Sub(k="x"), "returned Sub but declares A"),
        (_signature(ONE), {"k": "x"}, "returned dict but declares A"),
        (_signature(MANY), A(k="x"), "returned A but declares a list of A | B"),
        (_signature(MANY), (A(k="x"),), "returned tuple but declares a list"),
        (_signature(MANY), [A(k="x"), None], "returned NoneType but declares A | B"),
        (_signature(ONE, is_tuple=True), A(k="x"), "declares a tuple of 1"),
        (_signature(ONE, MAYBE, is_tuple=True), (A(k="x"),), "declares a tuple of 2"),
    ],
)
def test_what_is_not_declared_is_refused(signature: Signature, value: Any, text: str) -> None:
    """The error names what was returned and what is declared."""
    with pytest.raises(Undeclared, match=text.replace("|", r"\|")):
        read_given(signature, value)
