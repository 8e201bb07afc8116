"""Tracing as commands switch it on, where OpenTelemetry is not installed."""

from pathlib import Path

import pytest

from farandole.cli import traced
from farandole.cli.traced import open_traced, sender_to
from farandole.config import load
from farandole.events.errors import ConfigError
from farandole.telemetry.switch import Destination


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(traced, "installed", lambda: False)


def test_who_asks_for_traces_hears_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service does not start without what its settings want."""
    monkeypatch.setenv("FARANDOLE_TRACES", "otlp://host")
    with pytest.raises(ConfigError, match=r"pip install 'farandole\[otel\]'"):
        open_traced(load())
    with pytest.raises(ConfigError, match=r"pip install 'farandole\[otel\]'"):
        sender_to(Destination("grpc", "http://host:4317"))


def test_variables_that_are_meant_for_others_stop_no_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts without traces, and says so."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4317")
    assert open_traced(load()) is None
    assert "it is not installed" in capsys.readouterr().err
