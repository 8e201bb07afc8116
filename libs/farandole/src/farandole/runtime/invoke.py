"""Calls a step: arguments from a delivery, the user's code, and what it gave; the same wherever it runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from farandole.events.errors import DecodeError
from farandole.events.event import Event, explain
from farandole.runtime.bind import Signature
from farandole.runtime.context import Context, Tools
from farandole.runtime.declare import AnyStep
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import Given, read_given


class Wanted(NamedTuple):
    """What a delivery gives to each parameter: (event class, JSON) pairs, still unread.

    A single parameter has one pair, a list any number.
    """

    name: str
    many: bool
    pairs: list[tuple[type[Event], bytes]]


def wanted(signature: Signature, delivery: Delivery) -> list[Wanted]:
    """The events of a delivery, per parameter."""
    group, envelope = delivery.group, delivery.envelope
    if group is None and envelope is not None:
        param = signature.params[0]
        return [Wanted(param.name, False, [(_view(param.types, envelope.type, envelope.version), envelope.data)])]
    if group is None:
        return []
    result = []
    for param, side in zip(signature.params, group.sides, strict=True):
        pairs = [(_view(param.types, s.envelope.type, s.envelope.version), s.envelope.data) for s in side.events()]
        result.append(Wanted(param.name, param.many, pairs))
    return result


def context(step: AnyStep, delivery: Delivery, tools: Tools) -> Context:
    """The context of the delivery's present attempt."""
    group, envelope = delivery.group, delivery.envelope
    generation = group.generation if group is not None else envelope.generation if envelope is not None else 0
    return Context(
        workflow=delivery.workflow,
        delivery=delivery.ids.delivery,
        attempt=delivery.attempt,
        generation=generation,
        key=delivery.lane,
        absent=group.absent() if group is not None else (),
        service=step.service,
        step=step.name,
        timeout=step.policy.timeout,
        tools=tools,
    )


def arguments(step: AnyStep, given: list[Wanted], ctx: Context | None, provided: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of the call. `provided`: settings and resources by parameter name.

    Raises DecodeError for an event that its view does not accept.
    """
    kwargs: dict[str, Any] = {}
    for name, many, pairs in given:
        if many:
            kwargs[name] = [_read(view, data) for view, data in pairs]
        else:
            ((view, data),) = pairs
            kwargs[name] = _read(view, data)
    if ctx is not None and step.signature.context is not None:
        kwargs[step.signature.context] = ctx
    kwargs.update(provided)
    return kwargs


def arguments_of(step: AnyStep, delivery: Delivery, ctx: Context | None, provided: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a delivery; without the detour where it is one event, of the one class that the step takes."""
    signature, envelope = step.signature, delivery.envelope
    view = signature.sole_in
    if view is None or envelope is None or ctx is not None:
        return arguments(step, wanted(signature, delivery), ctx, provided)
    return {signature.params[0].name: _read(view, envelope.data), **provided}


def _read(view: type[Event], data: bytes) -> Event:
    try:
        return view.read(data)
    except ValidationError as error:
        raise DecodeError(explain(error)) from None  # its own text would hold the values


def call(step: AnyStep, kwargs: Mapping[str, Any]) -> Given:
    """Run a `def` step here and now."""
    return read_given(step.signature, step.fn(**kwargs))


async def call_async(step: AnyStep, kwargs: Mapping[str, Any]) -> Given:
    """Run an `async def` step on the event loop."""
    return read_given(step.signature, await step.fn(**kwargs))


def _view(types: tuple[type[Event], ...], name: str, version: int) -> type[Event]:
    if len(types) == 1:  # the version was checked when the record was taken in
        return types[0]
    for candidate in types:
        kind = candidate.event_type
        if kind.name == name and kind.version == version:
            return candidate
    raise LookupError(f"{name}.v{version}")
