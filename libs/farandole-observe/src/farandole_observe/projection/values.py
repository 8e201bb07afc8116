"""The values of a row: as a fold is given them, as a database gave them back, and as JSON."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sqlalchemy import JSON, Table

from farandole_observe.projection.columns import Check, Form, form_of

Values = dict[str, Any]
"""Of the columns beside the key, by name, as their forms checked them."""


class Columns:
    """The columns of a declared table: its key, and the others by name."""

    def __init__(self, table: Table) -> None:
        forms = {column.name: form for column in table.columns if isinstance(form := form_of(column), Form)}
        (self.key,) = (column.name for column in table.primary_key)
        self._key_check = forms.pop(self.key).check
        self._forms = forms
        self._needed = {column.name for column in table.columns if not column.nullable}
        self._nested = any(isinstance(column.type, JSON) for column in table.columns)

    def key_of(self, given: Any) -> str:
        """A key, checked. Raises ValueError."""
        return str(self._checked(self.key, self._key_check, given))

    def values_of(self, given: Any) -> Values:
        """What a fold gave, checked. Raises ValueError, TypeError."""
        if not isinstance(given, Mapping):
            raise TypeError(f"it gave a {type(given).__name__}; give a mapping of column to value, or None")
        lacking = [name for name in self._forms if name not in given]
        strange = [str(name) for name in given if name not in self._forms]
        if lacking or strange:
            said = [f"lacks {', '.join(lacking)}" if lacking else "", f"has {', '.join(strange)}" if strange else ""]
            remedy = "give each column but the key, None where there is nothing"
            raise ValueError(f"the row that it gave {' and '.join(filter(None, said))}; {remedy}")
        return {name: self._checked(name, form.check, given[name]) for name, form in self._forms.items()}

    def restored(self, kept: Mapping[str, Any]) -> Values:
        """Values that a database gave back."""
        return {name: None if kept[name] is None else form.check(kept[name]) for name, form in self._forms.items()}

    def copied(self, values: Values) -> Values:
        """A row that may be changed."""
        return deepcopy(values) if self._nested else {**values}

    def to_json(self, values: Values) -> Values:
        """The same as JSON has it: a number with a decimal point that must not change, and times, as text."""
        return {n: None if values[n] is None else form.to_json(values[n]) for n, form in self._forms.items()}

    def from_json(self, kept: Mapping[str, Any]) -> Values:
        """The way back."""
        return {n: None if kept[n] is None else form.from_json(kept[n]) for n, form in self._forms.items()}

    def _checked(self, name: str, check: Check, value: Any) -> Any:
        if value is None:
            if name in self._needed:
                raise ValueError(f"column {name!r} is given None, and is not nullable")
            return None
        try:
            return check(value)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ValueError(f"column {name!r} {error}") from error
