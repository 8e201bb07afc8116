"""One line that tells how a workflow goes on, rewritten in place; only on a terminal."""

import sys
from types import TracebackType
from typing import Self

from farandole.cli.say import escaped
from farandole.fold import Summary

_CLEAR = "\r\x1b[K"
_WIDTH = 100


class Progress:
    """A context; `show` is given each new summary. Silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last:
            print(_CLEAR, end="", file=sys.stderr, flush=True)

    def show(self, summary: Summary) -> None:
        """How many deliveries are done, and where the others stand."""
        text = told(summary)
        if self._shows and text != self._last:
            self._last = text
            print(f"{_CLEAR}{escaped(text)[:_WIDTH]}", end="", file=sys.stderr, flush=True)


def told(summary: Summary) -> str:
    """One line: what is done, and which steps have something left."""
    done = sum(count.done for count in summary.steps.values())
    left = {name: c.waiting + c.retrying + c.parked + c.gathering for name, c in summary.steps.items()}
    waiting = ", ".join(f"{name} {count}" for name, count in left.items() if count)
    dead = sum(count.dead for count in summary.steps.values())
    parts = [f"{done} done", *([f"{dead} dead"] if dead else []), *([f"left: {waiting}"] if waiting else [])]
    return "; ".join(parts)
