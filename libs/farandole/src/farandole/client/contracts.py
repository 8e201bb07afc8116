"""Holds what is published from outside against the exported schemas; a convenience, for the steps check it anyway."""

import importlib
from pathlib import Path
from typing import Any

from farandole.client.publishing import Draft
from farandole.events.edge import read_interoperable
from farandole.events.errors import BadInput
from farandole.events.schema import Committed, load

_SHOWN = 5


class Contracts:
    """The schemas of one folder, read when first needed; nothing that they name is fetched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._committed: list[Committed] | None = None

    def check(self, found: Draft) -> None:
        """Raise BadInput naming the fields, where the folder has the type and the data does not fit it."""
        if self._committed is None:
            self._committed = load(self._folder)
        known = [c for c in self._committed if (c.type, c.version) == (found.type, found.version)]
        if not known:
            return
        # Not at the top: it takes longer to import than most commands take to run.
        validator = importlib.import_module("jsonschema").Draft202012Validator(known[-1].schema)
        errors = list(validator.iter_errors(read_interoperable(found.data)))
        if errors:
            told = "; ".join(sorted(map(_told, errors))[:_SHOWN])
            raise BadInput(f"{found.type}.v{found.version}: {told} (see {known[-1].path})")


def _told(error: Any) -> str:
    """Field and what is expected of it, without the value, which may be secret."""
    field = ".".join(map(str, error.absolute_path)) or "(whole)"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{field}: lacks {', '.join(map(repr, missing))}"
    return f"{field}: does not fit {error.validator}: {str(error.validator_value)[:80]}"
