"""Which readers a publisher keeps and which it breaks; each planted break is named with its field."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, Field, HttpUrl, NaiveDatetime, create_model
from pydantic.types import UUID4

from farandole.events.asset import Asset
from farandole.events.compatibility import Problem, Published, View, check_revision, check_view, gate
from farandole.events.contract import schema_of, view_of
from farandole.events.errors import Incompatible
from farandole.events.event import Event

REQUIRED: Any = ...


class Kind(Enum):
    A = "a"
    B = "b"


class Wide(BaseModel):
    x: int
    y: str
    z: float = 0.0


class Narrow(BaseModel):
    x: float


class Hungry(BaseModel):
    x: int
    q: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Cow(BaseModel):
    kind: Literal["cow"]


def event(**fields: Any) -> type[Event]:
    """An event type of these fields; `(annotation, default)` or a bare annotation."""
    full = {name: field if isinstance(field, tuple) else (field, ...) for name, field in fields.items()}
    return create_model("Made", __base__=Event, __cls_kwargs__={"type": "made"}, **full)  # type: ignore[call-overload, no-any-return]


def bounded(annotation: Any, **limits: Any) -> Any:
    return Annotated[annotation, Field(**limits)]


COMPATIBLE: list[tuple[str, Any, Any]] = [
    ("the same", int, int),
    ("an integer is a number", int, float),
    ("further alternatives in the view", int, int | str),
    ("a literal is text", Literal["a", "b"], str),
    ("fewer literals than the view takes", Literal["a"], Literal["a", "b"]),
    ("an enum as literals", Kind, Literal["a", "b", "c"]),
    ("literals as an enum", Literal["b"], Kind),
    ("mixed literals as a union", Literal["a", 1, None], str | int | None),
    ("a boolean as both literals", bool, Literal[True, False]),
    ("anything", Wide, Any),
    ("a format is text", datetime, str),
    ("the same format", date, date),
    ("a zone need not be wanted", AwareDatetime, datetime),
    ("a uuid of a version is a uuid", UUID4, UUID),
    ("tighter bounds than the view's", bounded(int, ge=1, le=5), bounded(float, gt=0, lt=6)),
    ("whole numbers above 0 are at least 1", bounded(int, gt=0), bounded(int, ge=1)),
    ("multiples", bounded(int, multiple_of=6), bounded(int, multiple_of=3)),
    ("multiples of a fraction", bounded(float, multiple_of=0.5), bounded(float, multiple_of=0.1)),
    ("shorter text", bounded(str, min_length=2, max_length=3), bounded(str, min_length=1, max_length=9)),
    ("the same pattern", bounded(str, pattern="^a"), bounded(str, pattern="^a")),
    ("a pattern need not be wanted", bounded(str, pattern="^a"), str),
    ("literals of fitting length and size", Literal["ab", 7], bounded(str, max_length=2) | bounded(int, ge=7, le=7)),
    ("fewer fields in the view", Wide, Narrow),
    ("an asset", Asset, Asset),
    ("lists of what fits", list[int], list[float | None]),
    ("a list of at least some", bounded(list[int], min_length=2), bounded(list[int], min_length=1)),
    ("a set takes a list", list[int], set[int]),
    ("a pair is a list", tuple[int, str], list[int | str]),
    ("a pair is a pair", tuple[int, str], tuple[float, str]),
    ("a pair of two is no longer than three", tuple[int, int], bounded(list[int], max_length=3)),
    ("a model is an object", Wide, dict[str, float | str]),
    ("an object of what fits", dict[str, int], dict[str, float]),
    ("names that fit", dict[Kind, int], dict[str, int]),
    ("numbers as names", dict[int, int], dict[int, int]),
    ("tagged alternatives", bounded(Cat | Dog, discriminator="kind"), bounded(Cat | Dog | Cow, discriminator="kind")),
    ("alternatives without a tag", Cat | Dog, Dog | Cat),
    ("one of the alternatives", Cat, Cat | Dog),
    ("an object as a model with defaults", dict[str, int], create_model("M", a=(int, 0), b=(float, 0.0))),
    ("decimals as decimals", Decimal, Decimal),
    ("a number as a decimal", float, Decimal),
    ("optional stays optional", int | None, float | None),
    ("schemes that are wanted", HttpUrl, HttpUrl),
]

INCOMPATIBLE: list[tuple[str, Any, Any, str]] = [
    ("another type", str, int, "f"),
    ("a number is no integer", float, int, "f"),
    ("a boolean is no integer", bool, int, "f"),
    ("an integer is no boolean", int, bool, "f"),
    ("null", int | None, int, "f"),
    ("an alternative that is not taken", int | str, int, "f"),
    ("more literals than the view takes", Literal["a", "b"], Literal["a"], "f"),
    ("any text for literals", str, Literal["a"], "f"),
    ("any text for an enum", str, Kind, "f"),
    ("1 is not true", Literal[1], Literal[True], "f"),
    ("true is not 1", Literal[True], Literal[1], "f"),
    ("a literal of another type", Literal["1"], int, "f"),
    ("anything for something", Any, int, "f"),
    ("text for a time", str, datetime, "f"),
    ("a date for a time of day", date, time, "f"),
    ("a time that may lack its zone", datetime, AwareDatetime, "f"),
    ("a zone where none is wanted", AwareDatetime, NaiveDatetime, "f"),
    ("any uuid for a version", UUID, UUID4, "f"),
    ("a literal for a date", Literal["2017-01-05"], date, "f"),
    ("bounds that are not promised", int, bounded(int, ge=0), "f"),
    ("a looser lower bound", bounded(float, ge=0), bounded(float, gt=0), "f"),
    ("a looser upper bound", bounded(float, le=10), bounded(float, lt=10), "f"),
    ("an upper bound only", bounded(int, le=5), bounded(int, ge=0, le=5), "f"),
    ("multiples of another", bounded(int, multiple_of=4), bounded(int, multiple_of=3), "f"),
    ("multiples that are not promised", float, bounded(float, multiple_of=0.5), "f"),
    ("a literal beyond a bound", Literal[7], bounded(int, le=6), "f"),
    ("a literal that is no multiple", Literal[7], bounded(int, multiple_of=2), "f"),
    ("longer text", bounded(str, max_length=9), bounded(str, max_length=8), "f"),
    ("text that may be empty", str, bounded(str, min_length=1), "f"),
    ("a literal that is too long", Literal["abc"], bounded(str, max_length=2), "f"),
    ("another pattern", bounded(str, pattern="^ab"), bounded(str, pattern="^a"), "f"),
    ("a pattern that is not promised", str, bounded(str, pattern="^a"), "f"),
    ("text for an asset's uri", create_model("A", uri=(str, ...), size=(int, 0)), Asset, "f.uri"),
    ("a field that is not published", Wide, Hungry, "f.q"),
    ("a field of another type", Wide, create_model("W", y=(int, ...)), "f.y"),
    ("a field that may be absent", Wide, create_model("W", z=(float, ...)), "f.z"),
    ("a field in a list", list[Wide], list[Hungry], "f[].q"),
    ("a field in an object", dict[str, Wide], dict[str, Hungry], "f.*.q"),
    ("a field in a pair", tuple[int, Wide], tuple[int, Hungry], "f[1].q"),
    ("a shorter list", list[int], bounded(list[int], min_length=1), "f"),
    ("a longer list", list[int], bounded(list[int], max_length=3), "f"),
    ("a list for a pair", list[int], tuple[int, int], "f"),
    ("a pair for a triple", tuple[int, int], tuple[int, int, int], "f"),
    ("a row for a pair", tuple[int, ...], tuple[int, int], "f"),
    (
        "a list that may repeat for a set of some",
        bounded(list[int], min_length=2),
        bounded(set[int], min_length=2),
        "f",
    ),
    ("members of another type", list[int | None], list[int], "f[]"),
    ("a model whose fields do not fit an object", Wide, dict[str, float], "f.y"),
    ("an object for a model", dict[str, int], Narrow, "f.x"),
    ("an object of other values", dict[str, str], create_model("M", a=(int, 0)), "f.a"),
    ("any names for an enum's", dict[str, int], dict[Kind, int], "f(names)"),
    ("any names for numbers", dict[str, int], dict[int, int], "f(names)"),
    ("a model's names for an enum's", create_model("M", c=(int, ...)), dict[Kind, int], "f(names)"),
    ("an empty object where some are wanted", dict[str, int], bounded(dict[str, int], min_length=1), "f"),
    ("more alternatives", bounded(Cat | Dog, discriminator="kind"), Cat, "f.kind"),
    ("an alternative that is not taken, tagged", Cat | Cow, bounded(Cat | Dog, discriminator="kind"), "f"),
    ("an untagged object for tagged ones", Wide, bounded(Cat | Dog, discriminator="kind"), "f"),
    ("a decimal is text", Decimal, float, "f"),
    ("more digits", bounded(Decimal, max_digits=9), bounded(Decimal, max_digits=5), "f"),
    ("any text for a url", str, HttpUrl, "f"),
    ("a list for a model", list[int], Wide, "f"),
]


@pytest.mark.parametrize(("name", "written", "read"), COMPATIBLE, ids=[case[0] for case in COMPATIBLE])
def test_a_view_that_takes_all_that_is_written_is_compatible(name: str, written: Any, read: Any) -> None:
    """Widening, dropping and defaulting break nothing."""
    assert check_view(view_of(event(f=read)), schema_of(event(f=written))) == []


@pytest.mark.parametrize(("name", "written", "read", "field"), INCOMPATIBLE, ids=[case[0] for case in INCOMPATIBLE])
def test_a_view_that_lacks_something_written_is_told_with_the_field(
    name: str, written: Any, read: Any, field: str
) -> None:
    """Each planted break is found, and at its place."""
    problems = check_view(view_of(event(f=read)), schema_of(event(f=written)))
    assert field in {problem.field for problem in problems}
    assert all(problem.why and "\n" not in str(problem) for problem in problems)


def test_a_field_must_always_be_written_where_the_view_has_no_default() -> None:
    """Absent for some publishers is absent."""
    assert check_view(view_of(event(a=int)), schema_of(event(b=int)))[0].field == "a"
    assert check_view(view_of(event(a=int)), schema_of(event(a=(int, 1))))[0].field == "a"
    assert check_view(view_of(event(a=(int, 1))), schema_of(event(b=int))) == []
    assert check_view(view_of(event(a=(int, 1))), schema_of(event(a=(int, 2)))) == []
    assert check_view(view_of(event(a=(str, ""))), schema_of(event(a=int)))[0].field == "a"


def test_further_fields_are_ignored() -> None:
    """The tolerant reader."""
    assert check_view(view_of(event(a=int)), schema_of(event(a=int, b=Wide, c=(str, "")))) == []


def test_alternatives_that_multiply_end_in_a_refusal_and_not_in_a_hang() -> None:
    """Unions within unions: the comparison counts its steps."""
    inner: dict[str, Any] = {"type": "string", "minLength": 1}
    other: dict[str, Any] = {"type": "string"}
    for level in range(9):
        kinds = [{"type": "object", "properties": {f"{level}{side}": inner, "x": inner}} for side in "ab"]
        others = [{"type": "object", "properties": {f"{level}{side}": other, "x": other}} for side in "ab"]
        inner, other = {"anyOf": kinds}, {"anyOf": others}
    with pytest.raises(Incompatible, match=r"too many|more than"):
        check_view(inner, other)


# --- revisions of one version


def test_a_field_with_a_default_may_come_and_go() -> None:
    """What additive revisions are."""
    first, second = schema_of(event(a=int)), schema_of(event(a=int, b=(int, 0), c=(Wide | None, None)))
    assert check_revision(second, first) == []
    assert check_revision(first, second) == []
    assert check_revision(first, first) == []


def test_a_description_or_another_default_breaks_nothing() -> None:
    """Annotations bind nobody."""
    first = schema_of(event(a=(int, 0)))
    assert check_revision(schema_of(event(a=(int, Field(default=5, description="now told")))), first) == []


@pytest.mark.parametrize(
    ("before", "after", "field", "who"),
    [
        ({"a": int}, {"a": int, "b": int}, "b", "events written before"),
        ({"a": int, "b": int}, {"a": int}, "b", "readers of it"),
        ({"a": int}, {"a": (int, 0)}, "a", "readers of it"),
        ({"a": (int, 0)}, {"a": int}, "a", "events written before"),
        ({"a": int}, {"a": float}, "a", "readers of it"),
        ({"a": float}, {"a": int}, "a", "events written before"),
        ({"a": Literal["x"]}, {"a": Literal["x", "y"]}, "a", "readers of it"),
        ({"a": Literal["x", "y"]}, {"a": Literal["x"]}, "a", "events written before"),
        ({"a": int}, {"a": int | None}, "a", "readers of it"),
        ({"a": str}, {"a": bounded(str, max_length=9)}, "a", "events written before"),
        ({"a": bounded(str, max_length=9)}, {"a": str}, "a", "readers of it"),
        ({"a": Wide}, {"a": Hungry}, "a.q", "events written before"),
        ({"a": (int, 0)}, {"a": (str, "")}, "a", "readers of it"),
    ],
)
def test_everything_else_breaks_one_side(before: dict[str, Any], after: dict[str, Any], field: str, who: str) -> None:
    """Old readers of new events, or new readers of old events; the text says which."""
    problems = check_revision(schema_of(event(**after)), schema_of(event(**before)))
    assert any(problem.field == field and who in problem.why for problem in problems)


def test_another_key_is_another_order() -> None:
    """Keys decide partitions and order, so they are part of a version."""

    class First(Event, type="made", key="a"):
        a: int
        b: int

    class Second(Event, type="made", key="b"):
        a: int
        b: int

    problems = check_revision(schema_of(Second), schema_of(First))
    assert ["key was 'a' and is 'b'" in problem.why for problem in problems] == [True]


# --- the gate


def published(version: int, revision: int, **fields: Any) -> Published:
    return Published("ingest", "made", version, revision, schema_of(event(**fields)))


def view(service: str, version: int, **fields: Any) -> View:
    return View(service, "made", version, view_of(event(**fields)))


def told(problems: Sequence[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


def test_the_gate_lets_fitting_views_pass() -> None:
    """Every view takes every revision of its version."""
    committed = [published(1, 0, a=int), published(1, 1, a=int, b=(int, 0))]
    assert gate([view("tiling", 1, a=float), view("cog", 1, b=(int, 0))], committed) == []


def test_the_gate_names_type_field_and_both_services() -> None:
    """And the first revision that breaks the view, once."""
    committed = [published(1, 0, a=int), published(1, 1, a=int, b=(int, 0)), published(1, 2, a=int, c=(int, 0))]
    assert told(gate([view("tiling", 1, a=int, b=int)], committed)) == [
        "made v1.0, field b: is not published, the view requires it: give it a default there"
        " (tiling reads what ingest publishes)",
        "made v1.1, field b: may be absent, the view requires it: give it a default there"
        " (tiling reads what ingest publishes)",
    ]


def test_every_published_version_needs_a_view() -> None:
    """The log holds them all; a service may have several views of one type."""
    committed = [published(1, 0, a=int), published(2, 0, a=str)]
    assert told(gate([view("tiling", 2, a=str)], committed)) == [
        "made v1.0: there is no view of this version, only of v2 (tiling reads what ingest publishes)"
    ]
    assert gate([view("tiling", 1, a=int), view("tiling", 2, a=str)], committed) == []


def test_a_view_of_what_nobody_exported_is_told() -> None:
    """Without a schema there is nothing to rely on."""
    assert told(gate([view("tiling", 3, a=int)], [])) == [
        "made v3: no such version is exported (tiling reads what nobody publishes)"
    ]
