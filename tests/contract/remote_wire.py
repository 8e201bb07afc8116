"""What passes between a rig and the process of one handle: frames of pickled calls and answers, in order.

Pickle is right here and nowhere else: both ends are one checkout, and nothing of it is kept.
"""

import asyncio
import pickle
import traceback
from collections.abc import Callable
from typing import NamedTuple

from farandole.events.errors import FarandoleError
from farandole.log.record import TopicPartition

PROCESS, LOG = 0, 1
"""Whom a call is for: the process itself, and the log that it opened; others are numbered as they are made."""
_LENGTH = 8  # bytes before each frame


class Call(NamedTuple):
    """A method to be called. `awaited`: an answer is wanted also when nothing is raised."""

    number: int
    target: int
    method: str
    args: tuple[object, ...]
    options: dict[str, object]
    awaited: bool


class Cancel(NamedTuple):
    """The call of this number is to be cancelled; its answer comes all the same."""

    number: int


class Returned(NamedTuple):
    """A call ended with a value; for what it made, that is the number under which it is called."""

    value: object


class Raised(NamedTuple):
    """A call ended with an error; `story` is the traceback in its process."""

    error: Exception
    story: str


class Cancelled(NamedTuple):
    """A call ended because it was cancelled."""


class Answer(NamedTuple):
    """How a call ended, and of a reader where it stands since."""

    number: int
    ended: Returned | Raised | Cancelled
    positions: dict[TopicPartition, int] | None = None


def raised(error: Exception) -> Raised:
    """An error made ready to cross: ours and Python's own as they are, any other as a RuntimeError that tells it."""
    story = "".join(traceback.format_exception(error))
    known = isinstance(error, FarandoleError) or type(error).__module__ == "builtins"
    return Raised(error if known and _survives(error) else RuntimeError(story), story)


class Frames(asyncio.Protocol):
    """One end of the connection: gives each frame to `received` as it comes, and calls `lost` once at its end."""

    def __init__(self, received: Callable[[object], None], lost: Callable[[], None]) -> None:
        self._received, self._lost = received, lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        while (end := self._end_of_frame()) is not None:
            frame = pickle.loads(self._buffer[_LENGTH:end])
            del self._buffer[:end]
            self._received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None
        self._lost()

    def send(self, frame: object) -> None:
        """Queue a frame, pickled now; dropped when the connection is lost. Raises what pickling it raises."""
        body = pickle.dumps(frame)
        if self._transport is not None:
            self._transport.write(len(body).to_bytes(_LENGTH) + body)

    def _end_of_frame(self) -> int | None:
        if len(self._buffer) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH])
        return end if len(self._buffer) >= end else None


def _survives(error: Exception) -> bool:
    """Whether pickling gives the same error again; what it is made of may be anything, so may what goes wrong."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return type(copy) is type(error) and str(copy) == str(error)
