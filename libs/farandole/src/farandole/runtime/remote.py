"""The two ends of a `runs="process"` step: what crosses the pipe, as msgpack, and the call in the worker."""

import asyncio
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.events.errors import ConfigError, DecodeError, RetryAfter
from farandole.runtime.bind import Signature
from farandole.runtime.context import Context, Tools
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import Given, Item, Undeclared
from farandole.runtime.invoke import Wanted, arguments, call, wanted
from farandole.runtime.pool import RemoteError
from farandole.runtime.provide import Provided

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def pack_call(signature: Signature, delivery: Delivery, ctx: Context) -> bytes:
    """One call: the context's plain fields, and per parameter the versions and JSON of its events."""
    params = [
        [[view.event_type.name, view.event_type.version, data] for view, data in param.pairs]
        for param in wanted(signature, delivery)
    ]
    about = {
        name: getattr(ctx, name)
        for name in ("workflow", "delivery", "attempt", "generation", "key", "service", "step", "timeout")
    }
    return _pack({"ctx": about | {"absent": list(ctx.absent)}, "params": params})


def unpack_given(data: bytes) -> Given:
    """What the worker sent back."""
    return [
        None if part is None else [Item(*i) for i in part[1]] if part[0] else Item(*part[1]) for part in _unpack(data)
    ]


def revive(error: RemoteError) -> BaseException:
    """What the runtime itself must know again, as the exception it was; anything else stays a RemoteError."""
    names = {kind.rpartition(".")[2] for kind in error.kinds if kind.startswith("farandole.")}
    if "RetryAfter" in names:
        delay = error.detail.get("delay")
        return RetryAfter(delay if isinstance(delay, str | float | int) else 1.0, error.detail.get("why") or "")
    if "DecodeError" in names:
        return DecodeError(error.text)
    return Undeclared(error.text) if "Undeclared" in names else error


def load_service(target: str) -> Service:
    """The service that `module:attribute` names. Raises ConfigError with the remedy."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"{target!r} names no service; write module:attribute, such as tiling.steps:service")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{target}: {error}; install it, or run where it can be imported") from error
    found = getattr(module, attribute, None)
    if not isinstance(found, Service):
        raise ConfigError(f"{target}: {attribute!r} is no Service in {module_name}")
    return found


def make_tools(assets: str, roots: Sequence[str], scratch: str) -> Tools:
    """The tools of a process; an empty `assets` means that no store is configured."""
    if not assets:
        return Tools(scratch=Path(scratch) if scratch else None)
    store = LocalAssets(Path(assets))
    return Tools(store, Resolver(store, [Path(r) for r in roots]), Path(scratch) if scratch else None)


def serve(args: Sequence[str]) -> Callable[[bytes], bytes]:
    """Factory for the worker process: `target`, step name, asset folder, scratch folder, then `file:` roots."""
    target, name, assets, scratch, *roots = args
    service = load_service(target)
    step = service.steps[name]
    provided = Provided(service)
    asyncio.run(provided.open([step]))
    values = provided.for_step(step)
    tools = make_tools(assets, roots, scratch)
    return lambda payload: _call(step, values, tools, payload)


def _call(step: AnyStep, values: dict[str, Any], tools: Tools, payload: bytes) -> bytes:
    message = _unpack(payload)
    ctx = Context(**message["ctx"], tools=tools)
    views = {(t.event_type.name, t.event_type.version): t for t in step.signature.consumed}
    params = [
        Wanted(param.name, param.many, [(views[name, version], data) for name, version, data in pairs])
        for param, pairs in zip(step.signature.params, message["params"], strict=True)
    ]
    try:
        given = call(step, arguments(step, params, ctx, values))
    finally:
        ctx.clean()
    return _pack([None if p is None else [isinstance(p, list), p] for p in given])
