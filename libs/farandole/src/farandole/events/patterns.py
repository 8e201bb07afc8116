"""Whether a schema's regular expression is safe in every reader's engine; no pattern is ever executed here.

Our own readers match with Rust's engine, in linear time. Others that read the schemas backtrack: there, nested or
adjacent repeats take exponential or high polynomial time on texts that an outsider chooses. The check is static
and conservative: it refuses some patterns that are harmless, and everything that engines read differently.
"""

import re
from dataclasses import dataclass
from typing import Never

PATTERN_LIMIT = 500  # characters
_DEPTH_LIMIT = 16  # nested groups
_LARGE = 256  # a repeat beyond this counts as unbounded
_COUNT_LIMIT = 10_000  # what engines that unroll counted repeats would have to unroll
_OVERLAPS = 2  # this many unbounded repeats may compete for the same characters: quadratic at worst

# Sets of characters: ASCII by number, and one number that stands for all others.
_OTHER = 128
_ALL = frozenset(range(_OTHER + 1))
_DIGITS = frozenset(range(ord("0"), ord("9") + 1))
_WORDS = frozenset(i for i in range(_OTHER) if chr(i).isalnum() or chr(i) == "_") | {_OTHER}
_SPACES = frozenset(map(ord, " \t\n\r\f\v"))
_CLASSES = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_REPEAT = re.compile(r"[*+?]|\{([0-9]{1,6})(?:(,)([0-9]{1,6})?)?\}")
_GROUP = re.compile(r"\(\?(?::|P?<[A-Za-z_][A-Za-z0-9_]*>)")
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")


class _Refused(Exception):
    """Why a pattern is refused; caught in `risk`."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Characters of one kind in a row: at least `least` of them, unbounded or up to a few."""

    chars: frozenset[int]
    least: int
    unbounded: bool
    varies: bool


def risk(pattern: str) -> str | None:
    """Why `pattern` must not stand in a schema, or None."""
    if len(pattern) > PATTERN_LIMIT:
        return f"a pattern of {len(pattern)} characters; at most {PATTERN_LIMIT}"
    try:
        pieces = _Parser(pattern).parse()
    except _Refused as refused:
        return f"pattern {pattern[:80]!r}: {refused}"
    if _competing(pieces) > _OVERLAPS:
        return f"pattern {pattern[:80]!r}: repeats compete for the same characters; bound them, such as {{1,64}}"
    return None


def _competing(pieces: list[_Piece]) -> int:
    """The most unbounded repeats that can share out one stretch of text between them."""
    most = 0
    active: list[frozenset[int]] = []
    for piece in pieces:
        if piece.least:  # what cannot pass over this piece does not compete with anything behind it
            active = [chars for chars in active if chars & piece.chars]
        if piece.unbounded:
            active.append(piece.chars)
            most = max(most, sum(1 for chars in active if chars & piece.chars))
    return most


class _Parser:
    """A recursive descent over the syntax that all engines share; gives the pieces in order."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def parse(self) -> list[_Piece]:
        """The whole pattern's pieces. Raises _Refused."""
        pieces = self._alternatives(0)
        if self._at < len(self._text):
            self._refuse("a ) without its (")
        return pieces

    def _alternatives(self, depth: int) -> list[_Piece]:
        if depth > _DEPTH_LIMIT:
            self._refuse(f"more than {_DEPTH_LIMIT} groups within each other")
        branches = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence(depth))
        pieces = [piece for branch in branches for piece in branch]
        return [_optional(piece) for piece in pieces] if len(branches) > 1 else pieces

    def _sequence(self, depth: int) -> list[_Piece]:
        pieces: list[_Piece] = []
        while self._peek() not in ("", "|", ")"):
            if self._peek() == "(":
                pieces.extend(self._group(depth))
            else:
                chars = self._atom()
                before = self._at
                least, unbounded, varies, _ = self._repeat()
                if chars is not None:
                    pieces.append(_Piece(chars, least, unbounded, varies))
                elif self._at != before:
                    self._refuse("a repeat of a place")
        return pieces

    def _group(self, depth: int) -> list[_Piece]:
        opening = _GROUP.match(self._text, self._at)
        if opening is None and self._text.startswith("(?", self._at):
            self._refuse("(?…) other than (?:…) and named groups: engines differ")
        self._at = opening.end() if opening else self._at + 1
        pieces = self._alternatives(depth + 1)
        if self._peek() != ")":
            self._refuse("a ( without its )")
        self._at += 1
        least, unbounded, varies, most = self._repeat()
        if most <= 1:
            return [_optional(piece) for piece in pieces] if least == 0 else pieces
        if any(piece.varies for piece in pieces):
            self._refuse("a repeat or an alternative within a repeat may take exponential time")
        chars = frozenset().union(*(piece.chars for piece in pieces))
        return [_Piece(chars, self._counted(least * sum(piece.least for piece in pieces)), unbounded, varies)]

    def _repeat(self) -> tuple[int, bool, bool, int]:
        """Least count, whether unbounded, whether the count varies, and the most (of no meaning if unbounded)."""
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            return 1, False, False, 1
        self._at = match.end()
        if self._peek() == "?":  # lazy: the same texts match
            self._at += 1
        if self._peek() in ("*", "+", "?", "{"):
            self._refuse("a repeat of a repeat")
        token = match[0]
        if token in "*+?":
            return int(token == "+"), token != "?", True, 1 if token == "?" else _LARGE
        least = self._counted(int(match[1]))
        most = self._counted(int(match[3])) if match[3] else max(least, _LARGE) + 1 if match[2] else least
        if most < least:
            self._refuse("a repeat of more to fewer")
        return least, most > _LARGE, most != least, most

    def _counted(self, count: int) -> int:
        if count > _COUNT_LIMIT:
            self._refuse(f"repeats of more than {_COUNT_LIMIT} in all")
        return count

    def _atom(self) -> frozenset[int] | None:
        """The characters that the next atom matches, None for one that matches a place."""
        char = self._next()
        if char in "^$":
            return None
        if char == ".":
            return _ALL
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape(within_class=False)
        if char in "*+?{}]":
            self._refuse(f"a {char} that is not escaped")
        return _number(char)

    def _class(self) -> frozenset[int]:
        negated = self._peek() == "^"
        self._at += negated
        found: frozenset[int] = frozenset()
        if self._peek() == "]":
            self._refuse("an empty class: engines differ")
        while self._peek() != "]":
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    self._refuse("a range that is none")
                low = frozenset(range(min(low), min(high) + 1))
            found |= low
        self._at += 1
        return _ALL - found | {_OTHER} if negated else found

    def _member(self) -> frozenset[int]:
        char = self._next()
        if char == "[" or self._text[self._at - 1 : self._at + 1] in ("&&", "--", "~~"):
            self._refuse("[ or an operator within a class: engines differ")
        return (self._escape(within_class=True) or frozenset()) if char == "\\" else _number(char)

    def _escape(self, *, within_class: bool) -> frozenset[int] | None:
        char = self._next()
        if char in "bB" and not within_class:
            return None
        if char.lower() in _CLASSES:
            chars = _CLASSES[char.lower()]
            return _ALL - chars if char.isupper() else chars
        if char in _CONTROLS:
            return _number(_CONTROLS[char])
        code = _HEX.match(self._text, self._at - 1)
        if code is not None:
            self._at = code.end()
            return _number(chr(int(code[1] or code[2], 16)))
        if char.isalnum():
            what = "a reference back" if char.isdigit() or char == "k" else f"\\{char}, which engines read differently"
            self._refuse(what)
        return _number(char)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            self._refuse("it ends too early")
        self._at += 1
        return char

    def _refuse(self, why: str) -> Never:
        raise _Refused(why)


def _number(char: str) -> frozenset[int]:
    return frozenset((min(ord(char), _OTHER),))


def _optional(piece: _Piece) -> _Piece:
    return _Piece(piece.chars, 0, piece.unbounded, varies=True)
