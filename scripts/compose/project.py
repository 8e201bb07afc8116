"""One project of deploy/compose.yaml: up, down, and how its containers are; with whichever Compose is installed."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scripts.compose.errors import ComposeFailed, NoCompose
from scripts.containers import Engine
from scripts.containers.client import find_docker

Profile = Literal["small", "objects", "full"]

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
NAME = "farandole"  # of the project that `make up` starts; small.env and full.env say the same
ONCE = "topics"  # the service that ends when it is done
PROFILES: Mapping[Profile, tuple[str, ...]] = {
    "small": ("objects", "jaeger", "grafana", "sla-watcher"),
    "objects": ("jaeger", "grafana", "sla-watcher"),
    "full": (),
}
"""What each leaves out."""
_LIMIT = 600.0  # seconds of one command of Compose
_LOOK = 0.5
_TAIL = 3_000
_SHOWN = 40  # lines of a container's output
_LABEL = "com.docker.compose"
_REMEDY = "install docker-compose-plugin (Compose v2), or on Debian: apt-get install docker-compose"


@dataclass(frozen=True, slots=True)
class Container:
    """How a container is. `health`: starting, healthy, unhealthy; empty: it has no check. `code`: of one that ended."""

    id: str
    service: str
    status: str
    health: str
    code: int
    about: Mapping[str, Any]

    @property
    def well(self) -> bool:
        """Whether it serves, or did what it is there for."""
        if self.service == ONCE:
            return self.status == "exited" and self.code == 0
        return self.status == "running" and self.health in ("healthy", "")


@dataclass(frozen=True, slots=True)
class Project:
    """`variables`: of compose.yaml, beside what the environment says; `more`: files over it."""

    engine: Engine
    profile: Profile
    name: str = NAME
    variables: Mapping[str, str] | None = None
    more: tuple[Path, ...] = ()

    def up(self) -> None:
        """Make and start what is missing; it returns when each has started. Raises ComposeFailed."""
        self._compose("up", "--detach")

    def down(self, *, wipe: bool) -> None:
        """Stop and remove the containers; with `wipe` the volumes too. Raises ComposeFailed."""
        self._compose("down", "--remove-orphans", *(["--volumes"] if wipe else []))

    def containers(self) -> dict[str, Container]:
        """Every container by its service."""
        listed = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_LABEL}.project={self.name}"]
        ids = self.engine.docker(*listed).split()
        found = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return {one.service: one for one in map(_container, found)}

    def wait_well(self, timeout: float) -> dict[str, Container]:
        """The containers, once all are well. Raises ComposeFailed, which tells of the ill ones."""
        until = time.monotonic() + timeout
        while True:
            found = self.containers()
            ill = [one for one in found.values() if not one.well]
            if found and not ill:
                return found
            if time.monotonic() > until:
                raise ComposeFailed("\n".join([f"not well after {timeout:.0f} s:", *self._told(ill)]))
            time.sleep(_LOOK)

    def _told(self, ill: Sequence[Container]) -> Iterator[str]:
        for one in ill:
            yield f"- {one.service}: {one.status}, {one.health or 'no check'}, exit code {one.code}; it said:"
            done = self.engine.ask("logs", "--tail", str(_SHOWN), one.id)
            yield (done.stdout + done.stderr).strip()[-_TAIL:]

    def _compose(self, *arguments: str) -> None:
        files = [option for path in (FILE, *self.more) for option in ("--file", str(path))]
        environment = ["--env-file", str(DEPLOY / f"{self.profile}.env"), "--project-name", self.name]
        command = [*find_compose(), *files, *environment, *arguments]
        try:
            done = subprocess.run(
                command,
                env={**self.engine.env, **(self.variables or {})},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ComposeFailed(f"compose {arguments[0]} did not end within {_LIMIT:.0f} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-_TAIL:]
            ill = [one for one in self.containers().values() if not one.well]
            raise ComposeFailed("\n".join([f"compose {arguments[0]} ended: {done.returncode}", said, *self._told(ill)]))


def find_compose() -> tuple[str, ...]:
    """How Compose is called: as docker's plug-in, else as docker-compose. Raises NoCompose."""
    docker = find_docker()
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return docker, "compose"
    alone = shutil.which("docker-compose")
    if alone is None:
        raise NoCompose(f"no Docker Compose; {_REMEDY}")
    return (alone,)


def _container(about: dict[str, Any]) -> Container:
    state = about["State"]
    return Container(
        about["Id"],
        about["Config"]["Labels"][f"{_LABEL}.service"],
        state["Status"],
        state.get("Health", {}).get("Status", ""),
        state["ExitCode"],
        about,
    )
