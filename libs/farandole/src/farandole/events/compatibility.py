"""Whether a reader can take everything that a publisher may write; reading is tolerant: further fields are ignored.

The comparison is on schemas alone and errs on the safe side: what it lets pass, every reader takes, as far as
schemas can say it; some of what it refuses could work. Patterns are compared as text, never executed.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

from farandole.events.errors import Incompatible
from farandole.events.subset import ANNOTATIONS, COMPUTED, COUNTS, EXACT, RULES, Schema, canonical, normal

MARK = "x-farandole"
"""Keyword of a contract's root: its type, version, key and whether it is final."""

_ROOT = frozenset((MARK, "$schema", "$id"))
_NOTHING: frozenset[str] = ANNOTATIONS | _ROOT
_STEP_LIMIT = 200_000
_ABSENT = "may be absent, the view requires it: give it a default there"
_UNKNOWN = "is not published, the view requires it: give it a default there"


class Problem(NamedTuple):
    """What a reader could not take: the field's path (empty: the whole), why, and between whom."""

    field: str
    why: str
    type: str = ""
    reader: str = ""
    publisher: str = ""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.type, f"field {self.field}" if self.field else "") if part)
        between = f" ({self.reader} reads what {self.publisher or 'nobody'} publishes)" if self.reader else ""
        return f"{place}: {self.why}{between}"


class View(NamedTuple):
    """What one service takes of a type: the view's schema (`view_of`)."""

    service: str
    type: str
    version: int
    schema: Schema


class Published(NamedTuple):
    """One committed revision of a type, and the service that publishes (or accepts) it."""

    service: str
    type: str
    version: int
    revision: int
    schema: Schema


def check_view(view: Schema, published: Schema) -> list[Problem]:
    """What of `published` the reader declared by `view` could not take; nothing where they are compatible.

    `view` says what is read (`view_of`), `published` what is written (`schema_of`). An integer is a number; a
    field that the view requires must always be written; a constraint of the view must be one of the publisher's.
    Raises Incompatible where one of them is no schema that can be compared.
    """
    found = _Comparison().compare(normal(view, _refused), normal(published, _refused), "")
    return list(dict.fromkeys(found))


def check_revision(new: Schema, committed: Schema) -> list[Problem]:
    """What of a new revision breaks with a committed one of the same version, in either direction.

    Readers of the committed revision must take what the new one writes, and the new one what was written before.
    """
    before, after = committed.get(MARK, {}).get("key"), new.get(MARK, {}).get("key")
    moved = [Problem("", f"its key was {before!r} and is {after!r}: events would change their order")]
    return [
        *(moved if before != after else []),
        *(p._replace(why=f"readers of it break: {p.why}") for p in check_view(committed, new)),
        *(p._replace(why=f"events written before break: {p.why}") for p in check_view(new, committed)),
    ]


def gate(views: Iterable[View], published: Iterable[Published]) -> list[Problem]:
    """Every view against every published version of its type; the problems name type, field and both services.

    A service that views a type must have a view of each version that is published: the log holds them all.
    """
    committed = list(published)
    wanted = list(views)
    seen: set[tuple[str, str, int]] = {(view.service, view.type, view.version) for view in wanted}
    found: dict[tuple[str, ...], Problem] = {}
    for view in wanted:
        theirs = [one for one in committed if one.type == view.type]
        if all(one.version != view.version for one in theirs):
            problem = Problem("", "no such version is exported", f"{view.type} v{view.version}", view.service)
            found.setdefault(problem, problem)
        for one in theirs:
            for problem in _between(view, one, seen):
                key = (problem.field, problem.why, one.type, str(one.version), view.service, one.service)
                found.setdefault(key, problem)  # a problem is told once, with the first revision that has it
    return list(found.values())


def _between(view: View, one: Published, seen: set[tuple[str, str, int]]) -> list[Problem]:
    if one.version == view.version:
        problems = check_view(view.schema, one.schema)
    elif (view.service, one.type, one.version) not in seen:
        problems = [Problem("", f"there is no view of this version, only of v{view.version}")]
    else:
        problems = []
    name = f"{one.type} v{one.version}.{one.revision}"
    return [p._replace(type=name, reader=view.service, publisher=one.service) for p in problems]


def _refused(field: str, why: str) -> Incompatible:
    return Incompatible(f"field {field}: {why}" if field else why)


class _Comparison:
    """One comparison; alternatives within alternatives multiply, so it counts its steps."""

    def __init__(self) -> None:
        self._left = _STEP_LIMIT

    def compare(self, view: Schema, written: Schema, field: str) -> list[Problem]:
        """What the view does not take of what may be written at `field`."""
        self._left -= 1
        if self._left < 0:
            raise Incompatible("alternatives within alternatives: too many to compare")
        if view.keys() <= _NOTHING:
            return []  # takes anything
        if "anyOf" in written:
            return [problem for variant in written["anyOf"] for problem in self.compare(view, variant, field)]
        values = _values(written)
        if values is not None:
            refused = [value for value in values if not self._takes(view, value)]
            return [Problem(field, f"may be {_told(refused)}, which the view does not take")] if refused else []
        if "anyOf" in view:
            return self._compare_any(view["anyOf"], written, field)
        if "enum" in view:
            return [Problem(field, f"may be any {_kind(written)}; the view takes only {_told(view['enum'])}")]
        if _kind(written) != view["type"] and (_kind(written), view["type"]) != ("integer", "number"):
            return [Problem(field, f"may be any {_kind(written)}; the view takes {view['type']}")]
        problems = [Problem(field, why) for why in _narrower(view, written)]
        if view["type"] == "array":
            problems += self._compare_items(view, written, field)
        elif view["type"] == "object":
            problems += self._compare_members(view, written, field)
        return problems

    def _compare_any(self, variants: list[Schema], written: Schema, field: str) -> list[Problem]:
        tried = [(variant, self.compare(variant, written, field)) for variant in variants]
        if any(not problems for _, problems in tried):
            return []
        alike = [problems for variant, problems in tried if variant.get("type") == _kind(written)]
        if len(alike) == 1:
            return alike[0]
        return [Problem(field, f"may be {_kind(written)} of a form that none of the view's alternatives takes")]

    def _compare_items(self, view: Schema, written: Schema, field: str) -> list[Problem]:
        ours, theirs = view.get("prefixItems", []), written.get("prefixItems", [])
        most = written.get("maxItems")
        problems = []
        for at in range(max(len(ours), len(theirs))):
            if most is None or at < most:
                mine = ours[at] if at < len(ours) else view.get("items", {})
                other = theirs[at] if at < len(theirs) else written.get("items", {})
                problems += self.compare(mine, other, f"{field}[{at}]")
        if most is None or most > max(len(ours), len(theirs)):
            problems += self.compare(view.get("items", {}), written.get("items", {}), f"{field}[]")
        return problems

    def _compare_members(self, view: Schema, written: Schema, field: str) -> list[Problem]:
        # A computed field is written and never read back: as a reader, its class does not need it.
        ours = {name: part for name, part in view.get("properties", {}).items() if not part.get(COMPUTED)}
        theirs, further = written.get("properties", {}), _further(written)
        problems = [
            Problem(_join(field, name), _ABSENT if name in theirs or further is not None else _UNKNOWN)
            for name in view.get("required", [])
            if name in ours and name not in written.get("required", [])
        ]
        for name, schema in ours.items():
            if name in theirs or further is not None:
                problems += self.compare(schema, theirs.get(name, further), _join(field, name))
        others = _further(view)
        if others is not None:
            for name in sorted(theirs.keys() - ours.keys()):
                problems += self.compare(others, theirs[name], _join(field, name))
            if further is not None:
                problems += self.compare(others, further, _join(field, "*"))
        return problems + self._compare_names(view, written, field)

    def _compare_names(self, view: Schema, written: Schema, field: str) -> list[Problem]:
        names = view.get("propertyNames")
        if names is None:
            return []
        literal: list[Schema] = [{"enum": [name]} for name in written.get("properties", {})]
        free = [written.get("propertyNames", {"type": "string"})] if _further(written) is not None else []
        return [problem for form in literal + free for problem in self.compare(names, form, f"{field}(names)")]

    def _takes(self, view: Schema, value: Any) -> bool:
        if "anyOf" in view:
            return any(self._takes(variant, value) for variant in view["anyOf"])
        if "enum" in view:
            return canonical(value) in map(canonical, view["enum"])  # which tells 1 from true and 1.0
        if view.keys() <= _NOTHING:
            return True
        if value is None or isinstance(value, bool):
            return bool(view["type"] == ("null" if value is None else "boolean"))
        if isinstance(value, str):
            return not self.compare(view, {"type": "string", "minLength": len(value), "maxLength": len(value)}, "")
        if isinstance(value, int | float):
            kind = "integer" if isinstance(value, int) else "number"
            exact = {"multipleOf": abs(value)} if value else {"multipleOf": view.get("multipleOf", 1)}
            return not self.compare(view, {"type": kind, "minimum": value, "maximum": value, **exact}, "")
        return False


def _further(schema: Schema) -> Schema | None:
    """What properties beyond the named ones hold; None: there are none."""
    further = schema.get("additionalProperties")
    return {} if further is True else further


def _narrower(view: Schema, written: Schema) -> list[str]:
    """The constraints of the view that the publisher does not promise."""
    found = [f"{name} {view[name]!r} is not the publisher's" for name in EXACT if _differs(name, view, written)]
    promised = written.get(RULES, {})
    found += [f"{k} {v!r} is not the publisher's" for k, v in view.get(RULES, {}).items() if promised.get(k) != v]
    if view.get("uniqueItems") and not written.get("uniqueItems"):
        found.append("items may repeat; the view takes different ones")
    for name in sorted(COUNTS & view.keys()):
        promise = _count(name, written)
        if promise is None or (promise < view[name] if name.startswith("min") else promise > view[name]):
            found.append(f"{name} is {promise}, the view's {view[name]}")
    whole = _kind(written) == "integer"
    for side in ("min", "max"):
        ours, theirs = _bound(side, view, whole=whole), _bound(side, written, whole=whole)
        if ours is not None and (theirs is None or theirs < ours):
            found.append(f"may be beyond the view's {side}imum")
    if not _multiple(view, written, whole=whole):
        found.append(f"may be no multiple of {view['multipleOf']}")
    return found


def _differs(name: str, view: Schema, written: Schema) -> bool:
    if view.get(name) == "uuid" and name == "format":  # of any version: uuid4 and its like are uuids
        return not str(written.get(name)).startswith("uuid")
    return name in view and view[name] != written.get(name)


def _count(name: str, written: Schema) -> int | None:
    """The publisher's limit; None: none."""
    default: dict[str, int | None] = {"minLength": 0, "minItems": 0, "minProperties": len(written.get("required", ()))}
    if _further(written) is None:
        default["maxProperties"] = len(written.get("properties", ()))
    found: int | None = written.get(name, default.get(name))
    return found


def _bound(side: str, schema: Schema, *, whole: bool) -> tuple[Fraction, bool] | None:
    """The tightest bound as (value, strict), upper ones negated, so that the greater one is the tighter."""
    sign = 1 if side == "min" else -1
    given = []
    for keyword, strict in ((f"{side}imum", False), (f"exclusive{side.capitalize()}imum", True)):
        if keyword in schema:
            value = sign * Fraction(schema[keyword])
            next_whole = Fraction(floor(value) + 1 if strict else ceil(value))
            given.append((next_whole, False) if whole else (value, strict))
    return max(given, default=None)


def _multiple(view: Schema, written: Schema, *, whole: bool) -> bool:
    if "multipleOf" not in view:
        return True
    step = written.get("multipleOf", 1 if whole else None)
    return step is not None and Fraction(str(step)) % Fraction(str(view["multipleOf"])) == 0


def _values(written: Schema) -> list[Any] | None:
    """The only values of a schema, where it has a few."""
    kind = written.get("type")
    if "enum" in written:
        values: list[Any] = written["enum"]
        return values
    return [None] if kind == "null" else [False, True] if kind == "boolean" else None


def _kind(written: Schema) -> str:
    return str(written.get("type", "value"))


def _told(values: list[Any]) -> str:
    text = ", ".join(canonical(value).strip() for value in values[:4])
    return text if len(values) <= 4 else f"{text}, … ({len(values)} values)"


def _join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
