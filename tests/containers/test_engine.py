"""An engine of our own: found or started, shared while it is used, and gone without a trace, however that ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from scripts.containers import Engine, EngineFailed, NoEngine, docker_engine
from scripts.containers.places import ROOT
from tests.containers.required import without_docker

PATIENCE = 60.0
# In a network namespace of its own, where another engine seems to have made its bridge.
BESIDE = """
import fcntl, socket
from scripts.containers import docker_engine
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x89A0, b"docker0\\0")  # SIOCBRADDBR
for _ in range(2):  # the second time it finds what it knew of networks
    with docker_engine(("own",)) as engine:
        print(engine.docker("network", "create", "another"), flush=True)
print(*(name for _, name in socket.if_nameindex()))
"""
HOLDER = """
import sys, time
from scripts.containers import docker_engine
with docker_engine(("own",)) as engine:
    print(engine.host, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """With a cache of its own, so that no other test's engine is met; nothing is left in the end."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = mounts()
    yield
    until(lambda: daemons(tmp_path) == [])
    assert mounts() == before


def daemons(folder: Path) -> list[int]:
    """Processes that have to do with an engine whose data lie there."""
    others = [process for process in psutil.process_iter(["cmdline"]) if process.pid != os.getpid()]
    return [other.pid for other in others if str(folder) in " ".join(other.info["cmdline"] or ())]


def mounts() -> list[str]:
    """What is mounted here that looks like an engine's."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if "farandole" in line]


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def tiny() -> bytes:
    """The file system of an image that can do nothing but sleep: this machine's `sleep`, and what it is linked with."""
    program = shutil.which("sleep")
    assert program is not None
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    files = [program, *re.findall(r"(/\S+) \(", linked)]
    command = ["tar", "--create", "--dereference", "--absolute-names", *files]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.usefixtures("alone")
def test_it_runs_containers_and_is_shared_by_who_comes_meanwhile(tmp_path: Path) -> None:
    """The second gets the same; its leaving ends nothing; a container that was left goes with the engine."""
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(docker_engine(("own",)))
        except NoEngine as error:
            without_docker(error)
        engine.docker("import", "-", "tiny", stdin=tiny())
        with docker_engine(("own",)) as second:
            assert second.host == engine.host
            assert second.docker("run", "--rm", "tiny", "sleep", "0") == ""
        engine.docker("run", "--detach", "tiny", "sleep", "600")
        assert engine.docker("info", "--format", "{{.DockerRootDir}}").startswith(str(tmp_path))
    until(lambda: daemons(tmp_path) == [])
    with docker_engine(("own",)) as again:
        assert again.has_image("tiny")
        assert again.docker("ps", "--all", "--quiet") == ""


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.usefixtures("alone")
def test_killing_its_owner_leaves_nothing(tmp_path: Path) -> None:
    """Not a process, not one in a container, not a mount."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        host = owner.stdout.readline().strip()
        if not host:
            without_docker(NoEngine("no engine of our own could be started"))
        engine = Engine(host, "own")
        engine.docker("import", "-", "tiny", stdin=tiny())
        inside = engine.docker("run", "--detach", "tiny", "sleep", "600")
        sleeper = psutil.Process(engine.inspect(inside)["State"]["Pid"])
        assert daemons(tmp_path)
        owner.send_signal(signal.SIGKILL)
    until(lambda: daemons(tmp_path) == [])
    until(lambda: not sleeper.is_running())


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.usefixtures("alone")
def test_the_bridge_of_another_engine_stays() -> None:
    """And none of its own does."""
    command = ["unshare", "--net", sys.executable, "-c", BESIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "NoEngine" in done.stderr:
        without_docker(NoEngine(done.stderr))
    assert done.returncode == 0, done.stderr
    left = done.stdout.splitlines()[-1].split()
    assert "docker0" in left
    assert not [name for name in left if name.startswith("br-")]


def test_a_named_engine_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Never a reason to take another."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho nobody there >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineFailed, match=r"DOCKER_HOST is set, but .*none\.sock does not answer: nobody there"):
        docker_engine().__enter__()


def test_where_there_is_none_it_says_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the remedy."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngine) as caught:
        docker_engine().__enter__()
    said = str(caught.value)
    assert said.startswith("no Docker engine; tried\n- given: the program docker is not installed\n- own: ")
    assert "apt-get install docker.io" in said
