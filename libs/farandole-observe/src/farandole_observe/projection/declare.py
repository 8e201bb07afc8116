"""`Projection`: what a user declares; no log and no store is touched here."""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Generic, NoReturn, TypeVar

from sqlalchemy import ForeignKeyConstraint, String, Table, UniqueConstraint
from sqlalchemy.schema import CheckConstraint, Column

from farandole.events.errors import DeclarationError
from farandole.events.event import Event
from farandole_observe.projection.columns import Form, form_of, signature
from farandole_observe.projection.recorded import Recorded
from farandole_observe.projection.values import Columns
from farandole_observe.store import tables

E = TypeVar("E", bound=Event)
Row = Mapping[str, Any]
"""The values of the columns beside the key, by name; times are aware and in UTC."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_LIMIT = 60  # characters; PostgreSQL cuts names of tables after 63 bytes
_OURS = frozenset({*tables.metadata.tables, "alembic_version"})
_OUR_INDEXES = frozenset(index.name for table in tables.metadata.tables.values() for index in table.indexes)


@dataclass(frozen=True, eq=False)
class Projection(Generic[E]):
    """A table that is folded from events, one row a key.

    `of`: the event classes whose topics are read, from the beginning. `table`: of SQLAlchemy Core, with one
    primary-key column of text. `key(recorded)`: the row that an event is about; None: none. `fold(row, recorded)`:
    the new values of all other columns by name, from the present ones (None: there is no such row); None deletes
    the row. `version`: a number to be raised with any change of what is declared, or of what the functions do;
    the table is then folded anew.

    Both functions are pure and quick: they may be called again for the same record, and by several processes.
    Events of one partition come in the log's order; where those of one key lie in several partitions or topics, the
    fold has to give the same in any order. Raises DeclarationError that names the field and the remedy.
    """

    name: str
    of: Sequence[type[E]]
    table: Table
    key: Callable[[Recorded[E]], str | None]
    fold: Callable[[Row | None, Recorded[E]], Row | None]
    version: int = 1

    def __post_init__(self) -> None:
        name: Any = self.name  # whatever the types say, a user may give anything
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
            self._refuse("name", f"use lower-case words joined by '-', at most {_NAME_LIMIT} characters")
        if type(self.version) is not int or not 0 < self.version < 2**31:
            self._refuse("version", f"{self.version!r}; versions are whole numbers from 1")
        for field in ("key", "fold"):
            function = getattr(self, field)
            if not callable(function) or inspect.iscoroutinefunction(function):
                self._refuse(field, "give a plain function; what it needs from outside belongs into the event")
        self._check_events()
        object.__setattr__(self, "of", tuple(self.of))
        self._check_table()

    @property
    def topics(self) -> list[str]:
        """Those that are read."""
        return sorted({found.event_type.name for found in self.of})

    @cached_property
    def key_column(self) -> Column[Any]:
        """The primary key."""
        (column,) = self.table.primary_key
        return column

    @cached_property
    def columns(self) -> Columns:
        """How its values are written."""
        return Columns(self.table)

    @cached_property
    def declared(self) -> str:
        """A digest, 16 hex digits, of the table and the events: what a version stands for, but for the functions."""
        events = sorted(found.event_type.wire for found in self.of)
        columns = [signature(column) for column in self.table.columns]
        indexes = sorted([str(i.name), [c.name for c in i.columns]] for i in self.table.indexes)
        said = json.dumps([self.table.name, self.key_column.name, columns, indexes, events])
        return blake2b(said.encode(), digest_size=8).hexdigest()

    # -- checks ---------------------------------------------------------------------------------------------

    def _refuse(self, field: str, why: str) -> NoReturn:
        raise DeclarationError(f"Projection {str(self.name)[:80]!r}: {field}: {why}")

    def _check_events(self) -> None:
        given: Any = self.of
        if not isinstance(given, Sequence) or not given:
            self._refuse("of", "give event classes in a list, such as of=[ProductCatalogued]")
        for found in given:
            if not (isinstance(found, type) and issubclass(found, Event) and hasattr(found, "event_type")):
                self._refuse("of", f"{found!r} is no event class; give subclasses of farandole.Event")
        wires = [found.event_type.wire for found in given]
        if len(set(wires)) < len(wires):
            self._refuse("of", f"{max(wires, key=wires.count)} is there twice; give one class a type and version")

    def _check_table(self) -> None:
        table: Any = self.table
        if not isinstance(table, Table):
            self._refuse("table", "give a sqlalchemy.Table")
        name = table.name.lower()
        if name in _OURS or name.startswith(("sqlite_", "pg_")) or len(name.encode()) > _NAME_LIMIT:
            self._refuse("table", f"{table.name!r} is a name of ours or of the database's, or too long; give another")
        if table.schema is not None:
            self._refuse("table", f"schema={table.schema!r}: SQLite has none; give the table without")
        taken = _OUR_INDEXES & {index.name for index in table.indexes}
        if taken or any(index.unique for index in table.indexes):
            self._refuse("table", "its indexes may not be unique, nor have a name of ours; give plain ones")
        forbidden = (ForeignKeyConstraint, UniqueConstraint, CheckConstraint)
        if any(isinstance(constraint, forbidden) for constraint in table.constraints):
            self._refuse(
                "table", "foreign keys, unique and check constraints depend on the order of writing; leave them out"
            )
        self._check_columns(table)

    def _check_columns(self, table: Table) -> None:
        keys = list(table.primary_key)
        if len(keys) != 1 or form_of_text(keys[0]) is None or len(table.columns) == 1:
            self._refuse("table", "it needs exactly one primary-key column, of Text, and some other columns")
        for column in table.columns:
            form = form_of(column)
            if isinstance(form, str):
                self._refuse("table", f"column {column.name!r}: {form}")
            if column.computed is not None or column.identity is not None or column.key != column.name:
                self._refuse("table", f"column {column.name!r}: the fold gives its value, by its name; make it plain")


def form_of_text(column: Column[Any]) -> Form | None:
    """The form of a column that holds text; None for any other."""
    form = form_of(column)
    return form if isinstance(form, Form) and isinstance(column.type, String) else None
