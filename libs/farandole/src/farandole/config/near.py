"""What was probably meant: suggestions for names that are not known."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 8


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is close to this one, if there is one."""
    return next(iter(get_close_matches(name, sorted(set(known)), n=1, cutoff=0.7)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known name is close."""
    meant = nearest(name, known)
    return "" if meant is None else f"; did you mean {meant!r}?"


def or_else(name: str, known: Iterable[str]) -> str:
    """As `did_you_mean`; where no name is close, the names that there are."""
    names = sorted(set(known))
    there = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return did_you_mean(name, names) or (f"; there are: {there}" if names else "; there are none")
