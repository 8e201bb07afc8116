"""From `module:attribute`, as people write it, to the object that it names."""

import importlib
import traceback
from typing import TypeVar

from farandole.events.errors import ConfigError, FarandoleError

T = TypeVar("T")


def load_target(target: str, kind: type[T], *, example: str) -> T:
    """The object of this kind. Raises ConfigError with the remedy, and whatever the module raises."""
    module_name, _, attribute = target.partition(":")
    name = kind.__name__
    if not module_name or not attribute:
        raise ConfigError(f"{target!r} names no {name.lower()}; write module:attribute, such as {example}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{target}: {error}; install it, or run where it can be imported") from error
    found = getattr(module, attribute, None)
    if not isinstance(found, kind):
        raise ConfigError(f"{target}: {attribute!r} is no {name} in {module_name}")
    return found


def load_named(target: str, kind: type[T], *, example: str) -> T:
    """The same; what the module raises is a ConfigError too, unless it is an error of ours."""
    try:
        return load_target(target, kind, example=example)
    except FarandoleError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        raise ConfigError(f"{target} cannot be imported: {what}") from error
