"""Farandole: choreographed data processing; services that react to events in one log, and no coordinator.

What is named here is the public interface; everything below may change.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farandole.client import AsyncClient, Client, Published
    from farandole.events.asset import Asset
    from farandole.events.errors import (
        AssetCorrupt,
        AssetError,
        AssetMissing,
        AssetRefused,
        BadInput,
        ConfigError,
        DeclarationError,
        FarandoleError,
        IdConflict,
        LogError,
        LogUnavailable,
        NotFound,
        ProgramFailed,
        RetryAfter,
        StepError,
        TimedOut,
    )
    from farandole.events.event import Event
    from farandole.runtime.context import Context
    from farandole.runtime.declare import Service
    from farandole.runtime.resources import Resources
    from farandole.runtime.retry import Retry
    from farandole.runtime.settings import Settings

__all__ = [
    "Asset",
    "AssetCorrupt",
    "AssetError",
    "AssetMissing",
    "AssetRefused",
    "AsyncClient",
    "BadInput",
    "Client",
    "ConfigError",
    "Context",
    "DeclarationError",
    "Event",
    "FarandoleError",
    "IdConflict",
    "LogError",
    "LogUnavailable",
    "NotFound",
    "ProgramFailed",
    "Published",
    "Resources",
    "Retry",
    "RetryAfter",
    "Service",
    "Settings",
    "StepError",
    "TimedOut",
]

_HOMES = {
    "Asset": "events.asset",
    "AsyncClient": "client",
    "Client": "client",
    "Context": "runtime.context",
    "Event": "events.event",
    "Published": "client",
    "Resources": "runtime.resources",
    "Retry": "runtime.retry",
    "Service": "runtime.declare",
    "Settings": "runtime.settings",
}
"""Where each name lives; those that are not here are errors."""


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that a step imports no client and no engine."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("farandole")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'events.errors')}")
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
