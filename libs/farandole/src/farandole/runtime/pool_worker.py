"""A worker process: answers the calls that its pool sends, one at a time, with one function; knows no steps.

Run as a script, by path, and on the standard library until the pool has told it the service's import path.
`factory` is `package.module:callable`; called once with a list of texts, it gives what answers: a callable
from bytes to bytes, whose `close`, if it has one, is called at the end; its `told`, if it has one, says what an
exception's text is. Nothing is pickled: an exception goes back as its names, text, traceback and plain attributes.
"""

import faulthandler
import importlib
import json
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

FRAME = struct.Struct(">BQ")
"""A frame's head: kind and length of the body."""
SETUP, READY, CALL, REPLY, FAILED = range(5)
CHANNEL = 3
"""The file descriptor of the socket to the pool."""

_TEXT_LIMIT, _TRACEBACK_LIMIT = 8_000, 32_000  # characters; an exception may hold a whole raster as text
_SHIELDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


Tell = Callable[[BaseException], str]


def describe(error: BaseException, tell: Tell = str) -> bytes:
    """An exception as JSON: `kinds` (qualified names of its classes, its own first), `text`, `traceback` (the
    end), `detail` (its attributes that are plain values). `tell`: gives the text.
    """
    own = type(error).__mro__[:-1]
    text, plain = _text(error, tell), _text(error, str)
    lines = "".join(traceback.format_exception(error))
    detail = {
        name: _cut(value) if isinstance(value, str) else value
        for name, value in vars(error).items()
        if _is_plain(value) and not name.startswith("_")
    }
    report = {
        "kinds": [f"{kind.__module__}.{kind.__qualname__}" for kind in own],
        "text": _cut(text),
        "traceback": (lines.replace(plain, text) if plain else lines)[-_TRACEBACK_LIMIT:],
        "detail": detail,
    }
    return json.dumps(report).encode()


def _is_plain(value: object) -> bool:
    if isinstance(value, int):  # a number with thousands of digits cannot be written
        return abs(value) < 1 << 64
    return isinstance(value, str | float | None)


def _text(error: BaseException, tell: Tell) -> str:
    try:
        return tell(error)
    except Exception as second:  # noqa: BLE001 - a user's __str__ may raise anything; that is then the text
        return f"(its text raised {type(second).__name__})"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…"


def _load(factory: str, args: list[str]) -> Callable[[bytes], bytes]:
    module, _, attributes = factory.partition(":")
    found: Any = importlib.import_module(module)
    for name in attributes.split("."):
        found = getattr(found, name)
    answer: Callable[[bytes], bytes] = found(args)
    return answer


def _answer(answer: Callable[[bytes], bytes], payload: bytes) -> tuple[int, bytes]:
    try:
        reply = answer(payload)
        if isinstance(reply, bytes):
            return REPLY, reply
        raise TypeError(f"a reply is bytes, not {type(reply).__name__}")
    except BaseException as error:  # noqa: BLE001 - SystemExit too: whatever it is ends in the pool's RemoteError
        return FAILED, describe(error, getattr(answer, "told", str))


def _serve(channel: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    send(channel, READY, b"")
    while (payload := receive(channel)) is not None:
        kind, body = _answer(answer, payload)
        del payload  # it may be large, and the next call far off
        send(channel, kind, body)


def send(channel: socket.socket, kind: int, body: bytes) -> None:
    """Write one frame. Raises ConnectionError when the pool is gone."""
    channel.sendall(FRAME.pack(kind, len(body)) + body)


def receive(channel: socket.socket) -> bytes | None:
    """The body of the next frame; None at the end of the calls."""
    head = _exactly(channel, FRAME.size)
    return None if head is None else _exactly(channel, FRAME.unpack(head)[1])


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        count = channel.recv_into(view[at:])
        if count == 0:
            return None
        at += count
    return bytes(data)


def _ignore(*_: object) -> None:
    """A handler, not SIG_IGN, which the programs that a step starts would inherit."""


def main() -> int:
    """`pool_worker.py FACTORY`, with the channel as descriptor 3."""
    for number in _SHIELDED:  # the pool decides when a worker ends
        signal.signal(number, _ignore)
    faulthandler.enable()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # it is a TextIOWrapper here
    os.set_inheritable(CHANNEL, False)
    channel = socket.socket(fileno=CHANNEL)
    setup = receive(channel)
    if setup is None:
        return 0
    given = json.loads(setup)
    sys.path[:] = given["path"]
    try:
        answer = _load(sys.argv[1], given["args"])
    except BaseException as error:  # noqa: BLE001 - as in _answer
        send(channel, FAILED, describe(error))
        return 1
    with suppress(ConnectionError):  # the pool is gone, or does not wait for this reply any more
        _serve(channel, answer)
    getattr(answer, "close", _ignore)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
