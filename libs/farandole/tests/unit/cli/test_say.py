"""What commands print can be read, and moves no cursor."""

import json

import pytest

from farandole.cli.say import emit, escaped, instant, lasted, moment, rows


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, höher 日本", "plain text, höher 日本"),
        ("a\nb\tc\x1b[2J\x00", "a\\nb\\tc\\x1b[2J\\x00"),
        ("\u202eevil", "\\u202eevil"),
        ("caf\udce9", "caf\\udce9"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_cannot_be_printed_stays_visible(text: str, shown: str) -> None:
    """Control characters, text direction, and what is no text at all."""
    assert escaped(text) == shown


def test_json_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in it; what is no JSON is refused."""
    emit({"a": "höher\n\u202e", "b": None})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"a": "höher\n\u202e", "b": None}
    with pytest.raises(ValueError, match="Out of range"):
        emit(float("nan"))


def test_a_table_that_goes_to_a_file_has_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """However long; without markup, colours or trailing blanks."""
    rows(("ID", "ERROR"), [("x" * 60, "[red]bold[/red] " * 40), ("y", None), ("z", "a\x1b[31m")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1] == f"{'x' * 60}  {('[red]bold[/red] ' * 40).rstrip()}"
    assert lines[2].split() == ["y", "-"]
    assert lines[3].split() == ["z", "a\\x1b[31m"]


def test_times_are_utc() -> None:
    """With milliseconds for programs, to the second for people."""
    assert instant(1767225600.0) == "2026-01-01T00:00:00.000Z"
    assert instant(1767225600.0625) == "2026-01-01T00:00:00.062Z"
    assert moment(1767225600.9) == "2026-01-01 00:00:00Z"
    assert moment(0) == moment(None) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0ms"),
        (0.0124, "12ms"),
        (1.26, "1.3s"),
        (59.9, "59s"),
        (61, "1m1s"),
        (3600, "1h"),
        (3720, "1h2m"),
        (90000, "1d1h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, shown: str) -> None:
    """Nobody reads more."""
    assert lasted(seconds) == shown
