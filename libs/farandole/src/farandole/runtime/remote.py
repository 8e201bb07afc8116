"""The two ends of a `runs="process"` step: what crosses the pipe, as msgpack, and the call in the worker."""

import asyncio
import importlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec
from pydantic import ValidationError

from farandole.assets.access import secrets_given
from farandole.assets.open import Whereabouts, open_assets
from farandole.assets.resolve import Resolver
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError, RetryAfter
from farandole.events.event import explain
from farandole.log.hooks import Attempt, Hooks
from farandole.runtime.bind import Signature
from farandole.runtime.context import Context, Tools
from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import Given, Item, Undeclared
from farandole.runtime.invoke import Wanted, arguments, call, wanted
from farandole.runtime.pool import RemoteError
from farandole.runtime.provide import Provided
from farandole.targets import load_target
from farandole.telemetry.compose import compose
from farandole.telemetry.logging import LoggingHooks, configure_logging
from farandole.telemetry.redact import Secrets

EXAMPLE = "tiling.steps:service"
"""What names a service."""

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
    event = None if delivery.envelope is None else [*delivery.envelope[:4], b""]  # its names, for log lines
    return _pack({"ctx": about | {"absent": list(ctx.absent)}, "params": params, "event": event})


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


def make_tools(where: Whereabouts | None, roots: Sequence[str], scratch: str, secrets: Secrets) -> Tools:
    """The tools of a process, with an asset store where one is configured, whose secrets are learnt."""
    if where is None:
        return Tools(scratch=Path(scratch) if scratch else None)
    store = open_assets(where)
    secrets.learn(secrets_given())
    return Tools(store, Resolver(store, [Path(r) for r in roots]), Path(scratch) if scratch else None)


class WorkerSetup(NamedTuple):
    """What a worker process is told when it starts, as texts: all that it does not find out by itself.

    `assets`: where they lie, in JSON; empty: nowhere.
    `logging`: a level, and `json` or `console` where that is not left to the terminal; empty: nothing is set up.
    `ratio`: of the workflows that are traced; empty: none are.
    """

    target: str
    step: str
    assets: str = ""
    scratch: str = ""
    logging: str = ""
    ratio: str = ""
    roots: Sequence[str] = ()

    def args(self) -> list[str]:
        """As `serve` reads them."""
        return [*self[:6], *self.roots]


def serve(args: Sequence[str]) -> "Serving":
    """Factory for the worker process; `args` are those of `WorkerSetup`."""
    target, name, assets, scratch, logging, ratio, *roots = args
    where = Whereabouts(*json.loads(assets)) if assets else None
    secrets = Secrets()
    if logging:
        level, _, form = logging.partition(" ")
        configure_logging(level, {"json": True, "console": False}.get(form), secrets)
    service = load_target(target, Service, example=EXAMPLE)
    hooks = [LoggingHooks(), *([] if not ratio else [_tracing(float(ratio))])]
    provided = Provided(service, secrets=secrets)
    return Serving(provided, service.steps[name], make_tools(where, roots, scratch, secrets), compose(hooks))


def _tracing(ratio: float) -> Hooks:
    """The attempt as the context of the step's code; its spans are made where it is committed."""
    found: Hooks = importlib.import_module("farandole.telemetry.tracing").TracingHooks(lambda _: None, ratio)
    return found


class Serving:
    """Answers the calls of one step, with settings and resources that are opened once and closed at the end."""

    def __init__(self, provided: Provided, step: AnyStep, tools: Tools, hooks: Hooks | None) -> None:
        self._step, self._tools, self._hooks = step, tools, hooks
        self._runner = asyncio.Runner()
        self._provided = provided
        self._runner.run(self._provided.open([step]))
        self._values = self._provided.for_step(step)
        self._views = {(t.event_type.name, t.event_type.version): t for t in step.signature.consumed}

    def __call__(self, payload: bytes) -> bytes:
        """Call the step; what it raises is the caller's to tell."""
        message = _unpack(payload)
        ctx = Context(**message["ctx"], tools=self._tools)
        params = [
            Wanted(param.name, param.many, [(self._views[name, version], data) for name, version, data in pairs])
            for param, pairs in zip(self._step.signature.params, message["params"], strict=True)
        ]
        event = None if message["event"] is None else Envelope(*message["event"])
        attempt = Attempt(ctx.service, ctx.step, ctx.delivery, ctx.workflow, event, ctx.attempt, "")
        try:
            with nullcontext() if self._hooks is None else self._hooks.running(attempt):
                given = call(self._step, arguments(self._step, params, ctx, self._values))
        finally:
            ctx.clean()
        return _pack([None if p is None else [isinstance(p, list), p] for p in given])

    @staticmethod
    def told(error: BaseException) -> str:
        """An exception's text; of a validation error without the values."""
        return explain(error) if isinstance(error, ValidationError) else str(error)

    def close(self) -> None:
        """Close the resources."""
        self._runner.run(self._provided.close())
        self._runner.close()
