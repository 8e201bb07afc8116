"""Hooks that trace: each attempt as spans, once its facts are durable, and as the context that its code runs in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import Token
from functools import lru_cache
from types import TracebackType
from typing import get_args

from opentelemetry import context, trace
from opentelemetry.context.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags

from farandole.events.envelope import Envelope
from farandole.events.facts import Fact
from farandole.events.ids import is_sampled, span_id, trace_id
from farandole.log.hooks import Attempt, Commit, Ended, Ending
from farandole.telemetry.spans import Member, Span, origin_of, spans

_REMEMBERED = 4096  # workflows whose decision is remembered: most attempts are of one that was seen just now
_TRACED = frozenset(get_args(Ending))
(_SPAN,) = trace.set_span_in_context(INVALID_SPAN, Context())
"""The key under which a context has its span: what sets it copies a context twice, and this is done for every event."""
_SAMPLED, _NOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)


class TracingHooks:
    """Hooks that give `emit` the spans of every attempt of the share `ratio` of the workflows.

    Which share is decided by the workflow's id, before anything is made. `emit` must not wait.
    """

    def __init__(self, emit: Callable[[Span], None], ratio: float) -> None:
        self._emit, self._ratio = emit, ratio
        self._decide = lru_cache(_REMEMBERED)(self._decided)

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Spans that the step's code makes belong to the attempt, and what it calls gets its `traceparent`."""
        return _Running(_Present(attempt, self._decide))

    def hears(self, ending: Ending) -> bool:
        """Never: a commit tells of those that are sampled, and the others cost nothing more."""
        return False

    def ended(self, ended: Ended) -> None:
        """Nothing, see `committed`."""

    def committed(self, commit: Commit) -> None:
        """The spans of each attempt that it ended, and of what that published, where its workflow is sampled."""
        if commit.tell is None or not self._ratio:
            return
        for outcome in commit.outcomes:
            sampled = outcome.sampled
            if sampled is None:
                sampled = self._decide(outcome.workflow)[1] is _SAMPLED
            if sampled and outcome.ending in _TRACED:
                for span in spans_of(commit.tell(outcome)):
                    self._emit(span)

    def noted(self, event: str, **fields: object) -> None:
        """Nothing."""

    def _decided(self, workflow: str) -> tuple[int, TraceFlags]:
        """The number of a workflow's trace, and whether that is sampled."""
        found = trace_id(workflow)
        return int(found, 16), _SAMPLED if is_sampled(found, self._ratio) else _NOT_SAMPLED


def spans_of(ended: Ended) -> Iterator[Span]:
    """The spans of an attempt that has ended."""
    workflow, event = ended.attempt.workflow, ended.attempt.event
    members = [] if ended.members is None else [_member(one, workflow) for one in ended.members()]
    origin = members[0].origin if members else origin_of(None if event is None else event.traceparent, workflow)
    for written in ended.facts:
        yield from spans(Fact.model_validate(written), origin, members)


def _member(envelope: Envelope, workflow: str) -> Member:
    return Member(envelope.id, origin_of(envelope.traceparent, workflow))


class _Present(NonRecordingSpan):
    """An attempt's span while its code runs: it is made when the attempt has ended, but its id is known before.

    Most attempts make no span of their own and call nobody, so what costs most, their ids, waits until it is asked for.
    """

    def __init__(self, attempt: Attempt, decide: Callable[[str], tuple[int, TraceFlags]]) -> None:
        self._attempt, self._decide = attempt, decide

    def get_span_context(self) -> SpanContext:
        """Its ids, and whether it is sampled."""
        attempt = self._attempt
        trace_number, flags = self._decide(attempt.workflow)
        number = int(span_id(attempt.delivery, attempt.attempt), 16)
        return SpanContext(trace_number, number, is_remote=False, trace_flags=flags)

    def __repr__(self) -> str:
        return f"NonRecordingSpan({self.get_span_context()!r})"


class _Running:
    """The attempt's span as the current one."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: _Present) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        self._token = context.attach(Context({**context.get_current(), _SPAN: self._span}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
