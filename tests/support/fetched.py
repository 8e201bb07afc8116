"""Programs and packages of others that tests ask: fetched once into a cache under the user's home.

By one caller at a time. What cannot be had skips a test, loudly, unless it is required.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest


class Recipe(NamedTuple):
    """How something is fetched. `what`: for people. `place`: below the cache, a folder for each version of it.

    `files` are copied into an empty folder, where `argv` then leaves what was wanted, within `limit` seconds. `needs`:
    programs. `required`: the environment variable with which a test fails that is skipped otherwise.
    """

    what: str
    place: str
    argv: Sequence[str]
    needs: Sequence[str]
    required: str
    limit: float
    files: Sequence[Path] = ()


def fetched(recipe: Recipe) -> Path:
    """The folder with it; made on the first call on this machine."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / recipe.place
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():  # another process may have been quicker
                _fetch(recipe, folder)
    return folder


def missing(said: str, required: str) -> NoReturn:
    """Skips the test, or fails it where that is required."""
    if os.environ.get(required):
        pytest.fail(f"{said}, and {required} is set")
    pytest.skip(said)


def _fetch(recipe: Recipe, folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    for program in recipe.needs:
        if shutil.which(program) is None:
            missing(f"{program} is not installed, which fetches {recipe.what}", recipe.required)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for path in recipe.files:
            shutil.copy(path, made)
        try:
            done = subprocess.run(
                recipe.argv,
                cwd=made,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=recipe.limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            missing(f"{recipe.needs[0]} did not fetch {recipe.what} within {recipe.limit:g} s", recipe.required)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-500:]
            missing(f"{recipe.needs[0]} could not fetch {recipe.what}: {said}", recipe.required)
        made.rename(folder)
