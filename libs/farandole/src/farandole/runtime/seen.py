"""Inputs seen: an event whose source no manifest names, seen twice, is handled once."""

from collections import deque
from typing import Literal

from farandole.events.envelope import Envelope
from farandole.events.ids import fingerprint, workflow_id
from farandole.runtime.rows import SEEN_FOR, SEEN_LIMIT, seen_row

Verdict = Literal["new", "same", "conflict"]


class Seen:
    """The memory of one partition: the last 100,000 inputs, at most 7 days old."""

    __slots__ = ("_bodies", "_fresh", "_kept")

    def __init__(self) -> None:
        self._bodies: dict[bytes, bytes] = {}
        self._fresh: deque[tuple[int, bytes, bytes]] = deque()
        self._kept: deque[tuple[str, float, list[bytes]]] = deque()

    def check(self, offset: int, envelope: Envelope) -> Verdict:
        """Whether an input is new; a new one is remembered, and written with the next commit past `offset`."""
        name, body = fingerprint(envelope.source, envelope.id), _body(envelope)
        before = self._bodies.get(name)
        if before is not None:
            return "same" if before == body else "conflict"
        self._bodies[name] = body
        self._fresh.append((offset, name, body))
        return "new"

    def knows(self, envelope: Envelope) -> bool:
        """Whether its body is the one that was seen under its id, or is not remembered any more."""
        before = self._bodies.get(fingerprint(envelope.source, envelope.id))
        return before is None or before == _body(envelope)

    def restore(self, key: str, at: float, entries: list[tuple[bytes, bytes]]) -> None:
        """Take in one row, oldest first."""
        self._bodies.update((bytes(name), bytes(body)) for name, body in entries)
        self._kept.append((key, at, [bytes(name) for name, _ in entries]))

    def rows(self, position: int, now: float) -> dict[str, bytes | None]:
        """Row changes that go with a commit up to `position`; `commit` makes them so."""
        entries = [(name, body) for offset, name, body in self._fresh if offset < position]
        changes: dict[str, bytes | None] = {key: None for key, _, _ in self._expired(now)}
        if entries:
            changes[f"n:{position}"] = seen_row(now, entries)
        return changes

    def commit(self, position: int, now: float) -> None:
        """The changes that `rows` gave are durable."""
        names = []
        while self._fresh and self._fresh[0][0] < position:
            names.append(self._fresh.popleft()[1])
        for key, _, old in self._expired(now):
            self._kept.popleft()
            if key != f"n:{position}":
                for name in old:
                    self._bodies.pop(name, None)
        if names:
            self._kept.append((f"n:{position}", now, names))

    def _expired(self, now: float) -> list[tuple[str, float, list[bytes]]]:
        surplus = len(self._bodies) - SEEN_LIMIT
        gone = []
        for kept in self._kept:
            if surplus < len(kept[2]) and now - kept[1] < SEEN_FOR:
                break
            surplus -= len(kept[2])
            gone.append(kept)
        return gone


def _body(envelope: Envelope) -> bytes:
    """What makes it the same event: dropped, it must owe nothing, so it may not name another workflow."""
    return fingerprint(envelope.workflow or workflow_id(*envelope.identity), envelope.data)
