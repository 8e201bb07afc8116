"""Reads a tutorial: which files and commands it has its reader write, and whether a screen shows what it says.

A ```python block whose first line is `# path` is that file. A ```console block holds commands (`$ …`), each with what
it prints below it; `^C` ends what runs. What follows "console" names the terminal. `…` stands for any text within a
line, a line that is only `…` for any lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"# (\S+\.\w+)\n")
_ANY = "…"
FIRST = "first terminal"


@dataclass(frozen=True, slots=True)
class Written:
    """A file that the reader writes; `path` is relative to where the first terminal is."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A command (`^C`: the key) in a terminal, and the lines that it is to print."""

    terminal: str
    command: str
    expected: tuple[str, ...]


def read(document: str) -> list[Written | Typed]:
    """What the reader does, in order."""
    return [step for match in _FENCE.finditer(document) for step in _block(match["info"].strip(), match["body"])]


def _block(info: str, body: str) -> Iterator[Written | Typed]:
    language, _, terminal = info.partition(" ")
    if language == "python" and (named := _PATH.match(body)):
        yield Written(named[1], body)
    elif language == "console":
        yield from _session(terminal or FIRST, body)


def _session(terminal: str, body: str) -> Iterator[Typed]:
    starts = [*re.finditer(r"^(?:\$ (.+)|(\^C))\n", body, re.MULTILINE)]
    assert starts, f"a console block begins with no command: {body!r}"
    assert starts[0].start() == 0, f"a console block begins with no command: {body!r}"
    ends = [*(start.start() for start in starts[1:]), len(body)]
    for start, end in zip(starts, ends, strict=True):
        yield Typed(terminal, start[1] or start[2], tuple(body[start.end() : end].splitlines()))


def shows(expected: tuple[str, ...], screen: str, *, so_far: bool = False) -> bool:
    """Whether a screen shows the expected lines; `so_far`: and may go on. How wide gaps are does not count."""
    pattern = "".join(r"(?:.*\n)*?" if line == _ANY else _line(line) for line in map(_plain, expected))
    text = "".join(f"{_plain(line)}\n" for line in screen.splitlines())
    return bool(re.match(pattern, text) if so_far else re.fullmatch(pattern, text))


def _plain(line: str) -> str:
    return " ".join(line.split())


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.split(_ANY))) + r"\n"
