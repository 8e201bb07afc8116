"""Finds and reads `farandole.toml`; what its keys mean is the model's business."""

import tomllib
from pathlib import Path
from typing import Any

from farandole.config.model import FILE_NAME
from farandole.events.errors import BadInput, ConfigError
from farandole.files import read_regular

_LIMIT = 1024 * 1024


def find_file(folder: Path) -> Path | None:
    """The nearest `farandole.toml`, in `folder` or above it."""
    start = folder.absolute()
    candidates = (place / FILE_NAME for place in (start, *start.parents))
    return next((path for path in candidates if path.exists()), None)


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises ConfigError naming the file, and the line where it is not TOML."""
    try:
        text = read_regular(path, what="settings", limit=_LIMIT).decode()
        return tomllib.loads(text)
    except BadInput as error:
        raise ConfigError(str(error)) from error
    except ValueError as error:  # UnicodeDecodeError, TOMLDecodeError
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
