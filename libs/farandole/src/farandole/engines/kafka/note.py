"""What stands beside a committed position: who commits it, in which epoch, and whether it counts as one.

It lies in the position's metadata, so it commits with the position, under the same fence, also for groups that
keep no state. A successor reads from it which transaction its predecessor may have left open.
"""

from typing import NamedTuple

import msgspec

ENTERED = b"farandole.entered"
"""Key of the tombstones that mark in a state where its new holder began; no reader of ours hands them out."""


class Note(NamedTuple):
    """`id`: transactional id of the holder, "" once it let go. `begun`: False where the group has not begun yet.

    `stamp`: tells one commit from another, for a commit whose answer was lost.
    """

    id: str = ""
    epoch: int = 0
    begun: bool = True
    stamp: str = ""

    def text(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()


def read_note(text: str | None) -> Note:
    """What was stored; a position that somebody else set (by Kafka's own tools) has no note, and counts."""
    try:
        return msgspec.json.decode(text or "", type=Note)
    except (msgspec.DecodeError, UnicodeError):
        return Note()
