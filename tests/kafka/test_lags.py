"""What the steps have yet to read of a real Kafka: events, not offsets that nothing is ever read from."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from scripts.kafka import Cluster
from tests.cli.project import SETTINGS, Project, end, until
from tests.cli.test_probes import addresses
from tests.support.prometheus import fetch

pytestmark = pytest.mark.slow
STEPS = ("picking/pick", "packing/pack")
NONE = dict.fromkeys(STEPS, 0)


def test_lag_is_what_was_published_and_not_handled_and_none_is_left_of_what_was(kafka: Cluster, tmp_path: Path) -> None:
    """By `top`, in events and seconds, and by the projector's metrics: while services stand, and while they run."""
    project = Project.make(tmp_path)
    log = f"kafka://{kafka.bootstrap}/l{uuid.uuid4().hex[:8]}"
    places = f'log = "{log}"\nstore = "sqlite:///var/store.db"\n'
    (tmp_path / "farandole.toml").write_text(SETTINGS.replace('log = "sqlite:///var/log.db"\n', places))
    with project.up():
        observing = project.start("observe", "--metrics", "0")
        project.await_text("observe.err", "metrics and probes are served at")
    try:
        _publish(project, "o", 4)
        until(lambda: _lags(project) == NONE | {"picking/pick": 4}, lambda: str(_top(project)))
        until(lambda: _seconds(project)["picking/pick"] >= 1.0, lambda: str(_top(project)))
        assert _seconds(project)["packing/pack"] == 0.0
        until(lambda: _page(project) == NONE | {"picking/pick": 4}, lambda: str(_page(project)))
        with project.up():
            until(lambda: _done(project) == dict.fromkeys(STEPS, 4), lambda: str(_top(project)))
            until(lambda: _lags(project) == NONE, lambda: str(_top(project)))
            assert _seconds(project) == dict.fromkeys(STEPS, 0.0)
            until(lambda: _page(project) == NONE, lambda: str(_page(project)))
        assert _lags(project) == NONE
    finally:
        end(observing)


def _publish(project: Project, prefix: str, number: int) -> None:
    for n in range(number):
        data = json.dumps({"order": f"{prefix}{n}", "items": 2})
        done = project.farandole("publish", "order.placed", "--data", data)
        assert done.returncode == 0, done.stderr


def _top(project: Project) -> dict[str, dict[str, Any]]:
    done = project.farandole("top", "--json")
    assert done.returncode == 0, done.stderr
    return {found["step"]: found for found in json.loads(done.stdout)["steps"]}


def _lags(project: Project) -> dict[str, int]:
    return {step: found["lag"] for step, found in _top(project).items()}


def _seconds(project: Project) -> dict[str, float]:
    return {step: found["lag_seconds"] for step, found in _top(project).items()}


def _done(project: Project) -> dict[str, int]:
    return {step: found["completed"] for step, found in _top(project).items()}


def _page(project: Project) -> dict[str, int]:
    (at,) = addresses(project.folder / "observe.err")
    found = re.findall(
        r"^farandole_fleet_lag_offsets\{([^}]*)\} (\S+)$", fetch(f"http://{at}/metrics")[1], re.MULTILINE
    )
    return {_step(labels): int(float(number)) for labels, number in found}


def _step(labels: str) -> str:
    of = dict(re.findall(r'(\w+)="([^"]*)"', labels))
    return f"{of['service']}/{of['step']}"
