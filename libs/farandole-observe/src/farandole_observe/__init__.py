"""Rebuilds the state of workflows from the event log: tables, questions, and what is shown of them.

What is named here is the public interface; everything below may change.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farandole_observe.projection.declare import Projection
    from farandole_observe.projection.opened import open_projection
    from farandole_observe.projection.recorded import Recorded

__all__ = ["Projection", "Recorded", "open_projection"]

_HOMES = {
    "Projection": "projection.declare",
    "Recorded": "projection.recorded",
    "open_projection": "projection.opened",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
