"""An engine of our own: Debian's dockerd under a guard, shared by whoever asks for one at the same time.

It has its own data, socket and mount namespace, makes no rule in the packet filter and no bridge by itself, and takes
none away from another engine. It ends with its owner, in whatever way that ends: with containerd, the containers and
all that they had mounted.
"""

import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from farandole.runtime.guarded import Guard, Guarded, Spec
from scripts.containers.client import Engine, answers, find_docker
from scripts.containers.errors import EngineFailed, NoEngine
from scripts.containers.places import cache

_START = 90.0  # seconds for dockerd to answer; 2 on two idle cores
_GRACE = 60.0  # seconds for it to end its containers and itself
_LOOK = 0.2
_TAIL = 3_000
_ANOTHERS = "docker0"  # every engine's name for the bridge that it makes by itself
# In a mount namespace of its own, so that nothing stays mounted; with an own place for the shims' sockets, so that it
# takes no containerd of the system for its own.
_NAMESPACE = 'mkdir -p /run/containerd && mount -t tmpfs -o mode=0711 farandole /run/containerd && exec "$0" "$@"'


@contextmanager
def own_engine() -> Iterator[Engine]:
    """The engine of our own on this machine: the first to come starts it, and ends it when all others have left.

    Its images stay in the user's cache for the next time. Raises NoEngine where it cannot be, EngineFailed.
    """
    program = _find_dockerd()
    folder = cache() / "engine"
    folder.mkdir(exist_ok=True)
    with (folder / "owner.lock").open("w") as owner, (folder / "users.lock").open("w") as users:
        while True:
            if _taken(owner):
                with _owned(program, folder, users) as engine:
                    yield engine
                return
            # As long as we hold this, the owner waits with ending what we then find.
            fcntl.flock(users, fcntl.LOCK_SH)
            host = _noted(folder)
            if host and not answers(host, _LOOK * 25):
                yield Engine(host, "own")
                return
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(_LOOK)


def _find_dockerd() -> str:
    find_docker()
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        raise NoEngine("dockerd is not installed")
    if os.geteuid() != 0:
        raise NoEngine("only root can start dockerd")
    return program


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _noted(folder: Path) -> str:
    """The address that the owner wrote down; empty: none yet."""
    try:
        return str(json.loads((folder / "engine.json").read_text(encoding="utf-8"))["host"])
    except FileNotFoundError:
        return ""


@contextmanager
def _owned(program: str, folder: Path, users: IO[str]) -> Iterator[Engine]:
    note = folder / "engine.json"
    if left := _noted(folder):  # of an owner that was killed
        shutil.rmtree(Path(left.removeprefix("unix://")).parent, ignore_errors=True)
    note.unlink(missing_ok=True)
    run = Path(tempfile.mkdtemp(prefix="farandole-docker-"))  # a short path: sockets lie in it
    engine = Engine(f"unix://{run}/docker.sock", "own")
    try:
        with closing(Guard()) as guard:
            process = _start(program, folder, run, guard)
            try:
                _wait(process, engine, run)
                draft = folder / "engine.draft"
                draft.write_text(json.dumps({"host": engine.host}), encoding="utf-8")
                draft.replace(note)
                yield engine
            finally:
                fcntl.flock(users, fcntl.LOCK_EX)
                note.unlink(missing_ok=True)
                _end(process, engine)
    finally:
        shutil.rmtree(run, ignore_errors=True)


def _start(program: str, folder: Path, run: Path, guard: Guard) -> Guarded:
    (run / "daemon.json").write_text("{}", encoding="utf-8")  # not the system's, whose settings may contradict ours
    dockerd = [
        program,
        f"--config-file={run}/daemon.json",
        f"--data-root={folder}/data",
        f"--exec-root={run}/exec",
        f"--pidfile={run}/docker.pid",
        f"--host=unix://{run}/docker.sock",
        f"--bridge={_bridge()}",
        "--iptables=false",
        "--ip6tables=false",
        "--log-level=warn",
    ]
    unshare = shutil.which("unshare") or "/usr/bin/unshare"
    argv = [unshare, "--mount", "--propagation", "slave", "/bin/sh", "-c", _NAMESPACE, *dockerd]
    spec = Spec(unshare, argv, dict(os.environ), "/", grace=_GRACE)
    with (run / "log").open("ab") as log, open(os.devnull, "rb") as nothing:
        process = guard.start(spec, [nothing.fileno(), log.fileno(), log.fileno()])
    process.receive()
    return process


def _bridge() -> str:
    """None; or another engine's, which dockerd leaves as it is, while it would remove it if it was to have none."""
    return _ANOTHERS if _ANOTHERS in {name for _, name in socket.if_nameindex()} else "none"


def _wait(process: Guarded, engine: Engine, run: Path) -> None:
    """Until it answers. Raises EngineFailed with the end of its log."""
    until = time.monotonic() + _START
    process.control.setblocking(False)
    while time.monotonic() < until:
        with suppress(BlockingIOError):
            process.receive()
        if process.over:
            break
        if not answers(engine.host, _LOOK * 25):
            return
        time.sleep(_LOOK)
    said = (run / "log").read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    raise EngineFailed(f"dockerd {'ended' if process.over else 'does not answer'}; it said:\n{said}")


def _end(process: Guarded, engine: Engine) -> None:
    """Its containers and networks first: a bridge would outlive it. What is killed hard goes with the guard."""
    with suppress(EngineFailed):  # it has ended by itself
        if left := engine.docker("ps", "--all", "--quiet").split():
            engine.docker("rm", "--force", "--volumes", *left)
        engine.docker("network", "prune", "--force")
        engine.docker("volume", "prune", "--force")
    process.control.setblocking(True)
    process.stop()
    while not process.over:
        process.receive()
    process.close()
