"""What the gate lets pass, every reader takes: random publishers, random views, random events, through real bytes."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Union
from uuid import UUID

import jsonschema
import pytest
from pydantic import AwareDatetime, Field, NaiveDatetime, ValidationError, create_model

from farandole.events.compatibility import check_view
from farandole.events.contract import schema_of, view_of
from farandole.events.event import Event

PAIRS = 60  # of each seed
EVENTS = 6  # of each pair that is said to be compatible
SIMPLE = ("int", "float", "str", "bool", "none", "literal", "aware", "naive", "date", "uuid", "decimal", "any")
NESTED = ("list", "pair", "dict", "union", "model")
LITERALS = ("a", "b", "long text", 1, 2, True, None)


@dataclass(frozen=True)
class Spec:
    """A type: its kind, limits (low, high), literals, parts; of a model: names, and which have a default."""

    kind: str
    low: int | None = None
    high: int | None = None
    literals: tuple[Any, ...] = ()
    parts: tuple["Spec", ...] = ()
    names: tuple[str, ...] = ()
    optional: frozenset[str] = field(default_factory=frozenset)


def some_spec(rng: random.Random, depth: int = 3) -> Spec:
    kind = rng.choice(SIMPLE if depth == 0 or rng.random() < 0.4 else NESTED)
    low = rng.choice([None, None, 0, 1, 2])
    high = rng.choice([None, None, 3, 5, 9])
    if kind == "literal":
        return Spec(kind, literals=tuple(rng.sample(LITERALS, rng.randint(1, 3))))
    if kind == "model":
        names = tuple(rng.sample("abcd", rng.randint(1, 3)))
        optional = frozenset(name for name in names if rng.random() < 0.4)
        return Spec(kind, parts=tuple(some_spec(rng, depth - 1) for _ in names), names=names, optional=optional)
    count = {"list": 1, "dict": 1, "pair": 2, "union": 2}.get(kind, 0)
    return Spec(kind, low, high, parts=tuple(some_spec(rng, depth - 1) for _ in range(count)))


def changed(rng: random.Random, spec: Spec) -> Spec:
    """A view of `spec`: mostly a wider one, sometimes narrower, sometimes another type altogether."""
    choice = rng.random()
    if choice < 0.05:
        return some_spec(rng, 1)
    if choice < 0.1:
        return Spec("any")
    if choice < 0.25:
        return Spec("union", parts=(spec, some_spec(rng, 1)))
    if spec.kind == "int" and choice < 0.4:
        return replace(spec, kind="float")
    if spec.kind == "literal":
        more = tuple(value for value in LITERALS if value not in spec.literals)
        return replace(spec, literals=spec.literals + more[: rng.randint(0, 2)]) if choice < 0.8 else Spec("str")
    if spec.kind == "list" and spec.parts[0].kind in ("int", "str") and choice < 0.5:
        return replace(spec, kind="set")
    if spec.kind == "pair" and choice < 0.5:
        return Spec("list", parts=(Spec("union", parts=spec.parts),))
    low = spec.low if rng.random() < 0.5 else rng.choice([None, None, None, 1])
    high = spec.high if rng.random() < 0.5 else rng.choice([None, None, None, 5])
    parts = tuple(part if rng.random() < 0.5 else changed(rng, part) for part in spec.parts)
    if spec.kind != "model":
        return replace(spec, low=low, high=high, parts=parts)
    kept = [at for at in range(len(parts)) if rng.random() < 0.8] or [0]
    names = tuple(spec.names[at] for at in kept)
    optional = frozenset(name for name in names if name in spec.optional or rng.random() < 0.2)
    if rng.random() < 0.2:
        names, parts, kept = (*names, "x"), (*parts, Spec("int")), [*kept, len(parts)]
        optional |= {"x"} if rng.random() < 0.7 else set()
    return replace(spec, parts=tuple(parts[at] for at in kept), names=names, optional=optional)


def annotation(spec: Spec) -> Any:
    """The Python type of a spec."""
    parts = tuple(annotation(part) for part in spec.parts)
    plain: dict[str, Any] = {
        "int": int, "float": float, "str": str, "bool": bool, "none": None, "aware": AwareDatetime,
        "naive": NaiveDatetime, "date": date, "uuid": UUID, "decimal": Decimal, "any": Any,
    }  # fmt: skip
    match spec.kind:
        case "int" | "float" | "decimal":
            return Annotated[plain[spec.kind], Field(ge=spec.low, le=spec.high)]
        case "str":
            return Annotated[str, Field(min_length=spec.low, max_length=spec.high)]
        case "literal":
            return Literal[spec.literals]
        case "list":
            return Annotated[list[parts[0]], Field(min_length=spec.low, max_length=spec.high)]  # type: ignore[valid-type]
        case "set":
            return Annotated[set[parts[0]], Field(min_length=spec.low, max_length=spec.high)]  # type: ignore[valid-type]
        case "dict":
            return Annotated[dict[str, parts[0]], Field(min_length=spec.low, max_length=spec.high)]  # type: ignore[valid-type]
        case "pair":
            return tuple[parts[0], parts[1]]  # type: ignore[valid-type]
        case "union":
            return Union[parts]  # noqa: UP007  # of a tuple that is known at run time
        case "model":
            return create_model("Part", **fields(spec))
        case _:
            return plain[spec.kind]


def fields(spec: Spec) -> dict[str, Any]:
    fixed = random.Random(0)
    return {
        name: (
            annotation(part),
            Field(default_factory=lambda p=part: value(fixed, p), validate_default=True)
            if name in spec.optional
            else ...,
        )
        for name, part in zip(spec.names, spec.parts, strict=True)
    }


def value(rng: random.Random, spec: Spec) -> Any:
    """A value of the type, as Python."""
    low = spec.low if spec.low is not None else 0
    high = spec.high if spec.high is not None else low + 6
    many = range(rng.randint(low, high))
    match spec.kind:
        case "literal":
            return rng.choice(spec.literals)
        case "list":
            return [value(rng, spec.parts[0]) for _ in many]
        case "dict":
            return {f"k{i}": value(rng, spec.parts[0]) for i in many}
        case "pair":
            return tuple(value(rng, part) for part in spec.parts)
        case "union":
            return value(rng, rng.choice(spec.parts))
        case "model":
            absent = {name for name in sorted(spec.optional) if rng.random() < 0.5}
            named = zip(spec.names, spec.parts, strict=True)
            return {name: value(rng, part) for name, part in named if name not in absent}
        case _:
            return simple_value(rng, spec, low, high)


def simple_value(rng: random.Random, spec: Spec, low: int, high: int) -> Any:
    number = rng.choice([float(low), float(high), rng.uniform(low, high)])
    at = datetime(2017, 1, 5, tzinfo=UTC) + timedelta(seconds=rng.randint(0, 10**8))
    values: dict[str, Any] = {
        "int": rng.choice([low, high, rng.randint(low, high), *([-(2**40)] if spec.low is None else [])]),
        "float": number,
        "decimal": Decimal(str(number)),
        "str": "".join(rng.choice("ab é\n2017-01Z") for _ in range(rng.randint(low, high))),
        "bool": rng.random() < 0.5,
        "none": None,
        "aware": at,
        "naive": at.replace(tzinfo=None),
        "date": at.date(),
        "uuid": UUID(int=rng.getrandbits(128)),
        "any": rng.choice([None, 1, "x", [1.5], {"a": {}}]),
    }
    return values[spec.kind]


def built(made: Any, spec: Spec, rng: random.Random) -> bytes:
    """The bytes of one random event of a type made by `event`."""
    data = made(f=value(rng, spec)).data()
    assert isinstance(data, bytes)
    return data


def event(spec: Spec) -> type[Event]:
    made = create_model("Made", __base__=Event, __cls_kwargs__={"type": "made"}, f=(annotation(spec), ...))
    assert issubclass(made, Event)
    return made


def takes(view: type[Event], data: bytes) -> bool:
    try:
        view.read(data)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_a_view_that_passes_takes_every_event_of_its_publisher(seed: int) -> None:
    """No event of a compatible publisher fails in the view; and the gate neither passes nor refuses all."""
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(PAIRS):
        spec = some_spec(rng)
        wanted = changed(rng, spec)
        publisher, view = event(spec), event(wanted)
        written = [built(publisher, spec, rng) for _ in range(EVENTS)]
        problems = check_view(view_of(view), schema_of(publisher))
        taken = [takes(view, data) for data in written]
        told = f"publisher {spec}\nview {wanted}\nproblems {problems}\nevents {written}"
        assert problems or all(taken), told
        seen["refused" if problems else "passed"] += 1
        seen["proved"] += bool(problems) and not all(taken)
    assert seen["passed"] >= PAIRS // 4
    assert seen["proved"] >= 3, "of what is refused, some must fail"


def test_every_event_takes_itself_and_validates_under_its_schema() -> None:
    """Reading is compatible with writing for any type, also by an independent validator."""
    rng = random.Random(99)
    for _ in range(40):
        spec = some_spec(rng)
        made = event(spec)
        schema = schema_of(made)
        assert check_view(view_of(made), schema) == []
        for _ in range(3):
            data = built(made, spec, rng)
            jsonschema.validate(json.loads(data), schema)
            assert made.read(data) == made.read(made.read(data).data())


def test_without_the_comparison_the_pairs_would_not_all_read() -> None:
    """The family of models is hard enough: many of its events fail in their views."""
    rng = random.Random(5)
    failed = 0
    for _ in range(PAIRS):
        spec = some_spec(rng)
        view = event(changed(rng, spec))
        failed += not takes(view, built(event(spec), spec, rng))
    assert failed >= 5
