"""Hooks that trace: each attempt as spans, once its facts are durable, and as the context that its code runs in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import Token
from functools import lru_cache
from types import TracebackType

from opentelemetry import context, trace
from opentelemetry.context.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from farandole.events.envelope import Envelope
from farandole.events.facts import Fact
from farandole.events.ids import is_sampled, span_id, trace_id
from farandole.log.hooks import Attempt, Ended, Ending
from farandole.telemetry.spans import Member, Span, origin_of, spans

_REMEMBERED = 4096  # workflows whose decision is remembered: most attempts are of one that was seen just now
_FLAGS = {kept: TraceFlags(TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT) for kept in (True, False)}


class TracingHooks:
    """Hooks that give `emit` the spans of every attempt of the share `ratio` of the workflows.

    Which share is decided by the workflow's id, before anything is made. `emit` must not wait.
    """

    def __init__(self, emit: Callable[[Span], None], ratio: float) -> None:
        self._emit, self._ratio = emit, ratio
        self._kept = lru_cache(_REMEMBERED)(self._is_kept)

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Spans that the step's code makes belong to the attempt, and what it calls gets its `traceparent`."""
        return _Running(attempt, kept=self._kept(attempt.workflow))

    def hears(self, ending: Ending) -> bool:
        """Every ending, unless nothing is sampled."""
        return self._ratio > 0.0

    def ended(self, ended: Ended) -> None:
        """The attempt's span and those of what it published, where its workflow is sampled."""
        if self._kept(ended.attempt.workflow):
            for span in spans_of(ended):
                self._emit(span)

    def committed(self, step: str, records: int, seconds: float) -> None:
        """Nothing: a commit is of many workflows."""

    def noted(self, event: str, **fields: object) -> None:
        """Nothing."""

    def _is_kept(self, workflow: str) -> bool:
        return is_sampled(trace_id(workflow), self._ratio)


def spans_of(ended: Ended) -> Iterator[Span]:
    """The spans of an attempt that has ended."""
    workflow, event = ended.attempt.workflow, ended.attempt.event
    members = [] if ended.members is None else [_member(one, workflow) for one in ended.members()]
    origin = members[0].origin if members else origin_of(None if event is None else event.traceparent, workflow)
    for written in ended.facts:
        yield from spans(Fact.model_validate(written), origin, members)


def _member(envelope: Envelope, workflow: str) -> Member:
    return Member(envelope.id, origin_of(envelope.traceparent, workflow))


class _Running:
    """The attempt's span as the current one; it is made when the attempt has ended, but its id is known before."""

    __slots__ = ("_attempt", "_kept", "_token")

    def __init__(self, attempt: Attempt, *, kept: bool) -> None:
        self._attempt, self._kept = attempt, kept
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        attempt = self._attempt
        trace_number = int(trace_id(attempt.workflow), 16)
        span_number = int(span_id(attempt.delivery, attempt.attempt), 16)
        current = SpanContext(trace_number, span_number, is_remote=False, trace_flags=_FLAGS[self._kept])
        self._token = context.attach(trace.set_span_in_context(NonRecordingSpan(current)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
