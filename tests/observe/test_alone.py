"""The log alone is enough: a backup of it, read where nothing but farandole-observe is installed, tells all."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
_PACKAGES = ("libs/farandole", "libs/farandole-observe")
# One process for all questions: each costs the start of an interpreter otherwise.
_ASK = "import json, sys; from farandole.cli import main; sys.exit(max(main(q) for q in json.loads(sys.argv[1])))"
_INSTALL = 300.0  # seconds that pip may take on a busy machine


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds farandole-observe and what it needs, from wheels built here."""
    folder = tmp_path_factory.mktemp("alone")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = folder / "wheels"
    built = [str(ROOT / package) for package in _PACKAGES]
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), *built)
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    given = [*map(str, sorted(wheels.glob("*.whl"))), "--constraint", str(ROOT / "constraints.txt")]
    _run(*pip, "--python", str(python), "install", *given)
    return python


def _run(*argv: str, cwd: Path | None = None) -> str:
    """As a stranger would: nothing of this checkout, or of ours, in the environment."""
    ours = ("FARANDOLE_", "PYTHON", "VIRTUAL_ENV")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=_INSTALL, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Services that run, after two workflows: one complete, one with a dead letter."""
    project = Project.make(tmp_path_factory.mktemp("shop"))
    with project.up():
        for order, code in (("even", 0), ("odd", 3)):
            data = json.dumps({"order": order, "items": 3})
            done = project.main("publish", "order.placed", "--data", data, "--id", order, "--wait")
            assert done.returncode == code, done.stderr
        yield project


def _live(shop: Project, *args: str) -> Any:
    done = shop.main(*args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_backup_of_the_log_tells_an_environment_with_nothing_else_what_the_live_tables_tell(
    alone: Path, shop: Project, tmp_path: Path
) -> None:
    """No service, no table and no schema is there; the answers are equal but for their age."""
    questions = [(name, order) for order in ("even", "odd") for name in ("status", "explain", "lineage")]
    live = {question: _live(shop, *question) for question in questions}
    copy = tmp_path / "copy.db"
    _live(shop, "log", "backup", str(copy))
    installed = _run(str(alone), "-c", "import importlib.metadata as m; print(*[d.name for d in m.distributions()])")
    assert {"farandole", "farandole-observe"} <= set(installed.split())
    assert {"pytest", "ingest", "tiling", "openlineage-python"}.isdisjoint(installed.split())
    options = ["--rebuild", "--json", "--log", f"sqlite:///{copy}"]
    asked = json.dumps([[*question, *options] for question in live])
    answers = _run(str(alone), "-c", _ASK, asked, cwd=tmp_path).splitlines()
    for (question, told), answer in zip(live.items(), answers, strict=True):
        rebuilt = json.loads(answer)
        assert told.pop("age") is not None
        assert rebuilt.pop("age") is not None
        assert rebuilt == told, question
    assert live["status", "even"]["workflows"][0]["status"] == "complete"
    assert live["status", "odd"]["workflows"][0]["status"] == "dead"
    assert not list(tmp_path.glob("*.observe.db")), "a question with --rebuild left tables behind"
