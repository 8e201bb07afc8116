"""`up` and `run`: what dies is started again, what is told to stop stops, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import Project, alive, descendants, end, environment, until

pytestmark = pytest.mark.e2e


def _services(project: Project) -> dict[str, dict[str, Any]]:
    done = project.main("ps", "--json")
    assert done.returncode == 0, done.stderr
    return {service["service"]: service for service in json.loads(done.stdout)["services"]}


def test_up_restarts_what_is_killed_and_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    """The work that was under way is done by the next process; the run file goes with the supervisor."""
    project = Project.make(tmp_path)
    with project.up() as up:
        before = _services(project)
        assert {name: (s["state"], s["restarts"]) for name, s in before.items()} == {
            "shop": ("running", 0),
            "shop-2": ("running", 0),
        }
        data = json.dumps({"order": "a", "items": 2, "seconds": 1.0})
        assert project.main("publish", "order.placed", "--data", data, "--id", "a").returncode == 0
        os.kill(before["shop-2"]["pid"], signal.SIGKILL)
        project.await_text("up.err", "shop-2 | farandole: was ended by SIGKILL; starts again in 0.25 s")
        waited = project.main("publish", "order.placed", "--data", data, "--id", "a", "--wait", "--timeout", "30s")
        assert waited.returncode == 0, waited.stderr
        after = _services(project)
        assert after["shop"]["pid"] == before["shop"]["pid"]
        assert (after["shop-2"]["state"], after["shop-2"]["restarts"]) == ("running", 1)
        assert after["shop-2"]["pid"] != before["shop-2"]["pid"]
        left = descendants(up.pid)
        assert len([p for p in left if "run" in p.cmdline()]) >= 2
        up.send_signal(signal.SIGINT)
        assert up.wait(20) == 0
        until(lambda: not alive(left))
    text = (tmp_path / "up.err").read_text()
    assert "Traceback" not in text
    assert text.count('"event": "stopped"') == 2
    assert not (tmp_path / "var" / "log.db.up").exists()
    assert project.main("log", "check").returncode == 0
    assert json.loads(project.main("ps", "--json").stdout) == {"services": []}


def test_a_supervisor_that_is_killed_takes_its_services_along(tmp_path: Path) -> None:
    """SIGKILL gives it no chance to; the guard sees to it. `ps` then knows of nothing."""
    project = Project.make(tmp_path)
    with project.up() as up:
        left = descendants(up.pid)
        up.kill()
        up.wait()
        until(lambda: not alive(left))
        assert _services(project) == {} or {s["state"] for s in _services(project).values()} == {"gone"}


def test_a_service_that_refuses_to_start_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    """It is not tried again; when all refuse, so does `up`."""
    project = Project.make(tmp_path)
    (tmp_path / "broken.py").write_text("from farandole import Service\nservice = Service('broken')\n")
    with project.up("shop:picking", "broken:service", services=1):
        project.await_text("up.err", "broken | farandole: refuses to start (exit 78); the others go on")
        assert "declares no step" in (tmp_path / "up.err").read_text()
        states = {name: service["state"] for name, service in _services(project).items()}
        assert states == {"shop": "running", "broken": "refused"}
    alone = project.farandole("up", "broken:service")
    assert alone.returncode == 78


def test_what_dies_again_and_again_is_started_ever_later(tmp_path: Path) -> None:
    """The delay doubles, so that a crash loop eats no machine."""
    project = Project.make(tmp_path)
    (tmp_path / "dies.py").write_text("import os\nos._exit(3)\n")
    process = project.start("up", "dies:service")
    try:
        project.await_text("up.err", "ended with exit code 3; starts again in 1 s")
    finally:
        end(process)
    text = (tmp_path / "up.err").read_text()
    delays = [line.rsplit("starts again in ", 1)[1] for line in text.splitlines() if "starts again" in line]
    assert delays[:3] == ["0.25 s", "0.5 s", "1 s"]


def test_run_drains_on_sigterm_and_ends_at_once_on_the_second_signal(tmp_path: Path) -> None:
    """Exit 0 after draining, 130 after two; the log is whole, and the work is done by whoever comes next."""
    project = Project.make(tmp_path)
    run = project.start("run", "shop:picking", "shop:packing")
    try:
        project.await_text("run.err", '"event": "started"')
        data = json.dumps({"order": "a", "seconds": 1.0})
        assert project.main("publish", "order.placed", "--data", data, "--id", "drained").returncode == 0
        time.sleep(0.3)
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 0
    finally:
        end(run)
    assert _status(project, "drained") == "complete"
    run = project.start("run", "shop:picking", "shop:packing")
    try:
        project.await_text("run.err", '"event": "started"')
        data = json.dumps({"order": "b", "seconds": 3.0})
        assert project.main("publish", "order.placed", "--data", data, "--id", "cut").returncode == 0
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert "Traceback" not in (tmp_path / "run.err").read_text()
    finally:
        end(run)
    assert project.main("log", "check").returncode == 0
    assert _status(project, "cut") == "running"
    with project.up():
        until(lambda: _status(project, "cut") == "complete")


def _status(project: Project, workflow: str) -> str:
    found: str = json.loads(project.main("status", workflow, "--json").stdout)["workflows"][0]["status"]
    return found


def test_a_new_project_runs_as_it_is_and_its_test_passes(tmp_path: Path) -> None:
    """As its README says."""
    made = Project(tmp_path).farandole("new", "word-count")
    assert made.returncode == 0
    project = Project(tmp_path / "word-count")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    with project.up(services=1):
        data = json.dumps({"text_id": "t1", "text": "one two\nthree"})
        done = project.main(
            "publish",
            "text.received",
            "--data",
            data,
            "--id",
            "t1",
            "--wait",
            "--expect",
            "text.counted",
            "--timeout",
            "30s",
        )
        assert done.returncode == 0, done.stderr
        shown = project.main("events", "t1", "--data", "--json")
        assert json.loads(shown.stdout)["events"][-1]["data"] == {"text_id": "t1", "lines": 2, "words": 3}


def test_ctrl_c_twice_on_up_ends_it_at_once_and_leaves_the_log_whole(tmp_path: Path) -> None:
    """As a terminal sends it, to the whole group; no process is left, and the work is done by whoever comes next."""
    project = Project.make(tmp_path)
    with project.up() as up:
        data = json.dumps({"order": "a", "seconds": 4.0})
        assert project.main("publish", "order.placed", "--data", data, "--id", "cut").returncode == 0
        until(lambda: bool(_steps(project, "cut").get("packing/pack")))
        left = descendants(up.pid)
        os.killpg(up.pid, signal.SIGINT)
        project.await_text("up.err", "once more ends it at once")
        began = time.monotonic()
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait(20) in (0, 130)
        assert time.monotonic() - began < 3.0
        until(lambda: not alive(left))
    assert "Traceback" not in (tmp_path / "up.err").read_text()
    assert project.main("log", "check").returncode == 0
    assert _status(project, "cut") == "running"
    with project.up():
        until(lambda: _status(project, "cut") == "complete")


def _steps(project: Project, workflow: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.main("status", workflow, "--json").stdout)["workflows"][0]["steps"]
    return found
