"""A receiver of traces in a process of its own, built on OpenTelemetry's protocol definitions alone.

    python tests/observe/traced/receiver.py FILE

Prints the ports of gRPC and HTTP, then writes each request that it took to FILE, a line of base64 each, before it
answers.
"""

import base64
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

Got = dict[str, Any]
"""A span as JSON of its message, with `resource`, `scope` and `schema` beside."""


class Receiver(NamedTuple):
    """One that runs. `file`: what it took."""

    grpc: str
    http: str
    file: Path

    def spans(self) -> list[Got]:
        """Every span that it took, by trace and id; one that came several times stands there as often."""
        found = [span for line in self.file.read_bytes().splitlines() for span in _spans(base64.b64decode(line))]
        return sorted(found, key=lambda s: (s["traceId"], s["spanId"], s["name"]))


@contextmanager
def receiving(file: Path) -> Iterator[Receiver]:
    """A receiver that ends with the context."""
    file.touch()
    argv = [sys.executable, __file__, str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, second = json.loads(process.stdout.readline())
            yield Receiver(f"otlp://127.0.0.1:{first}", f"otlp+http://127.0.0.1:{second}/v1/traces", file)
        finally:
            process.kill()


def _spans(body: bytes) -> Iterator[Got]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    **MessageToDict(span),
                    "resource": MessageToDict(resource.resource),
                    "scope": MessageToDict(scope.scope),
                    "schema": scope.schema_url,
                }


class _Book:
    def __init__(self, path: Path) -> None:
        self._file, self._lock = path.open("ab"), threading.Lock()

    def write(self, body: bytes) -> None:
        with self._lock:
            self._file.write(base64.b64encode(body) + b"\n")
            self._file.flush()


def _grpc(book: _Book) -> tuple[grpc.Server, int]:
    class Service(TraceServiceServicer):  # type: ignore[misc]  # generated, without types
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
            book.write(request.SerializeToString())
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(Service(), server)
    port: int = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _http(book: _Book) -> int:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            right = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if right:
                ExportTraceServiceRequest.FromString(body)
                book.write(body)
            self.send_response(200 if right else 400)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


if __name__ == "__main__":
    taken = _Book(Path(sys.argv[1]))
    serving, number = _grpc(taken)  # it serves for as long as somebody holds it
    print(json.dumps([number, _http(taken)]), flush=True)
    threading.Event().wait()
