"""What the environment says."""

from pathlib import Path

import pytest

from sla_watcher.limits import Limit
from sla_watcher.settings import BadSettings, read_settings

GOOD = {"SLA_BROKERS": "a:9092, b", "SLA_NAMESPACE": "eo", "SLA_MAX_P95": "1.5"}


def test_what_is_given_is_used_and_what_is_left_out_has_a_default() -> None:
    """Windows of a minute, five seconds for clocks that differ."""
    settings = read_settings(GOOD)
    assert settings.brokers == ("a:9092", "b")
    assert (settings.window, settings.slack) == (60, 5.0)
    assert settings.limits.of("any/step") == Limit(None, 1.5)
    assert settings.topic("farandole.journal") == "eo.farandole.journal"


def test_other_windows_are_another_group_with_other_topics() -> None:
    """Figures of two sizes never meet in one table."""
    assert read_settings(GOOD).group != read_settings({**GOOD, "SLA_WINDOW": "30"}).group


def test_limits_come_from_a_file_too(tmp_path: Path) -> None:
    """And what the environment says holds where the file says nothing."""
    (tmp_path / "limits.toml").write_text('[steps."a/b"]\nfailures = 0.2\n')
    limits = read_settings({**GOOD, "SLA_LIMITS": str(tmp_path / "limits.toml")}).limits
    assert limits.of("a/b") == Limit(0.2, 1.5)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SLA_BROKERS", "", "set it to"),
        ("SLA_BROKERS", "a:9092;b", "write name:port"),
        ("SLA_NAMESPACE", "", "set it to"),
        ("SLA_NAMESPACE", "a b", "give letters"),
        ("SLA_WINDOW", "0", "1 to 86400"),
        ("SLA_WINDOW", "1.5", "whole seconds"),
        ("SLA_WINDOW", "soon", "1 to 86400"),
        ("SLA_SLACK", "nan", "0.1 to 3600"),
        ("SLA_MAX_P95", "", "nothing is limited"),
        ("SLA_MAX_P95", "-1", "0 or more"),
        ("SLA_MAX_P95", "x", "give a number"),
        ("SLA_MAX_FAILURES", "20", "0 to 1"),
        ("SLA_LIMITS", "nowhere.toml", "can't be read"),
        ("SLA_DATA", __file__, "no folder"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it_and_says_what_would_do(name: str, value: str, said: str) -> None:
    """Whichever it is."""
    with pytest.raises(BadSettings) as caught:
        read_settings({**GOOD, name: value})
    text = str(caught.value)
    assert said in text
    assert "SLA_" in text
    assert "\n" not in text


def test_a_password_among_the_brokers_is_refused_unseen() -> None:
    """It would stand in logs."""
    with pytest.raises(BadSettings) as caught:
        read_settings({**GOOD, "SLA_BROKERS": "user:hunter2@a:9092"})
    assert "hunter2" not in str(caught.value)
