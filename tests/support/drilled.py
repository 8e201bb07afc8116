"""Two services for drills: one keeps notes as assets, the other reads them, some of them only once a file is there."""

import asyncio
import os
from pathlib import Path

from farandole import Asset, Context, Event, Service

GATE = "DRILL_GATE"
"""Environment: the file for which every tenth note waits."""
FIRST, LAST = "note.taken", "note.read"


class NoteTaken(Event, type=FIRST, key="key"):
    """Published from outside."""

    key: str
    number: int


class NoteKept(Event, type="note.kept", key="key"):
    key: str
    number: int
    text: Asset


class NoteRead(Event, type=LAST, key="key", final=True):
    key: str
    number: int
    text: str


keeping = Service("keeping", version="1", accepts=[NoteTaken])
reading = Service("reading", version="1")


@keeping.step
def keep(note: NoteTaken, ctx: Context) -> NoteKept:
    path = ctx.scratch / "note.txt"
    path.write_text(text_of(note.number))
    return NoteKept(key=note.key, number=note.number, text=ctx.save(path, "text/plain"))


@reading.step
async def read(note: NoteKept, ctx: Context) -> NoteRead:
    text = ctx.fetch(note.text).read_text()
    while waits(note.number) and not Path(os.environ[GATE]).exists():  # noqa: ASYNC110, ASYNC240 - nobody tells
        await asyncio.sleep(0.05)
    return NoteRead(key=note.key, number=note.number, text=text)


def text_of(number: int) -> str:
    """What stands in a note."""
    return f"note {number}\n" * 20


def waits(number: int) -> bool:
    """Whether a note is owed until the gate is there."""
    return number % 10 == 0
