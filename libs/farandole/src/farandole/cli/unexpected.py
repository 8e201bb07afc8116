"""What nobody foresaw, in one line and an exit code."""

import errno
import os
import traceback
from collections.abc import Callable

from farandole.cli.codes import Code
from farandole.cli.say import remark

_DEBUG = "FARANDOLE_TRACEBACK"
_WRONG_PLACE = {errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM, errno.EROFS}
"""What the system says of a place that somebody named, and that cannot be what it is needed for."""


def unexpected(error: BaseException, hide: Callable[[str], str] = str) -> int:
    """Tell of an error that is none of ours; the exit code. `hide`: takes out of a text what nobody may read."""
    if isinstance(error, OSError):
        remark(hide(_plain(error)))
        return Code.BAD_INPUT if error.filename and error.errno in _WRONG_PLACE else Code.FAULT
    if os.environ.get(_DEBUG):
        remark(hide("".join(traceback.format_exception(error))))
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({last[0].filename}:{last[0].lineno})" if last else ""
    remark(hide(f"internal error: {type(error).__name__}: {error}{place}; {_DEBUG}=1 shows more"))
    return Code.FAULT


def _plain(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on the device; nothing more was written"
    return f"{str(error.filename)[:200]}: {error.strerror}" if error.filename else str(error.strerror or error)
