"""The programs that a container's health check runs: they ask, and tell what is wrong."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farandole.telemetry.address import Address
from farandole.telemetry.health import Verdict
from farandole.telemetry.serving import Server, probe
from scripts.containers.places import ROOT

LIVEZ, ALIVE = ROOT / "deploy/image/livez.py", ROOT / "deploy/sla-watcher/alive.py"


def ran(script: Path, **env: str) -> tuple[int, str]:
    command = [sys.executable, "-IS", str(script)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@contextmanager
def served(verdict: Verdict, host: str = "127.0.0.1") -> Iterator[int]:
    server = Server(Address(host, 0), {"/livez": probe(lambda: verdict)})
    try:
        yield server.address.port
    finally:
        server.close()


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
def test_who_makes_progress_is_healthy(listens: str) -> None:
    """Wherever in the container it listens."""
    with served(Verdict(True), listens) as port:
        assert ran(LIVEZ, FARANDOLE_METRICS=f"{listens}:{port}") == (0, "")
        assert ran(LIVEZ, FARANDOLE_METRICS=str(port)) == (0, "")


def test_who_stands_still_is_not_and_the_reason_is_told() -> None:
    """As /livez gives it."""
    with served(Verdict(False, ("tiling/extract: stands still",))) as port:
        code, said = ran(LIVEZ, FARANDOLE_METRICS=f"0.0.0.0:{port}")
    assert (code, "tiling/extract: stands still" in said) == (1, True)
    code, said = ran(LIVEZ, FARANDOLE_METRICS=f"0.0.0.0:{port}")
    assert (code, said.startswith(f"no answer at 127.0.0.1:{port}: ")) == (1, True)
    assert ran(LIVEZ) == (1, "FARANDOLE_METRICS names no port, so nobody can be asked\n")


def test_the_watcher_is_healthy_while_its_event_loop_goes_on(tmp_path: Path) -> None:
    """Its file's time tells."""
    code, said = ran(ALIVE, SLA_DATA=str(tmp_path))
    assert (code, said.startswith("it has not begun: ")) == (1, True)
    (tmp_path / "alive").touch()
    assert ran(ALIVE, SLA_DATA=str(tmp_path)) == (0, "")
    os.utime(tmp_path / "alive", (time.time() - 100, time.time() - 100))
    code, said = ran(ALIVE, SLA_DATA=str(tmp_path))
    assert (code, said.startswith("its event loop has not gone on for 10")) == (1, True)
