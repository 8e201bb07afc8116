"""`make smoke` for real; then its containers are killed, stopped and started again while they work."""

import asyncio
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from farandole.client import AsyncClient
from farandole.fold import Summary, WorkflowState
from scripts.compose import Project, product
from scripts.compose.smoke import SOURCE, unsealed
from scripts.compose.stage import RECEIVER, in_container
from scripts.containers import Engine
from scripts.demo.scene import TYPE, find_scene

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]

ROOT = Path(__file__).parents[2]
LIMIT = 1_500  # seconds of `make smoke` on a busy machine, with the images that it builds
WORK = 600.0  # seconds of one scene on a busy machine
PATIENCE = 300.0
SERVICES = "ingest stacking tiling calibration masking indices mosaic cog quicklook catalogue".split()


class Smoked(NamedTuple):
    """What `make smoke` said and left. `expected`: its product, whose pixels it found to be those of SQLite."""

    shape: dict[str, Any]
    said: str
    project: Project
    expected: Path


@pytest.fixture(scope="module")
def smoked(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smoked]:
    """`make smoke PROFILE=small`, its containers kept until the end."""
    folder = tmp_path_factory.mktemp("smoke")
    name = f"farandole-test-{uuid.uuid4().hex[:6]}"
    given = {"SECRETS": str(folder / "secrets")}
    project = Project(engine, "small", name, given, (RECEIVER,))
    command = ["make", "--silent", "smoke", "PROFILE=small", "JSON=1", f"KEEP={name}"]
    try:
        env = {**engine.env, **given}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
        expected = product.fetch(project, find_scene().scene_id, folder / "first")
        yield Smoked(json.loads(done.stdout), done.stderr, project, expected)
    finally:
        project.down(wipe=True)


def test_the_scene_goes_through_the_containers_to_the_same_pixels_spans_and_samples(smoked: Smoked) -> None:
    """As `make smoke` found by itself; what it did not start, it says."""
    shape = smoked.shape
    assert (shape["status"], shape["well"]) == ("complete", True)
    assert [one["what"] for one in shape["findings"] if one["well"]] == [
        *("product", "spans", "samples", "tables", "containers"),
    ]
    assert shape["images"].keys() == {*SERVICES, "topics", "observe", "kafka", "postgres", "prometheus", "receiver"}
    assert shape["not_started"] == ["jaeger", "grafana", "sla-watcher"]
    assert "not started in profile small: jaeger, grafana, sla-watcher" in smoked.said


def test_killed_containers_come_back_by_themselves_and_the_pixels_are_the_same(smoked: Smoked) -> None:
    """SIGKILL to their processes, while tiles are on their way."""
    victims = ("tiling", "calibration", "masking", "indices", "mosaic", "observe")

    def kill() -> None:
        for name in victims:
            os.kill(smoked.project.containers()[name].about["State"]["Pid"], signal.SIGKILL)

    check(smoked, "killed", amid(smoked, "killed", kill))
    restarted = {name: one.about["RestartCount"] for name, one in smoked.project.wait_well(PATIENCE).items()}
    assert all(restarted[name] >= 1 for name in victims), restarted


def test_docker_stop_of_any_service_ends_it_in_order_and_loses_nothing(smoked: Smoked) -> None:
    """Each ends with 0 within its grace, work or no work, and what it left is done when it is back."""
    codes = {}

    def stop() -> None:
        for name in (*SERVICES, "observe"):
            container = smoked.project.containers()[name].id
            smoked.project.engine.docker("stop", container)
            codes[name] = smoked.project.containers()[name].code
            smoked.project.engine.docker("start", container)

    check(smoked, "stopped", amid(smoked, "stopped", stop))
    assert codes == dict.fromkeys((*SERVICES, "observe"), 0)
    assert [flaw for one in smoked.project.wait_well(PATIENCE).values() for flaw in unsealed(one)] == []


def amid(smoked: Smoked, scene_id: str, deed: Callable[[], None]) -> WorkflowState:
    """The demonstration's scene under another id, and `deed` done once its first tiles are indexed."""
    return asyncio.run(_amid(smoked.shape["log"], in_container(find_scene(), scene_id), deed))


async def _amid(log: str, data: dict[str, Any], deed: Callable[[], None]) -> WorkflowState:
    begun = asyncio.Event()

    def look(summary: Summary) -> None:
        if (step := summary.steps.get("calibration/calibrate")) is not None and step.done:
            begun.set()

    async with AsyncClient(log) as client:
        published = await client.publish(TYPE, data, source=SOURCE)
        waiting = asyncio.ensure_future(client.wait(published.workflow, WORK, progress=look))
        async with asyncio.timeout(WORK):
            await begun.wait()
        await asyncio.to_thread(deed)
        return await waiting


def check(smoked: Smoked, scene_id: str, state: WorkflowState) -> None:
    """Complete, each delivery once, and to the last pixel what came of it before."""
    assert state.status == "complete", state.left
    assert {step: count.done for step, count in state.summary.steps.items()} == {
        step: 18 if step.startswith(("calibration", "masking", "indices")) else 1 for step in state.summary.steps
    }
    found = product.fetch(smoked.project, scene_id, smoked.expected.parent.parent / "later")
    assert product.flaws(found, smoked.expected) == []
