"""A receiver of traces (OTLP over HTTP) for `make smoke`: prints one line of JSON for each span that it takes.

Runs in a container, on what the image of the projector has: OpenTelemetry's protocol definitions.
"""

import gzip
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PORT = 4318


class Handler(BaseHTTPRequestHandler):
    """POST /v1/traces."""

    def do_POST(self) -> None:
        """Print what came, then acknowledge it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        lines = [_line(span) for span in _spans(body)]
        print("\n".join(lines), flush=True)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _spans(body: bytes) -> list:  # type: ignore[type-arg]  # of messages that are generated, without types
    resources = ExportTraceServiceRequest.FromString(body).resource_spans
    return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]


def _line(span) -> str:  # type: ignore[no-untyped-def]  # generated, without types
    steps = [pair.value.string_value for pair in span.attributes if pair.key == "farandole.step"]
    found = {"trace": span.trace_id.hex(), "span": span.span_id.hex(), "name": span.name, "step": "".join(steps)}
    return json.dumps(found)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
