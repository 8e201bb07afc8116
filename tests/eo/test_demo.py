"""`make demo` as a user runs it: ten real processes on a real log, in a folder of its own."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pystac
import pytest
import rasterio

from catalogue.check import check_item
from catalogue.item import ITEM, PRODUCT, QUICKLOOK
from cog.write import check_cog
from farandole.engines.open import open_log
from farandole.events.facts import Fact
from farandole.testing.history import read_history
from tests.support import earth
from tests.support.plain_chain import PlainRun

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
SCENE = "T33UUU_20170216T102101"
LIMIT = 240  # seconds that one run may take on a busy machine


@dataclass(frozen=True)
class Ran:
    """What a run of the demonstration left."""

    code: int
    out: str
    err: str


def demo(folder: Path, *arguments: str, **env: str) -> Ran:
    done = subprocess.run(
        command(folder, *arguments),
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "scripts.demo", "--folder", str(folder), *arguments]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all runs of this module go, as those of `make demo` go to one place."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder: Path) -> Ran:
    return demo(folder, "--json")


@pytest.fixture(scope="module")
def second(folder: Path, first: Ran) -> Ran:
    """After one that was interrupted in the middle of its work."""
    assert first.code == 0
    interrupt(folder)
    return demo(folder)


def interrupt(folder: Path) -> None:
    """Start a run, and press Ctrl-C once its scene is being processed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command(folder), cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "stacking/stack" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert "stopped" in out


def facts_of(folder: Path) -> list[Fact]:
    async def read() -> list[Fact]:
        log = await open_log(f"sqlite:///{folder / 'log.db'}")
        try:
            return [told.fact for told in (await read_history(log)).told]
        finally:
            await log.close()

    return asyncio.run(read())


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that was started with this folder among its settings."""
    found = []
    for process in psutil.process_iter():
        try:
            named = str(folder) in " ".join(process.environ().values())
        except psutil.Error:
            continue
        if named and process.pid != os.getpid():
            found.append(process)
    return found


def farandole(*arguments: str) -> Any:
    argv = [sys.executable, "-m", "farandole", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def pixels_of(path: Path) -> npt.NDArray[np.int16]:
    with rasterio.open(path) as source:
        pixels: npt.NDArray[np.int16] = source.read()
    return pixels


def test_a_real_scene_becomes_a_valid_product_with_the_pixels_of_the_plain_loop(
    folder: Path, first: Ran, tiled: PlainRun
) -> None:
    """Ten processes and a durable log change no pixel."""
    assert first.code == 0, first.err
    result = json.loads(first.out)
    assert (result["status"], result["valid"], result["problems"], result["tiles"]) == ("complete", True, [], 18)
    product = folder / "products" / SCENE
    assert Path(result["product"]) == product
    assert {path.name for path in product.iterdir()} == {PRODUCT, QUICKLOOK, ITEM}
    check_cog(product / PRODUCT)
    check_item(pystac.Item.from_dict(json.loads((product / ITEM).read_text())))
    assert (pixels_of(product / PRODUCT) != pixels_of(tiled.product)).sum() == 0


def test_every_delivery_of_the_first_run_ended_exactly_once(folder: Path, first: Ran) -> None:
    """Counted in the journal, and told by the run itself."""
    result = json.loads(first.out)
    found = earth.endings(fact for fact in facts_of(folder) if fact.workflow == result["workflow"])
    assert set(found.values()) == {1}
    assert Counter((step, fact) for step, _, fact in found.elements()) == earth.expected_endings(tiles=18)
    assert {step: count["done"] for step, count in result["steps"].items()} == {
        step: count for (step, fact), count in earth.expected_endings(tiles=18).items() if fact == "completed"
    }


def test_the_log_is_the_only_database_and_no_process_stays_behind(folder: Path, first: Ran) -> None:
    """What somebody finds who looks into the folder afterwards."""
    assert first.code == 0
    assert [path.name for path in folder.glob("*.db")] == ["log.db"]
    assert processes_of(folder) == []


def test_the_lineage_of_the_product_goes_back_to_the_scene_through_every_step(folder: Path, first: Ran) -> None:
    """By the workflow, and by the product's own content; every event stands in it, and every step with its version."""
    workflow = json.loads(first.out)["workflow"]
    options = ("--rebuild", "--json", "--log", f"sqlite:///{folder / 'log.db'}")
    found = farandole("lineage", workflow, *options)
    assert {e["role"] for e in found["events"]} == {"product", "used"}
    (product,) = (e for e in found["events"] if e["role"] == "product")
    assert [a["media_type"].partition(";")[0] for a in product["assets"]] == [
        "image/tiff", "image/png", "application/geo+json",
    ]  # fmt: skip
    made = {m["step"]: {found["settings"][m["settings"]]["version"]} for m in found["makings"]}
    assert made == {step: {"0.1.0"} for step, _ in earth.expected_endings(tiles=18)}
    (shelf,) = (s["configured"] for s in found["settings"] if s["step"] == "catalogue/shelve")
    assert shelf == {"CatalogueSettings": {"shelf": str(folder / "products")}}
    digest = hashlib.sha256((folder / "products" / SCENE / PRODUCT).read_bytes()).hexdigest()
    (by_content,) = farandole("lineage", f"asset:sha256/{digest}", *options)["workflows"]
    assert by_content["workflow"] == workflow
    (origin,) = by_content["origins"]
    assert {e["number"]: e["type"] for e in by_content["events"]}[origin] == "cog.written.v1"
    assert "scene.received.v1" in {e["type"] for e in by_content["events"]}


def test_after_ctrl_c_another_run_succeeds_as_a_workflow_of_its_own(folder: Path, first: Ran, second: Ran) -> None:
    """The second product takes the place of the first, of which it is a copy; nothing ended twice."""
    assert second.code == 0, second.err
    workflows = farandole("status", "--json", "--log", f"sqlite:///{folder / 'log.db'}")["workflows"]
    assert len(workflows) == 3
    assert workflows[-1]["workflow"] == json.loads(first.out)["workflow"]
    assert [workflows[0]["status"], workflows[-1]["status"]] == ["complete", "complete"]
    assert set(earth.endings(facts_of(folder)).values()) == {1}
    assert {path.name for path in (folder / "products" / SCENE).iterdir()} == {PRODUCT, QUICKLOOK, ITEM}
    assert processes_of(folder) == []


def test_progress_is_shown_and_the_commands_to_look_closer_work_when_pasted(second: Ran) -> None:
    """Without a terminal the progress comes as plain lines; the time of every step follows."""
    head, _, tail = second.out.partition("look closer:\n")
    assert "stacking/stack 1 running" in head
    assert all(name in head for name in ("calibration/calibrate", "catalogue/shelve", f"products/{SCENE}/item.json"))
    commands = [line.strip() for line in tail.splitlines()]
    assert len(commands) >= 3
    for pasted in commands:
        done = subprocess.run(pasted, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), pasted
        assert "scene" in done.stdout or "catalogue" in done.stdout


def test_a_scene_that_cannot_go_on_ends_the_run_with_3_and_says_why(tmp_path: Path) -> None:
    """Here the program that warps always fails: a dead letter stands, and no product."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gdalwarp", "gdalbuildvrt", "gdal_translate"):
        (programs / name).write_text("#!/bin/sh\necho 'no disk is large enough' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    alone = {"FARANDOLE_UP__SERVICES": "ingest.steps:service stacking.steps:service"}
    ran = demo(tmp_path, PATH=path, FARANDOLE_STEP__STACKING__STACK__ATTEMPTS="1", **alone)
    assert ran.code == 3, ran.err
    assert "stacking/stack set scene.validated" in ran.out
    assert "no disk is large enough" in ran.out
    assert "dlq list" in ran.out
    assert not (tmp_path / "products").exists()
    assert processes_of(tmp_path) == []


def test_services_that_refuse_to_start_end_the_run_with_what_they_said(tmp_path: Path) -> None:
    """Nobody has to look for the reason, and nothing was published to a stage without a cast."""
    ran = demo(tmp_path, FARANDOLE_UP__SERVICES="nowhere.steps:service")
    assert ran.code == 1
    assert "the services ended before they served" in ran.out
    assert "nowhere.steps:service" in ran.out
    assert farandole("status", "--json", "--log", f"sqlite:///{tmp_path / 'log.db'}")["workflows"] == []
    assert processes_of(tmp_path) == []


def test_a_log_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    """Each of the ten would dance alone."""
    ran = demo(tmp_path, "--log", "memory:")
    assert ran.code == 2
    assert "cannot share it" in ran.out
