"""The windows of all journal partitions put together: when a window is over everywhere, and what it then holds.

Everything stands in the mapping that it is given, so that who keeps that mapping can go on after a crash. What comes
twice changes nothing, whatever it says: the first of a window and partition counts, until the partition's clock has
passed the window, and nothing after that.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, NamedTuple

from sla_watcher.tally import Tally, read_tally

_CLOCKS = "clocks"
_BETWEEN = "\x1f"


class Closed(NamedTuple):
    """A window that is over in every partition; `key`: for `forget`."""

    key: str
    step: str
    start: int
    tally: Tally


class Ledger:
    """`kept`: a mapping of ours alone. `partitions`: of the journal. `size`: of a window, seconds."""

    def __init__(self, kept: MutableMapping[str, Any], partitions: int, size: int) -> None:
        self._kept, self._partitions, self._size = kept, partitions, size

    def note(self, partition: int, step: str, start: int, tally: dict[str, Any]) -> None:
        """A partition's part of a window; nothing more of it will come."""
        key = f"{step}{_BETWEEN}{start}"
        parts = self._kept.get(key) or {}
        if self._clocks().get(str(partition), 0) >= start + self._size or str(partition) in parts:
            return
        self._kept[key] = {**parts, str(partition): tally}

    def advance(self, partition: int, time: int) -> None:
        """Of a partition, every window that ends until `time` was noted."""
        clocks = self._clocks()
        if time > clocks.get(str(partition), 0):
            self._kept[_CLOCKS] = {**clocks, str(partition): time}

    def closed(self) -> Iterator[Closed]:
        """The windows that are over and not yet forgotten, by time and step."""
        clocks = self._clocks()
        if len(clocks) < self._partitions:
            return
        bound = min(clocks.values())
        found = [(*_read_key(key), key) for key in list(self._kept) if key != _CLOCKS]
        for start, step, key in sorted(found):
            if start + self._size <= bound:
                yield Closed(key, step, start, _merged(self._kept[key]))

    def forget(self, key: str) -> None:
        """A closed window was seen to."""
        self._kept.pop(key, None)

    def _clocks(self) -> dict[str, int]:
        return dict(self._kept.get(_CLOCKS) or {})


def _read_key(key: str) -> tuple[int, str]:
    step, _, start = key.rpartition(_BETWEEN)
    return int(start), step


def _merged(parts: dict[str, Any]) -> Tally:
    whole = Tally()
    for part in parts.values():
        whole = whole.merge(read_tally(part))
    return whole
