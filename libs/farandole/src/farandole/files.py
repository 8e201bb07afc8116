"""Reads files that people name: regular ones of bounded size, nothing that could block or never end; syncs, writes."""

import os
import stat
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

from pydantic import SecretStr

from farandole.events.errors import BadInput, ConfigError

LIMIT = 16 * 1024 * 1024
_SECRET_LIMIT = 64 * 1024


def read_regular(path: Path, *, what: str, limit: int = LIMIT) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises BadInput, beginning with `what`, for what is missing, unreadable, too large, a folder, a pipe or a
    device.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"{what}: {path} cannot be read: {why}") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadInput(f"{what}: {path} is a folder, pipe or device; name a regular file")
        return _bounded(file, path, what, limit)


def given_secret(given: Mapping[str, str], variable: str) -> SecretStr:
    """What a variable holds, or the file that its like with `_FILE` names; empty where neither is set.

    Raises ConfigError where both are.
    """
    by_file = f"{variable}_FILE"
    if by_file not in given:
        return SecretStr(given.get(variable, ""))
    if variable in given:
        raise ConfigError(f"{variable} and {by_file} are both set; unset one of them")
    return SecretStr(read_secret(Path(given[by_file]), by_file))


def read_secret(path: Path, variable: str) -> str:
    """What stands in the file that `variable` names, less its last line's end. Raises ConfigError."""
    try:
        text = read_regular(path, what=variable, limit=_SECRET_LIMIT).decode()
    except BadInput as error:
        raise ConfigError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{variable}: {path} is not UTF-8: {error.reason}") from None
    return text.removesuffix("\n").removesuffix("\r")


def sync(path: Path) -> None:
    """Have a file, or what a folder lists, outlast a crash of the machine. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_changed(folder: Path, texts: Mapping[str, str], *, what: str) -> list[str]:
    """Writes those of the texts, by their paths in `folder`, that are not there yet; what it wrote.

    Raises BadInput, beginning with `what`, where that cannot be.
    """
    changed = []
    for name, text in sorted(texts.items()):
        path = folder / name
        try:
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{what}: {path} cannot be written: {error}; name another folder") from error
        changed.append(name)
    return changed


def _bounded(file: FileIO, path: Path, what: str, limit: int) -> bytes:
    content = bytearray()
    try:
        while chunk := file.read(limit + 1 - len(content)):
            content += chunk
    except OSError as error:
        raise BadInput(f"{what}: {path} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise BadInput(f"{what}: {path} has more than {limit} bytes")
    return bytes(content)
