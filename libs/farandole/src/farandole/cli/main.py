"""The program `farandole`: finds the command, runs it, and turns whatever comes of it into an exit code."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

from farandole.cli.app import build
from farandole.cli.codes import Code, code_of, first_cause
from farandole.cli.say import escaped, remark
from farandole.cli.unexpected import unexpected
from farandole.events.errors import BadInput, FarandoleError

_WINDOWS = "Windows is not supported; run Farandole inside WSL 2, where it is a Linux program"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's); the exit code."""
    if sys.platform == "win32":
        remark(_WINDOWS)
        return Code.REFUSED
    _mend_streams()
    _heed_termination()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except OSError as error:
        return unexpected(error)
    return code


def _run(argv: list[str]) -> int:
    try:
        _check_text(argv)
        given = typer.main.get_command(build(argv)).main(argv, prog_name="farandole", standalone_mode=False)
    except (TyperException, FarandoleError, TimeoutError, BaseExceptionGroup) as error:
        cause = first_cause(error)
        if isinstance(cause, TyperException | FarandoleError | TimeoutError):
            return _told(cause)
        if isinstance(cause, OSError):
            raise cause from None
        return unexpected(cause)
    except Abort:
        return Code.INTERRUPTED
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer ends the process itself then
            raise error.__context__ from None
        raise
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place; whatever it is, one line tells of it
        return unexpected(error)
    return int(given) if isinstance(given, int) else Code.DONE


def _told(error: Exception) -> int:
    text = error.format_message() if isinstance(error, TyperException) else str(error)
    remark(text.strip() or type(error).__name__)
    return code_of(error)


def _check_text(argv: Sequence[str]) -> None:
    """Bytes of the command line that are no text would come out as something else later. Raises BadInput."""
    for argument in argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise BadInput(f"argument {escaped(argument)[:80]} is not UTF-8") from None


def _mend_streams() -> None:
    """What was closed becomes /dev/null: else the next file that is opened gets its number, and our output."""
    for fd, name in ((0, ""), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if name and getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - it stays open, as the stream would
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test may have replaced it
            stream.reconfigure(errors="backslashreplace")


def _heed_termination() -> None:
    """The system keeps from process 1 of a container what it does not heed: no SIGTERM would end what only starts.

    An image's entry point has it blocked until here, so that none is lost before.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _ended)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _ended(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _unread() -> int:
    """Whoever read our output has gone: nothing is left to say, and nothing may complain when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return Code.DONE
