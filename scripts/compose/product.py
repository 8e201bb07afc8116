"""The product of a scene that went through the containers, beside that of the same scene on an embedded log."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio

from scripts.compose.errors import ComposeFailed
from scripts.compose.project import ROOT, Project
from scripts.demo.check import problems
from scripts.demo.files import PRODUCT

SHELF = "/var/lib/farandole/products"  # in the container of the catalogue
_LIMIT = 600.0  # seconds that the run on the embedded log may take
_TAIL = 2_000


class Reference:
    """The demonstration on SQLite, which goes on beside whatever is done meanwhile."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def product(self) -> Path:
        """The folder of its product, when there is one. Raises ComposeFailed."""
        try:
            out, err = self._process.communicate(timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            raise ComposeFailed(f"the demonstration on SQLite did not end within {_LIMIT:.0f} s") from None
        if self._process.returncode:
            raise ComposeFailed(f"the demonstration on SQLite ended with {self._process.returncode}:\n{err[-_TAIL:]}")
        return Path(json.loads(out)["product"])


@contextmanager
def reference(folder: Path) -> Iterator[Reference]:
    """It writes below `folder`, and ends with the context."""
    command = [sys.executable, "-m", "scripts.demo", "--folder", str(folder), "--json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("FARANDOLE_")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Reference(process)
        finally:
            process.terminate()


def fetch(project: Project, scene_id: str, folder: Path) -> Path:
    """A copy of a product below `folder`. Raises EngineFailed where the catalogue has none."""
    container = project.containers()["catalogue"].id
    folder.mkdir(parents=True, exist_ok=True)
    project.engine.docker("cp", f"{container}:{SHELF}/.", str(folder))
    return folder / scene_id


def flaws(product: Path, expected: Path) -> list[str]:
    """What is wrong with a product, or other than in the expected one; a sentence each."""
    found = list(problems(product))
    if found:
        return found
    with rasterio.open(product / PRODUCT) as ours, rasterio.open(expected / PRODUCT) as theirs:
        if ours.shape != theirs.shape or ours.transform != theirs.transform:
            return [f"{PRODUCT}: {ours.shape} pixels at {ours.transform}, not {theirs.shape} at {theirs.transform}"]
        differing = int(np.count_nonzero(ours.read() != theirs.read()))
    return [f"{PRODUCT}: {differing} pixels differ from those of the run on SQLite"] if differing else []
