"""Finds a Docker engine: the one that runs, else one of our own on Debian's dockerd; in this order."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from scripts.containers.client import HOST, Engine, Origin, answers, find_docker
from scripts.containers.daemon import own_engine
from scripts.containers.errors import EngineFailed, NoEngine

__all__ = ["ORIGINS", "Engine", "Origin", "docker_engine"]
ORIGINS: tuple[Origin, ...] = ("given", "own")
_PATIENCE = 15.0  # seconds for an engine to say that it is there
_DEFAULT = "unix:///var/run/docker.sock"
_REMEDY = (
    f"Start a Docker engine, or name one: {HOST}=unix:///path; or, as root on Debian, let this start one: "
    "apt-get install docker.io"
)


@contextmanager
def docker_engine(origins: Sequence[Origin] = ORIGINS) -> Iterator[Engine]:
    """An engine that answers, until the block ends. One of our own ends with it, and so do its containers.

    Raises NoEngine where none is to be had, EngineFailed where one is named or was started and does not answer.
    """
    with ExitStack() as stack:  # what the block raises must not pass for a source that has nothing
        yield _first([origin for origin in ORIGINS if origin in origins], stack)


def _first(origins: Sequence[Origin], stack: ExitStack) -> Engine:
    tried = []
    for origin in origins:
        try:
            return stack.enter_context(_SOURCES[origin]())
        except NoEngine as error:
            tried.append(f"- {origin}: {error}")
    raise NoEngine("\n".join(["no Docker engine; tried", *tried, _REMEDY]))


@contextmanager
def _given() -> Iterator[Engine]:
    named = os.environ.get(HOST, "")
    why = answers(named, _PATIENCE)
    if why and named:
        raise EngineFailed(f"{HOST} is set, but {named} does not answer: {why}")
    if why:
        raise NoEngine(why)
    yield Engine(named or _chosen(), "given")


def _chosen() -> str:
    """The address that docker takes where none is named: its context's."""
    done = subprocess.run(
        [find_docker(), "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    return done.stdout.strip() or _DEFAULT


_SOURCES: Mapping[Origin, Callable[[], AbstractContextManager[Engine]]] = {"given": _given, "own": own_engine}
