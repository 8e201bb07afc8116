"""`make smoke` for real; then its containers are killed, stopped and started again while they work."""

import asyncio
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from farandole.client import AsyncClient
from farandole.engines.open import open_log
from farandole.fold import Summary, WorkflowState
from farandole_observe.projector.replica import Replica
from farandole_observe.store.opening import MEMORY, open_store
from scripts.compose import Project, product
from scripts.compose.assets import in_folder, stored
from scripts.compose.images import find_images
from scripts.compose.reading import until_nothing
from scripts.compose.smoke import SOURCE, unsealed
from scripts.compose.stage import OWN_COPIES, RECEIVED, RECEIVER, in_container
from scripts.containers import Engine
from scripts.demo.scene import TYPE, find_scene
from tests.observe.given import hash_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]

ROOT = Path(__file__).parents[2]
LIMIT = 1_500  # seconds of `make smoke` on a busy machine, with the images that it builds
WORK = 600.0  # seconds of one scene on a busy machine
PATIENCE = 300.0
AWAY = 15.0  # seconds
SERVICES = "ingest stacking tiling calibration masking indices mosaic cog quicklook catalogue".split()


class Smoked(NamedTuple):
    """What `make smoke` said and left. `expected`: its product, whose pixels it found to be those of SQLite."""

    shape: dict[str, Any]
    said: str
    project: Project
    expected: Path
    secrets: str


class Moved(NamedTuple):
    """They once more, with the object store. `in_folder`: contents that the volume has got; `observe`: as it began."""

    project: Project
    state: WorkflowState
    in_folder: int
    observe: Mapping[str, Any]


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
        yield Smoked(json.loads(done.stdout), done.stderr, project, expected, given["SECRETS"])
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
    assert shape["not_started"] == ["objects", "jaeger", "grafana", "sla-watcher"]
    assert "not started in profile small: objects, jaeger, grafana, sla-watcher" in smoked.said


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


def test_all_go_on_by_themselves_when_the_only_broker_was_away(smoked: Smoked) -> None:
    """Stopped in order, as for an upgrade, and for longer than every lease and session lasts."""

    def restart() -> None:
        kafka = smoked.project.containers()["kafka"].id
        smoked.project.engine.docker("stop", kafka)
        time.sleep(AWAY)
        smoked.project.engine.docker("start", kafka)

    check(smoked, "broker-away", amid(smoked, "broker-away", restart))


@pytest.fixture(scope="module")
def in_bucket(smoked: Smoked) -> Iterator[Moved]:
    """The same containers with the object store beside, and a scene amid which PostgreSQL stops and starts again."""
    given = as_started(smoked) | find_images(smoked.project.engine, "objects", print)
    project = replace(smoked.project, profile="objects", variables=given)
    before = in_folder(project)
    try:
        project.up()
        containers = project.wait_well(PATIENCE)

        def restart() -> None:
            project.engine.docker("stop", containers["postgres"].id)
            assert until_nothing(lambda: ["not noticed"] * (not waits(project)), PATIENCE) == []
            project.engine.docker("start", containers["postgres"].id)

        state = amid(smoked, "in-bucket", restart)
        yield Moved(project, state, in_folder(project) - before, containers["observe"].about)
    finally:
        project.down(wipe=True)


def test_assets_go_through_the_object_store_to_the_same_pixels(smoked: Smoked, in_bucket: Moved) -> None:
    """None of them through the volume, and nothing on the way is other than it was."""
    check(smoked, "in-bucket", in_bucket.state)
    assert stored(in_bucket.project) > 0
    assert in_bucket.in_folder == 0
    assert [flaw for one in in_bucket.project.wait_well(PATIENCE).values() for flaw in unsealed(one)] == []


def test_the_projector_goes_on_when_postgresql_was_away_and_its_tables_are_those_of_the_log(
    smoked: Smoked, in_bucket: Moved
) -> None:
    """By itself: its process is the same. The tables are compared with what the whole log is folded to anew."""
    password = Path(smoked.secrets, "tables").read_text()
    tables = f"postgresql://farandole:{password}@127.0.0.1:{port(in_bucket.project, 'postgres')}/farandole"
    assert until_nothing(lambda: asyncio.run(other_tables(smoked.shape["log"], tables)), PATIENCE) == []
    observe = in_bucket.project.containers()["observe"].about
    assert observe["State"]["StartedAt"] == in_bucket.observe["State"]["StartedAt"]


def waits(project: Project) -> bool:
    """Whether the projector has found out that its tables are away."""
    said = project.engine.ask("logs", project.containers()["observe"].id)
    return "the projection waits" in said.stdout + said.stderr


async def other_tables(log_url: str, tables: str) -> list[str]:
    """Whether they are other than what comes of folding the log anew."""
    there, anew, log = await open_store(tables), await open_store(MEMORY), await open_log(log_url)
    try:
        await Replica(log, anew, "test").catch_up()
        return [] if await hash_of(there) == await hash_of(anew) else ["the tables are others"]
    finally:
        for each in (there, anew, log):
            await each.close()


def as_started(smoked: Smoked) -> dict[str, str]:
    """The variables that `make smoke` gave them, so that only what is changed is made anew."""
    told = {f"{name.upper()}_PORT": port(smoked.project, name) for name in ("kafka", "postgres", "prometheus")}
    images = {f"{name.upper()}_IMAGE": smoked.shape["images"][name] for name in ("kafka", "postgres", "prometheus")}
    scenes = {"SCENES": str(find_scene().folder), "SECRETS": smoked.secrets}
    return told | images | scenes | {"TRACES": RECEIVED, "ASSET_CACHE": OWN_COPIES}


def port(project: Project, service: str) -> str:
    """Where it is seen from here."""
    ((bound,),) = project.containers()[service].about["HostConfig"]["PortBindings"].values()
    return str(bound["HostPort"])


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
