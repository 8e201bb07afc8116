"""Stands before a server: tells what it was asked, cuts connections off in the middle of a body, or says nothing."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from scripts.s3 import S3

_REQUEST = re.compile(rb"^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")
_CHUNK = 1 << 16


@dataclass
class Proxy:
    """`asked`: method and path with query of each request. `sent`: bytes that clients sent.

    `cut`: how many further bytes may be sent before every connection is cut off, new ones too; None: all.
    `silent`: what is sent is taken, and never answered.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    cut: int | None = None
    silent: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, pattern: str) -> int:
        """Requests like this."""
        return sum(re.search(pattern, line) is not None for line in self.asked)

    def let(self, data: bytes) -> bytes:
        """What may pass of what a client sent; shorter: it is to be cut off."""
        with self.lock:
            if found := _REQUEST.match(data):
                self.asked.append(f"{found[1].decode()} {found[2].decode()}")
            if self.cut is not None:
                data = data[: self.cut]
                self.cut -= len(data)
            self.sent += len(data)
        return data


@contextmanager
def before(s3: S3) -> Iterator[tuple[S3, Proxy]]:
    """The same server, by way of a proxy."""
    host, _, port = s3.endpoint.removeprefix("http://").partition(":")
    proxy = Proxy()
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy.port = server.getsockname()[1]
        taking = threading.Thread(target=_take, args=(server, proxy, (host, int(port))))
        taking.start()
        try:
            yield replace(s3, endpoint=f"http://127.0.0.1:{proxy.port}"), proxy
        finally:
            server.shutdown(socket.SHUT_RDWR)
            taking.join()


def _take(server: socket.socket, proxy: Proxy, target: tuple[str, int]) -> None:
    """Until the server is shut down; then every connection is."""
    open_now: list[socket.socket] = []
    threads: list[threading.Thread] = []
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            break
        there = socket.create_connection(target)
        open_now += [client, there]
        threads += [
            threading.Thread(target=_requests, args=(client, there, proxy)),
            threading.Thread(target=_answers, args=(there, client)),
        ]
        for thread in threads[-2:]:
            thread.start()
    for one in open_now:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for one in open_now:
        one.close()


def _requests(client: socket.socket, there: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError):
        while data := client.recv(_CHUNK):
            passing = proxy.let(data)
            if not proxy.silent:
                there.sendall(passing)
            if len(passing) < len(data):
                break
    _end(client, there)


def _answers(there: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := there.recv(_CHUNK):
            client.sendall(data)
    _end(client, there)


def _end(*ends: socket.socket) -> None:
    for one in ends:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
