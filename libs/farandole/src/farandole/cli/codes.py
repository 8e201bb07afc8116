"""The exit codes, one table for every command, and which error gives which."""

import signal
from collections.abc import Iterator
from enum import IntEnum

from typer.exceptions import TyperException

from farandole.events.errors import (
    AssetMissing,
    AssetRefused,
    BadInput,
    FarandoleError,
    LogFormatError,
    NotFound,
)


class Code(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    FAULT = 1
    BAD_INPUT = 2
    DEAD = 3
    NOT_FOUND = 4
    TIMED_OUT = 5
    REFUSED = 78  # EX_CONFIG of sysexits.h
    INTERRUPTED = 128 + signal.SIGINT


MEANINGS = {
    Code.DONE: "done",
    Code.FAULT: "our fault, or the log's: nothing that you gave is wrong",
    Code.BAD_INPUT: "bad input: what you gave is wrong, nothing was changed",
    Code.DEAD: "what was waited for is dead-lettered, or missing",
    Code.NOT_FOUND: "what was named is not there",
    Code.TIMED_OUT: "--timeout passed",
    Code.REFUSED: "a service refuses to start: its declaration, its settings or its log are wrong",
    Code.INTERRUPTED: "Ctrl-C; it ends the waiting only, never what goes on in the log",
}


def code_of(error: BaseException, *, starting: bool = False) -> Code:
    """The exit code of an error. `starting`: a service was to be started, so what is wrong with it refuses that."""
    if isinstance(error, KeyboardInterrupt):
        return Code.INTERRUPTED
    if isinstance(error, LogFormatError) or (starting and isinstance(error, BadInput)):
        return Code.REFUSED
    if isinstance(error, NotFound | AssetMissing):
        return Code.NOT_FOUND
    if isinstance(error, BadInput | AssetRefused | TyperException):
        return Code.BAD_INPUT
    return Code.TIMED_OUT if isinstance(error, TimeoutError) else Code.FAULT


def first_cause(error: BaseException) -> BaseException:
    """Of the errors in a group, the one to tell: one of ours where there is one."""
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if isinstance(leaf, FarandoleError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def table() -> str:
    """The exit codes as they stand in `--help`."""
    return "Exit codes: " + "; ".join(f"{code.value} {text}" for code, text in MEANINGS.items()) + "."
