"""A service's own settings: from the environment, or from a file that it names; never from both."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from farandole import ConfigError, Settings
from farandole.runtime.provide import load_settings


class Sensor(Settings, env_prefix="SENSOR_"):
    url: str
    token: SecretStr
    bands: tuple[int, ...] = (1,)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SENSOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SENSOR_URL", "https://sensor.example")


def test_a_secret_comes_from_the_file_that_a_variable_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the end of its last line; and it is not shown."""
    (tmp_path / "token").write_bytes("höher\n".encode())
    monkeypatch.setenv("SENSOR_TOKEN_FILE", str(tmp_path / "token"))
    found = load_settings(Sensor, "tiling")
    assert isinstance(found, Sensor)
    assert found.token.get_secret_value() == "höher"
    assert "höher" not in repr(found)


def test_variables_are_read_in_any_case_and_lists_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In files too."""
    monkeypatch.setenv("sensor_token", "t")
    (tmp_path / "bands").write_text("[2, 3]")
    monkeypatch.setenv("SENSOR_BANDS_FILE", str(tmp_path / "bands"))
    found = load_settings(Sensor, "tiling")
    assert isinstance(found, Sensor)
    assert found.bands == (2, 3)


def test_both_at_once_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which of them is meant cannot be known."""
    (tmp_path / "token").write_text("x")
    monkeypatch.setenv("SENSOR_TOKEN", "t")
    monkeypatch.setenv("SENSOR_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(ConfigError, match="SENSOR_TOKEN and SENSOR_TOKEN_FILE are both set"):
        load_settings(Sensor, "tiling")


def test_a_file_that_is_not_there_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder, a pipe and bytes that are no text are none either; nothing hangs."""
    monkeypatch.setenv("SENSOR_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(ConfigError, match=r"SENSOR_TOKEN_FILE: .* cannot be read: No such file"):
        load_settings(Sensor, "tiling")
    os.mkfifo(tmp_path / "token")
    with pytest.raises(ConfigError, match="pipe or device"):
        load_settings(Sensor, "tiling")
    (tmp_path / "token").unlink()
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_settings(Sensor, "tiling")


def test_what_is_missing_is_named_without_any_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service starts with it."""
    monkeypatch.setenv("SENSOR_BANDS", '["hunter2"]')
    with pytest.raises(ConfigError, match="SENSOR_<FIELD>") as caught:
        load_settings(Sensor, "tiling")
    assert "token" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_are_given_by_argument_in_tests_and_do_not_change() -> None:
    """Arguments go over the environment."""
    sensor = Sensor(url="u", token=SecretStr("t"))
    assert sensor.url == "u"
    with pytest.raises(ValidationError):
        sensor.url = "other"  # type: ignore[misc]  # that it cannot be done is the point


def test_a_field_that_ends_in_file_is_a_field() -> None:
    """`token_file` beside `token` is no place of `token`'s."""

    class Odd(Settings, env_prefix="ODD_"):
        token: str = "plain"
        token_file: str = "name"

    os.environ["ODD_TOKEN_FILE"] = "somewhere"
    try:
        odd = Odd()
    finally:
        del os.environ["ODD_TOKEN_FILE"]
    assert (odd.token, odd.token_file) == ("plain", "somewhere")
