"""One engine as the program `docker` reaches it; it starts and ends none."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scripts.containers.errors import EngineFailed, NoEngine

HOST = "DOCKER_HOST"  # environment: the address of an engine, as docker itself takes it
LIMIT = 900.0  # seconds of one command
_TAIL = 3_000  # characters of what a command said that an error shows

Origin = Literal["given", "own"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine. `origin`: whether it ran already or is ours."""

    host: str
    origin: Origin

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, by which `docker` and docker-compose reach this engine."""
        return {**os.environ, HOST: self.host}

    def docker(
        self, *arguments: str, timeout: float = LIMIT, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """What `docker ARGUMENTS` printed, without the space around it. Raises EngineFailed with what it said."""
        done = self.ask(*arguments, timeout=timeout, stdin=stdin, env=env)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-_TAIL:]
            raise EngineFailed(f"docker {' '.join(arguments)[:200]} ended with {done.returncode}:\n{said}")
        return done.stdout.strip()

    def ask(
        self, *arguments: str, timeout: float = LIMIT, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """How `docker ARGUMENTS` ended, whatever its exit code. Raises EngineFailed after `timeout` seconds."""
        try:
            done = subprocess.run(
                [find_docker(), *arguments],
                env={**self.env, **(env or {})},
                input=b"" if stdin is None else stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EngineFailed(f"docker {' '.join(arguments)[:200]} did not end within {timeout:.0f} s") from None
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine knows of an image or a container. Raises EngineFailed where there is none."""
        found: dict[str, Any] = json.loads(self.docker("inspect", name))[0]
        return found

    def has_image(self, name: str) -> bool:
        """Whether the image is there already, without asking a registry."""
        return self.ask("image", "inspect", name).returncode == 0


def find_docker() -> str:
    """The path of the program `docker`. Raises NoEngine."""
    program = shutil.which("docker")
    if program is None:
        raise NoEngine("the program docker is not installed")
    return program


def answers(host: str, timeout: float) -> str:
    """Why no engine answers at this address; empty: one does. An empty address: docker's own choice."""
    env = {**os.environ, HOST: host} if host else dict(os.environ)
    try:
        done = subprocess.run(
            [find_docker(), "version", "--format", "{{.Server.Version}}"],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout:.0f} s"
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[:300]
