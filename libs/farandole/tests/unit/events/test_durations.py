"""What people write as a duration, and what is refused."""

import math

import pytest

from farandole.events.durations import seconds
from farandole.events.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (30, 30.0),
        (0.5, 0.5),
        (0, 0.0),
        ("30", 30.0),
        ("0.5", 0.5),
        ("30s", 30.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1h30m", 5400.0),
        ("1d2h3m4s5ms", 93784.005),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        (" 10m ", 600.0),
        ("0s", 0.0),
    ],
)
def test_what_people_write_is_understood(written: float | str, expected: float) -> None:
    """Numbers are seconds; units add up; "ms" is not "m" followed by "s"."""
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        -1,
        "-1s",
        math.nan,
        "nan",
        math.inf,
        "inf",
        "1e999",
        10**400,
        "",
        " ",
        "s",
        pytest.param("1" * 9000, id="a-number-but-of-centuries"),
        pytest.param(10**5000, id="5000-digits"),
        "10 m",
        "10M",
        "m10",
        "30s10m",
        "10m10m",
        "1h,30m",
        "PT10M",
        "٣s",
        "10m\n10m",
        "200000d",
        "2026-13-45",
        True,
        None,
        [1],
    ],
)
def test_what_is_no_duration_is_refused_with_the_remedy(written: object) -> None:
    """ConfigError that names the setting and how to write it, in one printable line of bounded length."""
    with pytest.raises(ConfigError, match=r"^timeout: .* give seconds \(30, 0\.5\) or text such as") as caught:
        seconds(written, name="timeout")  # type: ignore[arg-type]  # that is the point
    text = str(caught.value)
    assert len(text) < 250
    assert text.replace("…", "").isascii()
    assert text.isprintable()
