"""Containers as production runs them: another user, nothing writable but what is mounted, no rights."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scripts.containers import Engine

HARDENED = (
    "--read-only",
    *("--tmpfs", "/tmp"),
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
    *("--network", "none"),
    *("--health-interval", "1s"),  # for tests are in a hurry
)
DATA = "/var/lib/farandole"
LOG = f"sqlite:///{DATA}/log.db"
NEEDED = {"CATALOGUE_SHELF": f"{DATA}/products"}  # settings without which a service refuses to start
PATIENCE = 120.0  # seconds until something that has to happen has happened, on a busy machine
GRACE = 60  # seconds that a container has to end


class Container:
    """One that was started; `volume` holds what it wrote."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    def exec(self, *command: str) -> str:
        """What a command in it printed."""
        return self.engine.docker("exec", self.name, *command)

    def state(self) -> dict[str, Any]:
        """How the engine says that it stands."""
        found: dict[str, Any] = self.engine.inspect(self.name)["State"]
        return found

    def logs(self) -> str:
        """All that it said."""
        done = self.engine.ask("logs", self.name)
        return done.stdout + done.stderr

    def await_health(self, wanted: str = "healthy") -> None:
        """Until its health check says so."""
        self.until(lambda: self.state().get("Health", {}).get("Status") == wanted)

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait; fails with what it said."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            state = self.state()
            assert time.monotonic() < deadline, f"{state}\n{self.logs()[-3000:]}"
            assert state["Running"], f"{state}\n{self.logs()[-3000:]}"
            time.sleep(0.2)

    def await_end(self) -> int:
        """Its exit code, once it has ended by itself."""
        deadline = time.monotonic() + PATIENCE
        while self.state()["Running"]:
            assert time.monotonic() < deadline, self.logs()[-3000:]
            time.sleep(0.2)
        return int(self.state()["ExitCode"])

    def stop(self) -> tuple[int, float]:
        """As `docker stop` does; its exit code, and the seconds that it took."""
        began = time.monotonic()
        self.engine.docker("stop", "-t", str(GRACE), self.name)
        return int(self.state()["ExitCode"]), time.monotonic() - began


@contextmanager
def volume(engine: Engine) -> Iterator[str]:
    """The name of an empty volume, until the block ends."""
    name = f"farandole-test-{uuid.uuid4().hex[:12]}"
    engine.docker("volume", "create", name)
    try:
        yield name
    finally:
        engine.docker("volume", "rm", "--force", name)


@contextmanager
def running(
    engine: Engine, image: str, *command: str, volume: str = "", env: Mapping[str, str] | None = None
) -> Iterator[Container]:
    """A container of this image with a command of `farandole`, or none; gone when the block ends."""
    name = f"farandole-test-{uuid.uuid4().hex[:12]}"
    variables = {"FARANDOLE_LOG": LOG, **NEEDED, **(env or {})}
    given = [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
    mounted = ["--volume", f"{volume}:{DATA}"] if volume else []
    engine.docker("run", "--detach", "--name", name, *HARDENED, *mounted, *given, image, *command)
    try:
        yield Container(engine, name)
    finally:
        engine.docker("rm", "--force", name)
