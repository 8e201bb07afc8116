"""What can be asked of a scene on its way: half-way, with a damaged tile, and once that is mended; real services."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from farandole.assets.local import LocalAssets
from farandole.cli import main
from farandole.client import AsyncClient
from scripts.demo.scene import TYPE, find_scene

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
FIRST = ("ingest", "stacking", "tiling", "calibration", "masking")
REST = ("indices", "mosaic", "cog", "quicklook", "catalogue")
TILES = 18
PATIENCE = 120.0  # seconds
Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """A command that has to succeed, on a log in a folder of its own; its JSON, or what it prints for people."""
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path}/log.db")
    monkeypatch.setenv("FARANDOLE_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("FARANDOLE_SCRATCH", str(tmp_path))
    monkeypatch.setenv("FARANDOLE_ROOTS", str(find_scene().folder))
    monkeypatch.setenv("CATALOGUE_SHELF", str(tmp_path / "products"))

    def ask(*args: str, people: bool = False) -> Any:
        capsys.readouterr()
        assert main([*args, *(() if people else ("--json",))]) == 0, capsys.readouterr().err
        said = capsys.readouterr().out
        return said if people else json.loads(said)

    return ask


@contextmanager
def serving(*names: str) -> Iterator[None]:
    """These services, each in a process of its own; one attempt is all that an index gets."""
    argv = [sys.executable, "-m", "farandole", "up", *(f"{name}.steps:service" for name in names)]
    env = os.environ | {"FARANDOLE_STEP__INDICES__INDEX__ATTEMPTS": "1"}
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        try:
            yield
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(PATIENCE)


def until(ask: Ask, wanted: Callable[[Any], bool], question: str = "status", of: str = "workflows") -> Any:
    """The first answer of which it is so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = ask(question)[of] if os.path.exists(os.environ["FARANDOLE_LOG"].removeprefix("sqlite:///")) else []
        if found and wanted(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def done_by(step: str) -> Callable[[Any], bool]:
    """Whether the only workflow's tiles have all passed a step."""
    return lambda found: found[0]["steps"].get(step, {}).get("completed") == TILES


def stands(status: str) -> Callable[[Any], bool]:
    """Whether the only workflow stands so."""
    return lambda found: found[0]["status"] == status


async def published() -> str:
    """The scene is told of; its workflow."""
    deadline = time.monotonic() + PATIENCE
    async with AsyncClient(os.environ["FARANDOLE_LOG"]) as client:
        while TYPE not in {spec.name for spec in await client.log.topics()}:
            assert time.monotonic() < deadline, "the services do not start"
            await asyncio.sleep(0.1)
        return (await client.publish(TYPE, find_scene().data, source="test")).workflow


def masked(workflow: str) -> str:
    """The mask of the tile of number 7."""

    async def read() -> str:
        async with AsyncClient(os.environ["FARANDOLE_LOG"]) as client:
            for envelope in await client.events(workflow):
                if envelope.type == "tile.masked" and (data := json.loads(envelope.data))["index"] == 7:
                    return str(data["mask"]["uri"])
        raise AssertionError("tile 7 was not masked")

    return asyncio.run(read())


def test_what_is_missing_is_named_until_the_product_is_there(ask: Ask, tmp_path: Path) -> None:
    """Who owes what half-way; which tile died, and why, when one is damaged; mended, the scene is complete."""
    with serving(*FIRST, *REST):  # once, so that the log knows who takes what
        until(ask, lambda steps: len(steps) == len(FIRST + REST), "topology", "steps")
    with serving(*FIRST):
        workflow = asyncio.run(published())
        until(ask, done_by("masking/mask"))

    # half-way
    left = ask("status", workflow)["workflows"][0]["left"]
    assert {(one["kind"], one["step"]) for one in left} >= {("owed", "indices/index")}, left
    assert sum(one["step"] == "indices/index" for one in left) == TILES
    said = ask("explain", workflow, people=True)
    assert "indices/index" in said
    assert "owed" in ask("timeline", workflow, people=True)
    assert {"no-worker"} <= {one["kind"] for one in ask("stuck")["stuck"]}

    # a damaged tile
    path = LocalAssets(tmp_path / "assets").path(masked(workflow))
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(b"\0" * len(whole))
    with serving(*REST):
        until(ask, stands("dead"))
    explained = ask("explain", workflow, people=True)
    assert "mosaic/merge waits for tile.indexed" in explained
    assert "dead" in explained
    (letter,) = ask("dlq", "list")["dead_letters"]
    assert letter["step"] == "indices/index"
    assert "has other content" in letter["error"]
    assert letter["key"] in explained
    assert "has other content" in explained

    # mended
    path.write_bytes(whole)
    assert ask("dlq", "redrive", "--all")["asked"][0]["delivery"] == letter["delivery"]
    with serving(*REST):
        assert done_by("indices/index")(until(ask, stands("complete")))
    assert ask("status", workflow)["workflows"][0]["left"] == []
    assert "complete" in ask("explain", workflow, people=True)
    assert ask("stuck")["stuck"] == []
    assert "catalogue/shelve" in ask("timeline", workflow, people=True)
    assert "mosaic/merge" in ask("topology", people=True)
    assert ask("status", workflow, "--rebuild")["workflows"] == ask("status", workflow)["workflows"]
