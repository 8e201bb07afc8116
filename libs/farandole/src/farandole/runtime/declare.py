"""`Service` and its decorators: what a user declares; no log, clock or process is touched here."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from farandole.events.durations import seconds
from farandole.events.errors import ConfigError, DeclarationError
from farandole.events.event import Event
from farandole.runtime.bind import Signature, read_signature, refuse
from farandole.runtime.resources import Resources
from farandole.runtime.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")
Runs = Literal["async", "thread", "process"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_LIMIT = 60
_KEY = object()  # stands for "the event's key"
DEFAULT_CONCURRENCY: dict[Runs, int] = {"async": 100, "thread": 4, "process": 2}


@dataclass(frozen=True, slots=True)
class Policy:
    """How a step is run. `order_by`: a field's name, None for no order; `own_key` when it is the event's key."""

    runs: Runs
    concurrency: int
    timeout: float | None
    retry: Retry
    order_by: str | None
    own_key: bool
    start: Literal["beginning", "now"]


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A declared step; still the plain callable that it decorates."""

    service: str
    name: str
    fn: Callable[P, R]
    signature: Signature
    policy: Policy

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function that was declared, as if it were not."""
        return self.fn(*args, **kwargs)

    @property
    def producer(self) -> str:
        """`service/step`: the source of what it publishes and the name of its group."""
        return f"{self.service}/{self.name}"

    @property
    def fed_by_inbox(self) -> bool:
        """Whether its events are re-keyed into its inbox rather than leased where they were published."""
        return self.signature.shape != "one" or len(self.signature.topics) > 1 or not self.policy.own_key


AnyStep = Step[..., Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A declared resource: a generator (or plain function) that gives what steps ask for by its name."""

    name: str
    open: Callable[..., Any]
    is_async: bool


@dataclass
class Service:
    """A deployable set of steps. `accepts`: event classes that come from outside and that this service owns.

    `version` names the code that runs, in manifests and facts. `resources`: what one process of it needs of a
    machine. `provided`: what its steps may ask for by name.
    """

    name: str
    version: str = "0"
    accepts: Sequence[type[Event]] = ()
    resources: Resources = field(default_factory=Resources)
    steps: dict[str, AnyStep] = field(default_factory=dict, init=False)
    provided: dict[str, Resource] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        _check_name("service", self.name)
        if not self.version or "/" in self.version or len(self.version) > _NAME_LIMIT:
            raise DeclarationError(f"service {self.name}: version={self.version!r}: short text without '/'")

    @overload
    def step(self, fn: Callable[P, R], /) -> Step[P, R]: ...

    @overload
    def step(
        self,
        /,
        *,
        name: str | None = None,
        runs: Runs | None = None,
        concurrency: int | None = None,
        timeout: float | str | None = None,
        retry: Retry | None = None,
        order_by: str | None = ...,
        start: Literal["beginning", "now"] = "beginning",
        join: str | None = None,
    ) -> Callable[[Callable[P, R]], Step[P, R]]: ...

    def step(self, fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Declare a step; its signature is its contract. Raises DeclarationError for every mistake in it.

        `runs`: "async" for `async def`, else "thread" or "process" (a worker process that `timeout` really
        kills). `order_by`: the field whose equal values are handled in order (default: the event's key; None: no
        order). `start="now"`: what was published before the step first ran is not for it.
        """
        if fn is not None:
            return self._declare(fn, {})
        return lambda decorated: self._declare(decorated, options)

    def resource(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a resource: a generator that yields it once (opened once a worker process) and closes after."""
        name = fn.__name__
        if name in self.provided:
            raise DeclarationError(f"service {self.name}: resource {name!r} is declared twice; rename one")
        is_async = inspect.isasyncgenfunction(fn) or inspect.iscoroutinefunction(fn)
        self.provided[name] = Resource(name, fn, is_async)
        return fn

    def _declare(self, fn: Callable[..., Any], options: dict[str, Any]) -> AnyStep:
        name = options.get("name") or fn.__name__.strip("_").replace("_", "-")
        _check_name(f"step of service {self.name}", name)
        label = f"{self.name}/{name}"
        if name in self.steps:
            raise refuse(label, fn, "is declared twice", "rename one, or give name=")
        signature = read_signature(label, fn, set(self.provided))
        policy = _policy(label, fn, signature, options)
        for resource in signature.resources:
            if self.provided[resource].is_async and policy.runs != "async":
                cure = "make the step async, or the resource a plain generator"
                raise refuse(label, fn, f"takes the async resource {resource!r} but runs in a {policy.runs}", cure)
        step = Step(self.name, name, fn, signature, policy)
        self.steps[name] = step
        return step


def with_capacity(step: AnyStep, **changes: Any) -> AnyStep:
    """The step with other capacity (concurrency, timeout, attempts), as configuration may say."""
    attempts = changes.pop("attempts", None)
    policy = replace(step.policy, **changes)
    if attempts is not None:
        policy = replace(policy, retry=replace(policy.retry, attempts=attempts))
    if policy.timeout is not None and policy.runs == "thread":
        raise ConfigError(f"step {step.producer}: timeout on a thread can't end it; use runs='process'")
    if policy.concurrency < 1:
        raise ConfigError(f"step {step.producer}: concurrency={policy.concurrency}; at least 1")
    return replace(step, policy=policy)


def _policy(label: str, fn: Callable[..., Any], signature: Signature, options: dict[str, Any]) -> Policy:
    is_async = inspect.iscoroutinefunction(fn)
    runs: Runs = options.get("runs") or ("async" if is_async else "thread")
    if is_async != (runs == "async"):
        cure = "write async def for runs='async', def for runs='thread' or 'process'"
        raise refuse(label, fn, f"is {'async def' if is_async else 'def'} but runs={runs!r}", cure)
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise refuse(label, fn, "is a generator", "return a list: a fan-out is all or nothing")
    if options.get("join") is not None:
        raise refuse(label, fn, "join= (across workflows) is not there yet", "join events of the same workflow")
    timeout = options.get("timeout")
    if timeout is not None and runs == "thread":
        raise refuse(label, fn, "has a timeout, which cannot end a thread", "use runs='process' or async def")
    asked = options.get("concurrency")
    concurrency = DEFAULT_CONCURRENCY[runs] if asked is None else asked
    if concurrency < 1:
        raise refuse(label, fn, f"has concurrency={concurrency}", "give at least 1")
    order_by, own_key = _order(label, fn, signature, options.get("order_by", _KEY))
    limit = None if timeout is None else seconds(timeout)
    return Policy(
        runs, concurrency, limit, options.get("retry") or Retry(), order_by, own_key, options.get("start", "beginning")
    )


def _order(label: str, fn: Callable[..., Any], signature: Signature, order_by: Any) -> tuple[str | None, bool]:
    if order_by is _KEY:
        return signature.consumed[0].event_type.key, True
    if signature.shape != "one":
        raise refuse(label, fn, "gathers events, which have no order", "remove order_by=")
    if order_by is None:
        return None, True
    for event in signature.consumed:
        if order_by not in event.model_fields:
            cure = f"its fields: {', '.join(event.model_fields)}"
            raise refuse(label, fn, f"order_by={order_by!r} is no field of {event.__name__}", cure)
    own = len(signature.topics) == 1 and all(event.event_type.key == order_by for event in signature.consumed)
    return order_by, own


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        raise DeclarationError(
            f"{what}: name {name[:80]!r}: lower-case words of letters and digits joined by '-', at most {_NAME_LIMIT}"
        )
