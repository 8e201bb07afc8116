"""A small HTTP server in a thread of its own for /metrics, /livez and /readyz: it answers when the event loop does not.

The page itself is prometheus-client's affair; the rest is the standard library's `wsgiref`, with time limits.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from farandole.events.errors import ConfigError
from farandole.telemetry.address import Address
from farandole.telemetry.health import Verdict

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""
Check = Callable[[], Verdict]
_SLOWEST = 10.0  # seconds that a client may be silent in the midst of a request
_STOP_POLL = 0.1  # seconds until `close` is heeded


def probe(check: Check) -> App:
    """200 or 503, with {"ok", "reasons"} as JSON."""

    def app(_: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        found = check()
        status = HTTPStatus.OK if found.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return _answer(start, status, {"ok": found.ok, "reasons": list(found.reasons)})

    return app


class Server:
    """Serves `routes`, by path, from now on until `close`. Raises ConfigError where the address cannot be had."""

    def __init__(self, address: Address, routes: Mapping[str, App]) -> None:
        family = _family(address)
        try:
            self._server = _Threaded(address, family)
        except OSError as error:
            remedy = "another process has it; choose another port, or 0 for any that is free"
            raise ConfigError(f"metrics: {address} cannot be served: {error.strerror or error}; {remedy}") from error
        self._server.set_app(_routed(routes))
        self.address = Address(address.host, self._server.server_port)
        """Where it is served: with the port that was free, where 0 was asked for."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threaded(ThreadingMixIn, WSGIServer):
    """A thread a request, so that a slow client keeps no probe waiting."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: Address, family: socket.AddressFamily) -> None:
        self.address_family = family
        super().__init__((address.host, address.port), _Handler)

    def server_bind(self) -> None:
        """Without asking a name server who we are, as the standard library's does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the midst of its request is no news."""


class _Handler(WSGIRequestHandler):
    timeout = _SLOWEST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who scrapes is no news."""


def _family(address: Address) -> socket.AddressFamily:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            f"metrics: {address} cannot be served: {error.strerror or error}; name another host"
        ) from error
    return found[0][0]


def _routed(routes: Mapping[str, App]) -> App:
    def app(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        chosen = routes.get(environ.get("PATH_INFO", ""))
        if chosen is None:
            return _answer(start, HTTPStatus.NOT_FOUND, {"paths": sorted(routes)})
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _answer(start, HTTPStatus.METHOD_NOT_ALLOWED, {"methods": ["GET", "HEAD"]})
        body = chosen({**environ, "REQUEST_METHOD": "GET"}, start)
        return body if environ["REQUEST_METHOD"] == "GET" else []

    return app


def _answer(start: Callable[..., Any], status: HTTPStatus, shape: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(shape).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start(f"{status.value} {status.phrase}", headers)
    return [body]
