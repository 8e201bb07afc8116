"""(e) What an idle service costs: share of a core over ten seconds, and memory; one, and the demo's ten."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.bars import Bar

SECONDS = 10.0
SETTLE = 8.0
TEN = "ingest stacking tiling calibration masking indices mosaic cog quicklook catalogue".split()


def run(seconds: float = SECONDS) -> list[Bar]:
    """Share of a core of the bench's own small service, and the sum of the demo's ten."""
    share, memory = _watch(["tests.bench.events:service"], seconds)
    ten_share, ten_memory = _watch([f"{name}.steps:service" for name in TEN], seconds)
    return [
        Bar("idle service, share of a core", share * 100, 1.0, "%", False, note=f"{memory:.0f} MiB"),
        Bar("ten idle services, share of a core", ten_share * 100, 10.0, "%", False, note=f"{ten_memory:.0f} MiB"),
    ]


def _watch(targets: list[str], seconds: float) -> tuple[float, float]:
    """Seconds of CPU per second, and MiB of memory (proportional set size), of one process a target."""
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as folder:
        log = f"sqlite:///{Path(folder) / 'log.db'}"
        environment = os.environ | {
            "FARANDOLE_LOG": log,
            "FARANDOLE_ASSETS": folder,
            "FARANDOLE_LOG_LEVEL": "WARNING",
            "CATALOGUE_SHELF": folder,
        }
        command = [sys.executable, "-m", "farandole", "run"]
        services = [subprocess.Popen([*command, target], env=environment) for target in targets]
        try:
            time.sleep(SETTLE + 2.0 * len(targets))
            tree = [p for s in services for p in (psutil.Process(s.pid), *psutil.Process(s.pid).children(True))]
            before = _cpu(tree)
            time.sleep(seconds)
            used = (_cpu(tree) - before) / seconds
            memory = sum(p.memory_full_info().pss for p in tree) / 2**20
            sys.stderr.write(f"idle: {len(targets)} services use {used * 100:.2f} % of a core, {memory:.0f} MiB\n")
            return used, memory
        finally:
            for service in services:
                service.terminate()
            for service in services:
                service.wait()


def _cpu(tree: list[psutil.Process]) -> float:
    return sum(t.user + t.system for t in (p.cpu_times() for p in tree))
