"""The commands, on an embedded log: what they print, from the tables and from the log alone."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance, Given, Terminal
from libs.farandole.tests.unit.fold.model import Owed
from tests.observe.given import write_log

Run = Callable[..., str]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A workflow whose second tile is dead, in a log in an empty folder; its id."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path}/log.db")
    dance = Dance(*EARTH_OBSERVATION, members=3)

    def behave(delivery: Owed, attempt: int) -> Given:
        if delivery.event is not None and delivery.event.scope[-1].index == 1:
            raise Terminal("no light")
        return ["tile.indexed"]

    dance.behave["indices/index"] = behave
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    asyncio.run(write_log(dance, f"sqlite:///{tmp_path}/log.db"))
    return workflow


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line that has to succeed; what it prints."""

    def run(*args: str) -> str:
        assert main(list(args)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def _json(run: Run, *args: str) -> Any:
    return json.loads(run(*args, "--json"))


@pytest.mark.parametrize("command", ["status", "explain", "timeline"])
def test_what_the_tables_say_the_log_alone_says_too(run: Run, scene: str, command: str) -> None:
    """But for its age."""
    kept, rebuilt = _json(run, command, scene), _json(run, command, scene, "--rebuild")
    assert kept.pop("age") is not None
    assert rebuilt.pop("age") is not None
    assert kept == rebuilt
    assert scene in json.dumps(kept)


def test_status_shows_a_workflow_as_a_tree_and_all_of_them_as_a_table(run: Run, scene: str) -> None:
    """With filters, and as it was at some time."""
    lines = run("status", "s1").splitlines()
    assert lines[0] == f"workflow {scene}: dead"
    assert any("└ indices/index" in line and "dead" in line for line in lines)
    assert any("└ mosaic/merge" in line and "waiting" in line for line in lines)
    assert _json(run, "status")["workflows"][0]["workflow"] == scene
    for given, number in (("dead", 1), ("complete", 0), ("running", 0)):
        assert len(_json(run, "status", "--status", given)["workflows"]) == number
    assert len(_json(run, "status", "--step", "indices/index")["workflows"]) == 1
    assert len(_json(run, "status", "--step", "masking/mask")["workflows"]) == 0
    assert len(_json(run, "status", "--type", "scene.received")["workflows"]) == 1
    assert _json(run, "status", "--at", "2h ago")["workflows"] == []
    assert _json(run, "status", scene, "--at", "2100-01-01T00:00:00Z")["workflows"][0]["status"] == "dead"


def test_explain_names_the_dead_tile(run: Run, scene: str) -> None:
    """As text and as JSON; by a prefix, and by type and key."""
    text = run("explain", scene[:8], "mosaic")
    assert "mosaic/merge waits for tile.indexed as member 1 of 3, owed by indices/index" in text
    (wait,) = _json(run, "explain", "scene.received:k1", "mosaic/merge")["waits"]
    assert (wait["step"], wait["index"], wait["missing"]) == ("mosaic/merge", 1, 1)
    assert wait["causes"][0]["error"] == "Terminal: no light"


def test_timeline_draws_a_bar_for_each_delivery(run: Run, scene: str) -> None:
    """With marks for what completed and what died."""
    text = run("timeline", scene)
    assert text.count("calibration/calibrate") == 3
    assert "█" in text
    assert "×" in text
    assert "and 3 more" in run("timeline", scene, "--limit", str(len(text.splitlines()) - 2 - 3))


def test_stuck_names_what_is_dead_and_the_group_that_waits(run: Run, scene: str) -> None:
    """And says nothing of what is complete."""
    found = _json(run, "stuck")["stuck"]
    assert {(entry["kind"], entry["step"]) for entry in found} == {("dead", "indices/index"), ("group", "mosaic/merge")}
    assert "no light" in run("stuck")


def test_topology_draws_every_step(run: Run, scene: str) -> None:
    """In each language."""
    for form in ("mermaid", "dot"):
        assert "catalogue/add" in run("topology", "--as", form)
    assert len(_json(run, "topology")["steps"]) == 10


def test_a_workflow_that_is_not_there_is_exit_4_and_a_store_that_is_none_exit_2(
    scene: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what would do."""
    assert main(["explain", "nobody"]) == Code.NOT_FOUND
    assert "no workflow 'nobody'" in capsys.readouterr().err
    assert main(["explain", scene, "--store", "mysql://host/db"]) == Code.BAD_INPUT
    assert "postgresql://" in capsys.readouterr().err


def test_a_question_leaves_its_tables_beside_the_log_and_the_next_one_goes_on_from_there(
    run: Run, scene: str, tmp_path: Path
) -> None:
    """So that nothing is folded twice."""
    first = _json(run, "explain", scene)
    assert (tmp_path / "log.observe.db").stat().st_size > 0
    again = _json(run, "explain", scene)
    assert again.pop("age") < 1.0, "it was not brought up to date"
    assert first.pop("age") < 1.0
    assert again == first


def test_top_shows_each_step_once_where_nobody_looks_on(run: Run, scene: str) -> None:
    """What it finished, what it owes, how long it takes, and that nobody works at it."""
    text = run("top")
    assert "indices/index" in text
    assert "none" in text
    found = {entry["step"]: entry for entry in _json(run, "top")["steps"]}
    assert len(found) == 10
    assert found["calibration/calibrate"]["p50"] == pytest.approx(1.5, rel=0.05)
    assert found["indices/index"]["workers"] == []
    assert (found["ingest/validate"]["lag"], found["ingest/validate"]["owed"]) == (1, 0)  # the model reads no topic
    assert _json(run, "top", "--rebuild")["steps"] == list(found.values())
