"""Spans as OpenTelemetry's SDK knows them, and its exporters; the one module that imports it for traces."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from threading import Thread

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import (
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AnyValue

from farandole.telemetry import conventions as names
from farandole.telemetry.spans import Context, Span
from farandole.telemetry.switch import Destination

QUEUE = 2**16
"""Spans that wait for the exporter at most; what is beyond is dropped, and counted."""
_BATCH = 512  # spans of one export
_WEIGHT = 2_000_000  # bytes of one export, about: receivers refuse more than 4 MB
_SPAN, _LINK = 700, 100  # bytes of one, about, beside the texts of its attributes
_DELAY = 1.0  # seconds that a span may wait
_CLOSING = 3.0  # seconds that a service's end may wait for the receiver
_KINDS = {"consumer": SpanKind.CONSUMER, "producer": SpanKind.PRODUCER, "internal": SpanKind.INTERNAL}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SDK = {
    TELEMETRY_SDK_LANGUAGE: "python",
    TELEMETRY_SDK_NAME: "opentelemetry",
    TELEMETRY_SDK_VERSION: version("opentelemetry-sdk"),
}
_SCOPE = InstrumentationScope(names.SCOPE, version("farandole"), names.SCHEMA_URL)


def exporter(where: Destination) -> SpanExporter:
    """An exporter to a receiver; what is not said here (headers, certificates, timeouts) OpenTelemetry's variables
    say.
    """
    return GrpcExporter(where.endpoint or None) if where.protocol == "grpc" else HttpExporter(where.endpoint or None)


def readable(span: Span) -> ReadableSpan:
    """A span as an exporter takes it."""
    events = []
    if span.exception is not None:
        kind, text = span.exception
        about = {names.EXCEPTION_TYPE: kind, names.EXCEPTION_TEXT: text}
        events.append(Event(names.EXCEPTION, about, span.finished))
    return ReadableSpan(
        span.name,
        context=context_of(span.context),
        parent=context_of(Context(span.context.trace, span.parent)) if span.parent else None,
        resource=_resource(span.service, span.version, span.worker),
        attributes=span.attributes,
        events=events,
        links=[Link(context_of(link.to), link.attributes) for link in span.links],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=span.started,
        end_time=span.finished,
        instrumentation_scope=_SCOPE,
    )


def context_of(context: Context) -> SpanContext:
    """The context of a sampled span; it may be another process's."""
    return SpanContext(int(context.trace, 16), int(context.span, 16), is_remote=True, trace_flags=_SAMPLED)


class Sender(SpanExporter):
    """An exporter that counts: spans that were `sent`, and those that `failed`, which are lost here."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.sent = self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, in as many requests as receivers take; a failure if any failed."""
        worst = SpanExportResult.SUCCESS
        for part in _portions(spans):
            result = self._exporter.export(part)
            if result is SpanExportResult.SUCCESS:
                self.sent += len(part)
            else:
                self.failed += len(part)
                worst = result
        return worst

    def send(self, spans: Iterable[Span]) -> bool:
        """Send these now, and wait; whether all arrived."""
        found = [readable(span) for span in spans]
        return not found or self.export(found) is SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """End it; what it was given is sent or lost."""
        self._exporter.shutdown()


class Outlet:
    """Spans on their way out, from a thread of its own; whoever emits never waits."""

    def __init__(self, where: Destination) -> None:
        self._sender = Sender(exporter(where))
        self._given = 0
        self._batches = BatchSpanProcessor(
            self._sender,
            max_queue_size=QUEUE,
            schedule_delay_millis=_DELAY * 1000,
            max_export_batch_size=_BATCH,
        )

    def emit(self, span: Span) -> None:
        """Hand a span over; where the queue is full the oldest is dropped."""
        self._given += 1
        self._batches.on_end(readable(span))

    def close(self) -> int:
        """Send what waits, for three seconds at most; how many spans never arrived, as far as is known then."""
        ending = Thread(target=self._batches.shutdown, daemon=True)
        ending.start()
        ending.join(_CLOSING)
        return self._given - self._sender.sent


def _portions(spans: Sequence[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    part: list[ReadableSpan] = []
    weight = 0
    for span in spans:
        texts = (value for value in (span.attributes or {}).values() if isinstance(value, str))
        own = _SPAN + _LINK * len(span.links) + sum(map(len, texts))
        if part and weight + own > _WEIGHT:
            yield part
            part, weight = [], 0
        part.append(span)
        weight += own
    if part:
        yield part


@lru_cache(1024)
def _resource(service: str, release: str, worker: str) -> "_Resource":
    """Who did it; `Resource.create` would add an id that it draws, and a rebuild another one."""
    about = {names.SERVICE_NAME: service, names.SERVICE_VERSION: release, names.SERVICE_INSTANCE: worker}
    given = OTELResourceDetector().detect()  # OTEL_RESOURCE_ATTRIBUTES
    found = Resource(_SDK).merge(given).merge(Resource({name: value for name, value in about.items() if value}))
    return _Resource(dict(found.attributes), found.schema_url)


class _Resource(Resource):
    """Knows its hash: an exporter asks each span's, and that of the parent is made of its text as JSON."""

    def __init__(self, attributes: dict[str, AnyValue], schema_url: str) -> None:
        super().__init__(attributes, schema_url)
        self._known = super().__hash__()

    def __hash__(self) -> int:
        return self._known
