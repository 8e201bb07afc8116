"""The fold itself, over rows in memory; the same for what is kept and for what is asked of the past."""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple, TypeVar

from farandole.events.errors import ProjectionStopped
from farandole.log.record import Record
from farandole_observe.projection.declare import Projection
from farandole_observe.projection.recorded import Recorded, Unread, reader_of
from farandole_observe.projection.values import Values

T = TypeVar("T")
_SHOWN = 500  # characters of an exception's text


class Keyed(NamedTuple):
    """A record that a projection wants. `at`: its place in the slice that was read."""

    at: int
    key: str
    recorded: Recorded[Any]


@dataclass(slots=True)
class Slice:
    """What is to be folded of a slice of the log. `end`: the first record, by index, that is not to be: `failure`
    says why, where something failed there.
    """

    end: int
    found: list[Keyed] = field(default_factory=list)
    unread: list[tuple[int, Unread]] = field(default_factory=list)
    failure: ProjectionStopped | None = None

    @property
    def keys(self) -> set[str]:
        """Of the rows that are to be read."""
        return {keyed.key for keyed in self.found}

    @property
    def skipped(self) -> list[Unread]:
        """The records before the end that are no events of the projection's."""
        return [unread for index, unread in self.unread if index < self.end]


class Folding:
    """The functions of a projection, called so that whatever they do ends in a named place."""

    def __init__(self, projection: Projection[Any]) -> None:
        self._projection = projection
        self._read = reader_of(projection.of)
        self._columns = projection.columns

    def sort(self, records: Sequence[Record]) -> Slice:
        """Decode a slice, and ask for each record's key, up to the first at which that fails."""
        found = Slice(len(records))
        for index, record in enumerate(records):
            one = self._read(record)
            if isinstance(one, Unread):
                found.unread.append((index, one))
            elif one is not None:
                try:
                    key = self._called("key", self._key, one)
                except ProjectionStopped as error:
                    found.end, found.failure = index, error
                    return found
                if key is not None:
                    found.found.append(Keyed(index, key, one))
        return found

    def apply(self, rows: dict[str, Values], found: Slice, *, seconds: float = inf) -> set[str]:
        """Fold the slice into `rows`, up to the first record at which that fails; the keys whose rows may differ.

        After `seconds` it ends before the next record. `found.end` then says how far it came.
        """
        touched: set[str] = set()
        until = time.monotonic() + seconds
        for at, key, recorded in found.found:
            if touched and time.monotonic() > until:
                found.end, found.failure = at, None
                break
            try:
                values = self._called("fold", self._values, rows.get(key), recorded)
            except ProjectionStopped as error:
                found.end, found.failure = at, error
                break
            touched.add(key)
            if values is None:
                rows.pop(key, None)
            else:
                rows[key] = values
        return touched

    # -- calls ----------------------------------------------------------------------------------------------

    def _key(self, recorded: Recorded[Any]) -> str | None:
        key = self._projection.key(recorded)
        return None if key is None else self._columns.key_of(key)

    def _values(self, row: Values | None, recorded: Recorded[Any]) -> Values | None:
        given = self._projection.fold(None if row is None else self._columns.copied(row), recorded)
        return None if given is None else self._columns.values_of(given)

    def _called(self, what: str, function: Callable[..., T], *args: Any) -> T:
        try:
            return function(*args)
        except Exception as error:
            place = "/".join(map(str, args[-1].place))
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise ProjectionStopped(
                f"projection {self._projection.name!r} stands before {place}: its {what} failed with "
                f"{type(error).__name__}: {_plain(error)} ({last.filename}:{last.lineno}); mend it and start again, "
                "raising version= where rows are to be folded anew; nothing is lost"
            ) from error


def _plain(error: Exception) -> str:
    """One line that any database keeps."""
    return "".join(c if c.isprintable() else " " for c in str(error)[:_SHOWN])
