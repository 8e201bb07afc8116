"""/livez and /readyz of real services: a step that stands still, one that drains, and an address that is taken."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.cli.project import START, Project, end, until
from tests.support.prometheus import fetch

pytestmark = pytest.mark.e2e
STANDS = """
import time
from pathlib import Path

from farandole import Event, Service


class Given(Event, type="job.given", key="job"):
    job: str


class Done(Event, type="job.done", key="job", final=True):
    job: str


service = Service("stands", accepts=[Given])


@service.step
def work(given: Given) -> Done:
    while not Path("go").exists():
        time.sleep(0.05)
    return Done(job=given.job)
"""


@contextmanager
def standing(folder: Path, settings: str) -> Iterator[tuple[Project, "subprocess.Popen[str]", str]]:
    """A service whose step ends when a file is there; and where its probes are."""
    project = Project.make(folder)
    (folder / "stands.py").write_text(STANDS)
    (folder / "farandole.toml").write_text(f'log = "sqlite:///var/log.db"\n{settings}\n')
    process = project.start("run", "stands:service", "--metrics", "0", name="run")
    try:
        project.await_text("run.err", '"event": "started"')
        yield project, process, f"http://{addresses(folder / 'run.err')[0]}"
    finally:
        end(process)


def addresses(path: Path) -> list[str]:
    """Where processes say that their metrics are."""
    return re.findall(r"(?:served at |\"at\": \")(127\.0\.0\.1:\d+)", path.read_text())


def answers(url: str, status: int) -> dict[str, object]:
    """What a probe says once it has this status."""
    deadline = time.monotonic() + START
    while (found := fetch(url))[0] != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    body: dict[str, object] = json.loads(found[1])
    return body


def publish(project: Project) -> None:
    done = project.main("publish", "job.given", "--data", '{"job": "a"}', "--id", "a")
    assert done.returncode == 0, done.stderr


def test_a_step_that_stands_still_is_not_alive_until_it_moves_again(tmp_path: Path) -> None:
    """The reason names it; lag and stall grow; once it has ended, all is well and zero."""
    with standing(tmp_path, 'stalled_after = "3s"') as (project, _, url):
        assert answers(f"{url}/livez", 200) == {"ok": True, "reasons": []}
        answers(f"{url}/readyz", 200)
        publish(project)
        until(lambda: "stands/work: 1 deliveries are to run" in fetch(f"{url}/livez")[1])
        assert answers(f"{url}/livez", 503)["ok"] is False
        assert value(url, "farandole_stalled_seconds") > 3.0
        assert value(url, "farandole_lag_seconds") > 3.0
        assert value(url, "farandole_in_flight") == 1
        (tmp_path / "go").touch()
        answers(f"{url}/livez", 200)
        until(lambda: value(url, "farandole_lag_seconds") == 0.0)
        assert value(url, "farandole_stalled_seconds") == 0.0


def value(url: str, name: str) -> float:
    """Of a metric that has one series; no number before the first look at the step."""
    found = re.findall(rf"^{name}{{.*}} (\S+)$", fetch(f"{url}/metrics")[1], re.MULTILINE)
    assert len(found) <= 1, found
    return float(found[0]) if found else math.nan


def test_who_is_told_to_stop_is_alive_and_no_longer_ready_while_it_drains(tmp_path: Path) -> None:
    """What runs ends within the grace, is committed, and then the process ends well."""
    with standing(tmp_path, 'grace = "60s"') as (project, process, url):
        publish(project)
        until(lambda: value(url, "farandole_running") == 1)
        process.send_signal(signal.SIGTERM)
        assert answers(f"{url}/readyz", 503)["reasons"] == ["draining: it is being stopped"]
        answers(f"{url}/livez", 200)
        assert process.poll() is None
        (tmp_path / "go").touch()
        assert process.wait(START) == 0
        with pytest.raises((URLError, OSError)):
            fetch(f"{url}/readyz")
        assert "job.done" in project.main("events", "a").stdout


def test_an_address_that_is_taken_or_wrong_refuses_the_start(tmp_path: Path) -> None:
    """With the remedy, before anything runs."""
    with standing(tmp_path, "") as (project, _, url):
        taken = project.farandole("run", "shop:picking", "--metrics", url.removeprefix("http://"))
        assert (taken.returncode, "choose another port" in taken.stderr) == (78, True), taken.stderr
        observing = project.farandole("observe", "--metrics", url.removeprefix("http://"))
        assert (observing.returncode, "choose another port" in observing.stderr) == (2, True), observing.stderr
        wrong = project.main("run", "shop:picking", "--metrics", "host:")
        assert (wrong.returncode, "--metrics: 'host:' is no address; give host:port" in wrong.stderr) == (78, True)


def test_where_it_is_switched_off_nothing_of_it_is_loaded() -> None:
    """A service that nobody scrapes starts and runs as before."""
    code = "import sys, farandole.cli.run_command as r; print({'prometheus_client', 'wsgiref'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
