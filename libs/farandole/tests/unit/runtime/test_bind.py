"""Every mistake in a signature is refused when it is declared, naming place, step, parameter and cure."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Optional, Union

import pytest

from farandole.events.errors import ConfigError, DeclarationError
from farandole.events.event import Event
from farandole.runtime.bind import Signature
from farandole.runtime.context import Context
from farandole.runtime.declare import Service, with_capacity
from farandole.runtime.retry import Retry


class In(Event, type="bind.in", key="k"):
    k: str


class InTwo(Event, type="bind.in", version=2, key="k"):
    k: str


class InAgain(Event, type="bind.in", key="k"):
    k: str


class Other(Event, type="bind.other", key="k"):
    k: str


class Out(Event, type="bind.out", key="k"):
    k: str


OTHER = Other(k="x")


def no_event(ctx: Context) -> None: ...
def star(*events: In) -> None: ...
def double_star(event: In, **more: Other) -> None: ...
def positional(event: In, /) -> None: ...
def default(event: In, n: Other = OTHER) -> None: ...
def unannotated(event) -> None: ...  # type: ignore[no-untyped-def]
def optional_in(event: In | None) -> None: ...
def no_class(event: int) -> None: ...
def base_class(event: Event) -> None: ...
def twice_in_union(event: In | InAgain) -> None: ...
def twice_in_join(one: In, other: InTwo | Other) -> None: ...
def both_versions_out(event: Other) -> In | InTwo: ...  # type: ignore[empty-body]
def unresolved(event: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def no_return(event: In): ...  # type: ignore[no-untyped-def]
def returns_int(event: In) -> int: ...  # type: ignore[empty-body]
def none_in_list(event: In) -> list[Out | None]: ...  # type: ignore[empty-body]
def open_tuple(event: In) -> tuple[Out, ...]: ...  # type: ignore[empty-body]
def same_type_twice(event: In) -> Other | Other: ...  # type: ignore[empty-body]
def feeds_itself(event: In) -> In: ...  # type: ignore[empty-body]
def generator(event: In) -> list[Out]:  # type: ignore[misc]
    yield


REFUSED: list[tuple[Callable[..., Any], str | None, str, str]] = [
    (no_event, None, "takes no event", "add a parameter"),
    (star, "events", "*args", "name every parameter"),
    (double_star, "more", "**kwargs", "name every parameter"),
    (positional, "event", "positional-only", "remove the '/'"),
    (default, "n", "has a default", "remove it"),
    (unannotated, "event", "has no annotation", "annotate it"),
    (optional_in, "event", "may be None", "list[…]"),
    (no_class, "event", "int is no event class", "a declared resource's name"),
    (base_class, "event", "Event is no event class", "give an event class"),
    (twice_in_union, "event", "names a type twice", "name each type once"),
    (both_versions_out, None, "names a type twice", "name each type once"),
    (twice_in_join, "other", "bind.in stands in 'one' too", "gather several with list[…]"),
    (unresolved, None, "'Missing' is not defined", "top of the module"),
    (no_return, None, "has no return annotation", "-> None for a leaf"),
    (returns_int, None, "int, which is no event class", "a step returns events"),
    (none_in_list, None, "list[", "no None in a list"),
    (open_tuple, None, "tuple[", "name each slot"),
    (feeds_itself, None, "takes and returns bind.in", "publish another type"),
    (generator, None, "is a generator", "return a list"),
]


@pytest.mark.parametrize(("fn", "param", "what", "cure"), REFUSED, ids=[fn.__name__ for fn, *_ in REFUSED])
def test_a_mistake_in_a_signature_is_refused(fn: Callable[..., Any], param: str | None, what: str, cure: str) -> None:
    """The error names file:line, service/step, the parameter, what is wrong, and the cure."""
    with pytest.raises(DeclarationError) as caught:
        Service("shop").step(fn)
    text = str(caught.value)
    line = inspect.getsourcelines(fn)[1]
    assert f"{__file__}:{line}: step shop/{fn.__name__.replace('_', '-')}" in text
    assert what in text
    assert cure in text
    assert (f"parameter {param!r}" in text) == (param is not None)


def plain(event: In) -> None: ...
async def coroutine(event: In) -> None: ...
def gathers(events: list[In]) -> None: ...


OPTIONS: list[tuple[Callable[..., Any], dict[str, Any], str, str]] = [
    (plain, {"runs": "async"}, "is def but runs='async'", "write async def"),
    (coroutine, {"runs": "process"}, "is async def but runs='process'", "write async def"),
    (plain, {"timeout": "5s"}, "cannot end a thread", "runs='process'"),
    (plain, {"concurrency": -1}, "has concurrency=-1", "at least 1"),
    (plain, {"concurrency": 0}, "has concurrency=0", "at least 1"),
    (plain, {"order_by": "nothing"}, "is no field of In", "its fields: k"),
    (gathers, {"order_by": "k"}, "gathers events", "remove order_by="),
    (plain, {"join": "k"}, "join= (across workflows) is not there yet", "same workflow"),
]


@pytest.mark.parametrize(("fn", "options", "what", "cure"), OPTIONS)
def test_a_mistake_in_the_options_is_refused(
    fn: Callable[..., Any], options: dict[str, Any], what: str, cure: str
) -> None:
    """As for signatures: place, step, what, cure."""
    with pytest.raises(DeclarationError) as caught:
        Service("shop").step(**options)(fn)
    text = str(caught.value)
    assert f"{__file__}:" in text
    assert f"step shop/{fn.__name__}" in text
    assert what in text
    assert cure in text


def test_a_step_that_is_declared_twice_is_refused() -> None:
    """The second one would silently replace the first."""
    service = Service("shop")
    service.step(plain)
    with pytest.raises(DeclarationError, match=r"shop/plain: is declared twice; rename one"):
        service.step(plain)


def test_an_async_resource_is_refused_by_a_step_without_a_loop() -> None:
    """It could not be awaited there."""
    service = Service("shop")

    @service.resource
    async def db() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(DeclarationError, match=r"takes the async resource 'db' but runs in a thread; make the step"):

        @service.step
        def use(event: In, db: int) -> None: ...


def test_a_resource_that_is_declared_twice_is_refused() -> None:
    """As a step is."""
    service = Service("shop")

    def db() -> Iterator[int]:
        yield 1

    service.resource(db)
    with pytest.raises(DeclarationError, match="resource 'db' is declared twice"):
        service.resource(db)


@pytest.mark.parametrize("name", ["", "Shop", "a_b", "a.b", "-a", "a" * 61, "a/b"])
def test_a_name_that_cannot_be_a_topics_is_refused(name: str) -> None:
    """Names of services and steps stand in names of topics."""
    with pytest.raises(DeclarationError, match="lower-case words"):
        Service(name)
    with pytest.raises(DeclarationError, match="lower-case words"):
        Service("shop").step(name=name or "-")(plain)


@pytest.mark.parametrize("changes", [{"concurrency": 0}, {"timeout": 1.0}, {"attempts": 0}])
def test_capacity_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    """Configuration may say no more than a declaration."""
    step = Service("shop").step(plain)
    with pytest.raises(ConfigError):
        with_capacity(step, **changes)


def test_capacity_changes_no_meaning() -> None:
    """Attempts, concurrency and timeout are replaced; what is called stays."""
    step = Service("shop").step(retry=Retry(attempts=7, delay=3.0))(coroutine)
    changed = with_capacity(step, attempts=2, concurrency=9, timeout=4.0)
    assert (changed.policy.retry.attempts, changed.policy.concurrency, changed.policy.timeout) == (2, 9, 4.0)
    assert changed.policy.retry.delay == 3.0
    assert changed.signature == step.signature


def _signature(fn: Callable[..., Any]) -> Signature:
    return Service("shop").step(fn).signature


def test_every_shape_of_input_is_read() -> None:
    """One, either, list, join, and what is no event."""

    def one(event: In) -> None: ...
    def either(event: In | Other) -> None: ...
    def old_style(event: Union[In, Other]) -> None: ...  # noqa: UP007 - people still write it
    def members(events: list[In | Other], ctx: Context) -> None: ...
    def join(a: In, bs: list[Other]) -> None: ...

    assert [_signature(fn).shape for fn in (one, either, old_style, members, join)] == [
        "one",
        "one",
        "one",
        "fan-in",
        "join",
    ]
    assert _signature(either).consumed == _signature(old_style).consumed == (In, Other)
    assert _signature(members).context == "ctx"
    assert [(p.name, p.many) for p in _signature(join).params] == [("a", False), ("bs", True)]


def test_versions_of_a_type_may_stand_side_by_side_in_what_a_step_takes() -> None:
    """They lie in one topic, so the step leases it as if it took one: its place does not move with an upgrade."""

    def one(event: In) -> None: ...
    def both(event: In | InTwo) -> None: ...
    def members(events: list[In | InTwo]) -> None: ...

    shop = Service("shop")
    old, new = shop.step(one), shop.step(both)
    assert (new.signature.consumed, new.signature.topics) == ((In, InTwo), ("bind.in",))
    assert not old.fed_by_inbox
    assert not new.fed_by_inbox
    assert not shop.step(name="by-key", order_by="k")(both).fed_by_inbox
    assert shop.step(members).fed_by_inbox


def test_every_shape_of_output_is_read() -> None:
    """One, either, maybe, none, list, tuple with a list in it."""

    def maybe(event: In) -> Optional[Out]: ...  # noqa: UP045 - people still write it
    def both(event: In) -> tuple[Out, list[Other] | None]: ...  # type: ignore[empty-body]
    def pair(event: In) -> tuple[Out | None, list[Other]]: ...  # type: ignore[empty-body]
    def single(event: In) -> tuple[Out]: ...  # type: ignore[empty-body]

    slot = _signature(maybe).slots[0]
    assert (slot.types, slot.many, slot.optional) == ((Out,), False, True)
    assert [(s.types, s.many, s.optional) for s in _signature(pair).slots] == [
        ((Out,), False, True),
        ((Other,), True, False),
    ]
    assert _signature(single).is_tuple
    with pytest.raises(DeclarationError):
        _signature(both)


def test_a_step_stays_a_plain_callable() -> None:
    """A unit test of it needs no framework."""

    def double(event: In) -> Out:
        return Out(k=event.k * 2)

    assert Service("shop").step(double)(In(k="a")) == Out(k="aa")
