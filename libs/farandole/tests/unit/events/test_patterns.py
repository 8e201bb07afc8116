"""Which regular expressions may stand in a contract; the check itself runs none of them."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farandole.events.asset import URI_PATTERN
from farandole.events.patterns import PATTERN_LIMIT, risk


@pytest.mark.parametrize(
    "pattern",
    [
        URI_PATTERN,
        "",
        "^-?[0-9]+$",
        r"^S2[AB]_MSIL1C_\d{8}T\d{6}_N\d{4}$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(?:[a-z]+)?\.tif$",
        r"^(?P<tile>[0-9]{2}[A-Z]{3})$",
        r"[\w.-]+@[\w-]+\.[a-z]{2,}",
        r"^\s*\d+\s+\d+$",
        r"[^_]*_[^_]*_[^_]*_[^_]*\.tif",
        "^(red|green|blue)$",
        "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
        ".*quick.*",
        r"a\.b\\c\/\x41\u00e9\t[\]\-]",
        "x{1,64}x{1,64}x{1,64}",
        "[-a][a-]",
        "^a{300,}$",
        "é+ü",
    ],
)
def test_ordinary_patterns_are_safe(pattern: str) -> None:
    """What people write for names, dates and codes."""
    assert risk(pattern) is None
    re.compile(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+$", "exponential"),
        ("(a*)*b", "exponential"),
        ("^(a|aa)+$", "exponential"),
        ("^(a|a)*$", "exponential"),
        ("(.*a){20}", "exponential"),
        ("((a+))+", "exponential"),
        ("(a?){50}", "exponential"),
        ("([a-zA-Z]+)*", "exponential"),
        (r"(\d{1,3})*x", "exponential"),
        ("(x(?:y|z+)){2,}", "exponential"),
        (".*.*.*=", "compete"),
        (".*a.*a.*a", "compete"),
        ("a*a*a*b", "compete"),
        (r"\w+\d+\w+\d+x", "compete"),
        ("(a*)?(a*)?(a*)?b", "compete"),
        ("(?:a*|b)(?:a*|b)(?:a*|b)c", "compete"),
        ("x{0,500}x{0,500}x{0,500}y", "compete"),
        (r"(x)\1", "reference back"),
        (r"(?P<n>x)(?P=n)", "engines differ"),
        (r"(?<n>x)\k<n>", "reference back"),
        ("(?=a)b", "engines differ"),
        ("(?!a)b", "engines differ"),
        ("(?<=a)b", "engines differ"),
        ("(?i)a", "engines differ"),
        ("(?>a)", "engines differ"),
        (r"\p{L}", "differently"),
        (r"\Aa\Z", "differently"),
        ("[[a]]", "engines differ"),
        ("[a&&b]", "engines differ"),
        ("[]a]", "engines differ"),
        ("a{,3}", "not escaped"),
        ("a{", "not escaped"),
        ("*a", "not escaped"),
        ("a]", "not escaped"),
        ("a++", "repeat of a repeat"),
        ("a**", "repeat of a repeat"),
        (r"\b?", "of a place"),
        ("^*", "of a place"),
        ("a{3,2}", "more to fewer"),
        ("a{100000}", "in all"),
        ("((a{100}){100}){100}", "in all"),
        ("(", "without its"),
        (")", "without its"),
        ("a)", "without its"),
        ("[a", "too early"),
        ("\\", "too early"),
        ("[z-a]", "none"),
        ("(" * 200 + ")" * 200, "within each other"),
        ("a" * (PATTERN_LIMIT + 1), "at most"),
    ],
)
def test_patterns_that_some_engine_would_run_badly_are_refused(pattern: str, why: str) -> None:
    """Exponential and cubic backtracking, references back, and what engines read differently."""
    told = risk(pattern)
    assert told is not None
    assert why in told


@settings(max_examples=300)
@given(st.text("abc()[]{}|*+?.^$\\d-,1203:<P=!é", max_size=30))
def test_every_text_gets_an_answer(pattern: str) -> None:
    """No pattern makes the check fail; what it lets pass, the standard library compiles."""
    if risk(pattern) is None:
        re.compile(pattern)


safe_atoms = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\w", "(?:ab)", "(?:a|b)"])
counts = st.sampled_from(["", "*", "+", "?", "{2}", "{0,3}", "{2,}"])
pieces = st.tuples(safe_atoms, counts).map("".join)
groups = st.tuples(st.lists(pieces, min_size=1, max_size=3).map("".join), counts).map(lambda g: f"({g[0]}){g[1]}")


@settings(max_examples=150)
@given(st.lists(pieces | groups, min_size=1, max_size=4).map("".join), st.sampled_from(["a", "ab", "aab", "ba"]))
def test_what_passes_fails_to_match_soon(pattern: str, unit: str) -> None:
    """A backtracking engine gives up on a hostile text in time that grows with its square at most (cubed: search).

    The text is so short that a cube is some 10 ms, and so long that doubling with each unit would take minutes.
    """
    if risk(pattern) is not None:
        return
    start = time.process_time()
    re.compile(f"(?:{pattern})!").search(unit * 30)
    assert time.process_time() - start < 0.5
