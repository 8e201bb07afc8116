"""Reads a step's signature, which is its contract, and refuses every mistake in it when it is declared."""

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic_settings import BaseSettings

from farandole.events.errors import DeclarationError
from farandole.events.event import Event
from farandole.runtime.context import Context

EventClass = type[Event]
Shape = Literal["one", "fan-in", "join"]


@dataclass(frozen=True, slots=True)
class InParam:
    """A parameter that takes events: one of `types`, or, where `many`, the list of a group's members."""

    name: str
    types: tuple[EventClass, ...]
    many: bool


@dataclass(frozen=True, slots=True)
class OutSlot:
    """One slot of the return annotation: a single event, or a fan-out where `many`."""

    types: tuple[EventClass, ...]
    many: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """What a step takes and gives; `is_tuple` tells a one-slot tuple from a single return."""

    params: tuple[InParam, ...]
    slots: tuple[OutSlot, ...]
    is_tuple: bool
    context: str | None
    settings: tuple[tuple[str, type[BaseSettings]], ...]
    resources: tuple[str, ...]
    shape: Shape = field(init=False)
    """How events come together before the call."""
    sole_in: EventClass | None = field(init=False)
    """The class of the one event taken, where there is one class only; most steps are so, and the hot path asks."""
    sole_out: EventClass | None = field(init=False)
    """The class of the one event given, where there is one slot, not a list, with one class only."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        many = any(param.many for param in self.params)
        put(self, "shape", "join" if len(self.params) > 1 else "fan-in" if many else "one")
        taken, given = self.consumed, self.published
        put(self, "sole_in", taken[0] if self.shape == "one" and len(taken) == 1 else None)
        plain = len(self.slots) == 1 and not self.is_tuple and not self.slots[0].many
        put(self, "sole_out", given[0] if plain and len(given) == 1 else None)

    @property
    def consumed(self) -> tuple[EventClass, ...]:
        """Every event class that the step takes, in the order of the signature."""
        return tuple(t for p in self.params for t in p.types)

    @property
    def topics(self) -> tuple[str, ...]:
        """Where these are published, each once: several versions of a type share a topic."""
        return tuple(dict.fromkeys(t.event_type.name for t in self.consumed))

    @property
    def published(self) -> tuple[EventClass, ...]:
        """Every event class that the step may give, each once."""
        return tuple(dict.fromkeys(t for s in self.slots for t in s.types))


class _Reader:
    """Reads one function's signature; carries what every refusal has to name."""

    def __init__(self, label: str, fn: Callable[..., Any]) -> None:
        self._label, self._fn = label, fn
        code = inspect.unwrap(fn).__code__
        self._place = f"{code.co_filename}:{code.co_firstlineno}"

    def refuse(self, what: str, cure: str, *, param: str | None = None) -> DeclarationError:
        """The error for a mistake: place, service/step, parameter, what is wrong, and the cure."""
        where = f"step {self._label}" + (f", parameter {param!r}" if param else "")
        return DeclarationError(f"{self._place}: {where}: {what}; {cure}")

    def read(self, resources: set[str]) -> Signature:
        """The signature. Raises DeclarationError."""
        hints = self._hints()
        params: list[InParam] = []
        context: str | None = None
        settings: list[tuple[str, type[BaseSettings]]] = []
        named: list[str] = []
        for parameter in inspect.signature(self._fn).parameters.values():
            name = parameter.name
            self._check_kind(parameter)
            hint = hints.get(name, inspect.Parameter.empty)
            if hint is Context:
                context = name
            elif isinstance(hint, type) and issubclass(hint, BaseSettings):
                settings.append((name, hint))
            elif name in resources:
                named.append(name)
            else:
                params.append(self._event_param(name, hint, resources))
        self._check_params(params)
        slots, is_tuple = self._outputs(hints)
        signature = Signature(tuple(params), slots, is_tuple, context, tuple(settings), tuple(named))
        self._check_loop(signature)
        return signature

    def _hints(self) -> dict[str, Any]:
        try:
            return get_type_hints(self._fn)
        except (NameError, TypeError, AttributeError) as error:
            cure = "import the name at the top of the module (not under TYPE_CHECKING, not inside a function)"
            raise self.refuse(f"an annotation cannot be resolved: {error}", cure) from error

    def _check_kind(self, parameter: inspect.Parameter) -> None:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise self.refuse("takes *args or **kwargs", "name every parameter", param=parameter.name)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self.refuse("is positional-only", "remove the '/'", param=parameter.name)
        if parameter.default is not parameter.empty:
            raise self.refuse("has a default", "remove it: what a step takes is given", param=parameter.name)

    def _event_param(self, name: str, hint: Any, resources: set[str]) -> InParam:
        if hint is inspect.Parameter.empty:
            cure = "annotate it with an event class, list[…] of one, Context or Settings"
            raise self.refuse("has no annotation", cure, param=name)
        many = get_origin(hint) is list
        inner = get_args(hint)[0] if many and get_args(hint) else hint
        members = _members(inner)
        if type(None) in members:
            cure = "an event that may not come is an absence: gather it with list[…] or ctx.absent"
            raise self.refuse("may be None", cure, param=name)
        for member in members:
            if not _is_event(member):
                known = f"; resources declared above: {', '.join(sorted(resources)) or 'none'}"
                cure = "give an event class, list[…], Context, a Settings class, or a declared resource's name"
                raise self.refuse(f"{_text(member)} is no event class", cure + known, param=name)
        self._distinct([m.event_type.wire for m in members], name)
        return InParam(name, tuple(members), many)

    def _distinct(self, names: list[str], name: str) -> None:
        if len(set(names)) != len(names):
            raise self.refuse(f"names a type twice: {', '.join(names)}", "name each type once", param=name)

    def _check_params(self, params: list[InParam]) -> None:
        if not params:
            raise self.refuse("takes no event", "add a parameter annotated with an event class")
        seen: dict[str, str] = {}
        for param in params:
            for member in param.types:
                other = seen.setdefault(member.event_type.name, param.name)
                if other != param.name:
                    cure = "a join takes each type once; gather several with list[…]"
                    what = f"{member.event_type.name} stands in {other!r} too"
                    raise self.refuse(what, cure, param=param.name)

    def _outputs(self, hints: dict[str, Any]) -> tuple[tuple[OutSlot, ...], bool]:
        if "return" not in hints:
            raise self.refuse("has no return annotation", "say what it publishes, or -> None for a leaf")
        hint = hints["return"]
        if hint is type(None):
            return (), False
        if get_origin(hint) is tuple:
            parts = get_args(hint)
            if not parts or Ellipsis in parts:
                raise self.refuse(f"returns {_text(hint)}", "name each slot, or use list[…] for a fan-out")
            slots = tuple(self._slot(part) for part in parts)
        else:
            slots = (self._slot(hint),)
        return slots, get_origin(hint) is tuple

    def _slot(self, hint: Any) -> OutSlot:
        many = get_origin(hint) is list
        members = _members(get_args(hint)[0] if many and get_args(hint) else hint)
        optional = type(None) in members
        events = [m for m in members if m is not type(None)]
        if many and optional:
            raise self.refuse(f"returns {_text(hint)}", "leave out the member that does not come: no None in a list")
        for member in events:
            if not _is_event(member):
                cure = "a step returns events: B, B | C, B | None, list[B], tuple[B, C] or None"
                raise self.refuse(f"returns {_text(member)}, which is no event class", cure)
        self._distinct([m.event_type.name for m in events], "return")  # absences are told by topic, once each
        return OutSlot(tuple(events), many, optional)

    def _check_loop(self, signature: Signature) -> None:
        taken = {t.event_type.name for t in signature.consumed}
        for given in signature.published:
            if given.event_type.name in taken:
                cure = "publish another type; a step that feeds itself never ends"
                raise self.refuse(f"takes and returns {given.event_type.name}", cure)


def read_signature(label: str, fn: Callable[..., Any], resources: set[str]) -> Signature:
    """The signature of `fn`; `label` is `service/step`. Raises DeclarationError with file, line and cure."""
    return _Reader(label, fn).read(resources)


def refuse(label: str, fn: Callable[..., Any], what: str, cure: str) -> DeclarationError:
    """An error about a step as a whole, worded as those about its signature."""
    return _Reader(label, fn).refuse(what, cure)


def _members(hint: Any) -> list[Any]:
    return list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]


def _is_event(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, Event) and member is not Event


def _text(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
