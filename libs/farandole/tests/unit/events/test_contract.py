"""The schema of an event class: what it writes, what it takes, and nothing that names code."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, Union
from uuid import UUID

import jsonschema
import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FutureDatetime,
    Json,
    NaiveDatetime,
    PlainSerializer,
    SecretStr,
    computed_field,
)
from typing_extensions import TypedDict

from farandole.events.asset import Asset
from farandole.events.compatibility import check_view
from farandole.events.contract import schema_of, view_of
from farandole.events.errors import DeclarationError
from farandole.events.event import Event
from farandole.events.subset import canonical


class Kind(Enum):
    RAW = "raw"
    DONE = "done"


class Level(IntEnum):
    ONE = 1


class Band(BaseModel):
    """One band of a scene."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, description="as the agency calls it")]
    gain: float = 1.0


@dataclass
class Corner:
    x: float
    y: float = 0.0


class Size(TypedDict, total=False):
    rows: int


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Everything(Event, type="every.thing", key="name", version=3, final=True):
    """All that an event may hold."""

    name: str
    asset: Asset
    band: Band
    other: Band = Field(default=Band(name="B02"), description="the second")
    maybe: Band | None = None
    kind: Kind
    level: Level = Level.ONE
    literal: Literal["x", 1, None, True]
    counts: dict[str, int]
    by_number: dict[int, str]
    by_kind: dict[Kind, float]
    by_day: dict[date, int]
    by_code: dict[Annotated[str, Field(pattern="^x")], str]
    pair: tuple[int, str]
    row: tuple[int, ...] = ()
    some: Annotated[list[float], Field(min_length=1)]
    unique: Annotated[set[int], PlainSerializer(sorted, return_type=list[int])]
    at: AwareDatetime
    day: date
    lasted: timedelta
    price: Annotated[Decimal, Field(ge=0, max_digits=6)]
    uuid: UUID
    raw: bytes = b""
    anything: Any = None
    corner: Corner
    size: Size
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    ratio: Annotated[float, Field(gt=0, le=10, multiple_of=0.5)]
    flag: bool

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        """Written, never read."""
        return 6


EVERYTHING = Everything(
    name="n",
    asset=Asset(uri="asset:sha256/" + "0" * 64, size=1),
    band=Band(name="B01"),
    kind=Kind.RAW,
    literal=1,
    counts={"a": 1},
    by_number={3: "x"},
    by_kind={Kind.DONE: 1.5},
    by_day={date(2017, 1, 5): 1},
    by_code={"x1": "y"},
    pair=(1, "a"),
    some=[1.0],
    unique={1, 2},
    at=datetime(2017, 1, 5, tzinfo=UTC),
    day=date(2017, 1, 5),
    lasted=timedelta(seconds=5),
    price=Decimal("1.50"),
    uuid=UUID(int=5),
    corner=Corner(1.0),
    size={"rows": 2},
    pet=Cat(lives=9),
    ratio=1.5,
    flag=True,
)


def nodes(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return found + [node for part in parts for node in nodes(part)]


def test_a_schema_carries_what_the_class_declares() -> None:
    """Type, version, key and final, beside the dialect."""
    schema = schema_of(Everything)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["x-farandole"] == {"type": "every.thing", "version": 3, "key": "name", "final": True}
    assert schema["description"] == "All that an event may hold."


def test_what_an_event_writes_validates_under_its_schema() -> None:
    """By an independent validator, which also finds the schema itself well-formed."""
    schema = schema_of(Everything)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(EVERYTHING.data()), schema)


def test_a_schema_names_no_code_and_refers_to_nothing() -> None:
    """No class names, no titles, no references: renaming a class changes no contract."""
    text = canonical(schema_of(Everything))
    for name in ("Everything", "Band", "Kind", "Corner", "Cat", "$ref", "$defs", "title", "discriminator"):
        assert name not in text


def test_a_schema_lets_later_revisions_add_fields() -> None:
    """Readers ignore what they do not know, so no object is closed."""
    assert not [node for node in nodes(schema_of(Everything)) if node.get("additionalProperties") is False]


def test_a_field_with_a_default_may_be_absent() -> None:
    """Required is what has no default, and the tag that tells alternatives apart."""
    schema = schema_of(Everything)
    assert "other" not in schema["required"]
    assert "area" in schema["required"]
    assert [set(one["required"]) for one in schema["properties"]["pet"]["anyOf"]] == [
        {"kind", "lives"},
        {"kind", "name"},
    ]


def test_constraints_that_json_schema_has_no_word_for_are_kept() -> None:
    """Zones, bounds of times, digits of decimals: else a narrower view would pass the gate."""
    found = schema_of(Everything)["properties"]
    assert found["at"] == {"type": "string", "format": "date-time", "x-rules": {"tz_constraint": "aware"}}
    assert found["price"] == {"type": "string", "format": "decimal", "minimum": 0.0, "x-rules": {"max_digits": 6}}
    assert found["by_number"]["propertyNames"] == {"type": "string", "pattern": "^-?[0-9]+$"}


def test_an_event_takes_what_it_writes() -> None:
    """The view of a class is compatible with its own schema."""
    assert check_view(view_of(Everything), schema_of(Everything)) == []


def test_schemas_are_the_same_in_every_process() -> None:
    """Neither the hash seed nor the order of alternatives in the source shows."""
    program = (
        "from typing import Literal\n"
        "from farandole.events.event import Event\n"
        "from farandole.events.contract import schema_of\n"
        "from farandole.events.subset import canonical\n"
        "class A(Event, type='a.b'):\n"
        "    x: Literal[{literal}]\n"
        "    y: {union}\n"
        "print(canonical(schema_of(A)))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program.format(literal=literal, union=union)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, literal, union in (
            ("1", "'a', 'b', 'c'", "int | str | None"),
            ("2", "'c', 'b', 'a'", "None | str | int"),
        )
    }
    assert len(told) == 1


def test_names_on_the_wire_are_those_that_each_class_writes_and_reads() -> None:
    """Aliases count where pydantic uses them, and a class that reads another name than it writes is refused."""

    class Part(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True)
        code: int = Field(alias="proj:epsg")

    class Aliased(Event, type="aliased", serialize_by_alias=True):
        part: Part
        taken_at: str = Field(alias="takenAt")

    event = Aliased(part=Part(**{"proj:epsg": 1}), takenAt="x")
    assert json.loads(event.data()) == {"part": {"proj:epsg": 1}, "takenAt": "x"}
    assert schema_of(Aliased)["required"] == ["part", "takenAt"]
    assert schema_of(Aliased)["properties"]["part"]["required"] == ["proj:epsg"]

    class Mixed(Event, type="mixed"):
        taken_at: str = Field(alias="takenAt")

    with pytest.raises(DeclarationError, match=r"Mixed, field takenAt: the event cannot read what it writes"):
        schema_of(Mixed)


class Node(BaseModel):
    children: list["Node"] = []


class One(BaseModel):
    two: "Two | None" = None


class Two(BaseModel):
    one: One


def declared(annotation: Any, default: Any = ...) -> type[Event]:
    """An event with one field."""
    body = {"__annotations__": {"field": annotation}, "__module__": "services.events", "__qualname__": "Wrong"}
    if default is not ...:
        body["field"] = default
    return type("Wrong", (Event,), body, type="wrong")


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Node, "contains itself"),
        (One, "contains itself"),
        (Annotated[str, Field(pattern="^[[a]]$")], "engines differ"),
        (Annotated[str, Field(pattern="^(a+)+$")], "exponential"),
        (Annotated[int, Field(le=2**60)], "beyond"),
        (FutureDatetime, "clock"),
        (SecretStr, "writeOnly"),
        (Json[int], "'contentSchema' is not understood"),
        (
            Annotated[datetime, PlainSerializer(lambda at: at.timestamp(), return_type=float)],
            "cannot read what it writes",
        ),
        (set[str], "written in any order"),
        (list[frozenset[int]], "written in any order"),
        (dict[float, int], "names in a JSON object are text"),
        (dict[Level, int], "names in a JSON object are text"),
        (type[int], "no contract can hold it"),
        (Callable[[int], int], "no contract can hold it"),
        (Annotated[int, Field(json_schema_extra={"not": {"const": 1}})], "'not' is not understood"),
        (Annotated[int, Field(json_schema_extra={"$ref": "http://example.org/s.json"})], "not fetched"),
    ],
)
def test_a_field_that_no_gate_could_compare_is_refused_by_name(annotation: Any, why: str) -> None:
    """Recursion, unsafe patterns, moving bounds, secrets, one-way forms: named with class and field."""
    with pytest.raises(DeclarationError, match=why) as caught:
        schema_of(declared(annotation))
    assert str(caught.value).startswith("services.events.Wrong")
    assert "field" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_default_that_json_cannot_hold_is_refused() -> None:
    """Infinity is no JSON number."""
    with pytest.raises(DeclarationError, match=r"services\.events\.Wrong"):
        schema_of(declared(float, float("inf")))


def test_the_base_class_has_no_schema() -> None:
    """Only named types have contracts."""
    with pytest.raises(DeclarationError, match="no event type"):
        schema_of(Event)


def test_a_union_spelled_in_the_old_way_is_the_same_contract() -> None:
    """Only the values count."""

    class New(Event, type="a.b"):
        x: int | None = None

    class Old(Event, type="a.b"):
        x: Union[None, int] = None  # noqa: UP007, RUF036  # the point of the test

    assert schema_of(New) == schema_of(Old)


def test_naive_times_are_told_from_aware_ones() -> None:
    """The schemas of pydantic itself are equal; ours are not, for reading differs."""

    class Naive(Event, type="a.b"):
        at: NaiveDatetime

    class Aware(Event, type="a.b"):
        at: AwareDatetime

    assert check_view(view_of(Aware), schema_of(Naive)) != []
