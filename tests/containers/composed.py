"""What both generations of Compose make of deploy/compose.yaml: Debian's docker-compose 1.29, and Compose v2's parser.

The parser is compose-go, which Compose v2 is made of; Go builds the program around it (`compose_parser/`) into a cache
under the user's home.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.compose import NoCompose
from tests.containers.required import without_docker

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_PARSER = Path(__file__).with_name("compose_parser")
_BUILD = 900.0  # seconds; half a minute of a core, and what the network takes


def config(generation: int, profile: str, more: Sequence[Path] = (), **variables: str) -> dict[str, Any]:
    """The whole configuration as that generation understands it. A warning fails.

    Skips, loudly, where its program cannot be had, unless that is required.
    """
    files = [DEPLOY / "compose.yaml", *more]
    of_profile = DEPLOY / f"{profile}.env"
    if generation == 1:
        options = [text for path in files for text in ("--file", str(path))]
        argv = [_first(), *options, "--env-file", str(of_profile), "config"]
    else:
        argv = [str(_second()), str(of_profile), *map(str, files)]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def _first() -> str:
    found = shutil.which("docker-compose")
    if found is None:
        without_docker(NoCompose("docker-compose is not installed (on Debian: apt-get install docker-compose)"))
    return found


def _second() -> Path:
    """Built on the first call on this machine, by one caller at a time."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_PARSER.iterdir()))).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / "compose"
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / digest
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():  # which appears whole or not at all
            _build(program)
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        without_docker(NoCompose("go (1.23 or newer) is not installed, which builds Compose's parser"))
    command = [go, "build", "-o", str(program), "."]
    done = subprocess.run(command, cwd=_PARSER, capture_output=True, text=True, timeout=_BUILD, check=False)
    if done.returncode:
        without_docker(NoCompose(f"go could not build Compose's parser: {done.stderr.strip()[-500:]}"))
