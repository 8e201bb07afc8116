"""One hash for equal states: for comparing two folds, or two readings of one log."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from farandole.fold.view import WorkflowState

_OF_THE_LOG = frozenset({"place", "partition", "time", "since", "started", "updated"})
"""Positions, append times, and what may stand for one of them; another copy of the log has its own."""


def canonical(states: WorkflowState | Iterable[WorkflowState]) -> str:
    """SHA-256 (hex) over sorted, compact JSON of the states, without log positions and append times."""
    known = [states] if isinstance(states, WorkflowState) else sorted(states, key=lambda s: s.workflow)
    text = json.dumps([_plain(asdict(state)) for state in known], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key not in _OF_THE_LOG}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
