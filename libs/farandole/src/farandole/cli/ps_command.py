"""`farandole ps`: which processes serve this log, seen from the machine and from the log's leases."""

import socket
import time
from collections import defaultdict
from typing import Any

import psutil
import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings, with_client
from farandole.cli.runfile import is_alive, read_all, run_folder
from farandole.cli.say import emit, instant, lasted, line, rows
from farandole.client import AsyncClient
from farandole.engines.open import sqlite_path

Shape = dict[str, Any]
Held = dict[str, dict[str, list[int]]]
"""Per member, per step, the partitions that it leases."""


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ps")(ps)


def ps(as_json: JsonOption = False, log: LogOption = None, config: ConfigOption = None) -> None:
    """List the processes that serve this log: what `up` started, and whoever else holds leases."""
    loaded = settings(config, log=log)
    path = sqlite_path(loaded.config.log)
    held: Held = with_client(loaded, _held) if path is None or path.exists() else {}
    found = [_supervised(entry, held) for entry in read_all(run_folder(loaded))]
    known = {(service["host"], service["pid"]) for service in found}
    found += [_other(member, steps) for member, steps in sorted(held.items()) if _split(member) not in known]
    if as_json:
        emit({"services": found})
    elif found:
        rows(("SERVICE", "PID", "STATE", "UPTIME", "RESTARTS", "PARTITIONS"), (_row(shape) for shape in found))
    else:
        line("nothing serves this log; `farandole up` starts services")


async def _held(client: AsyncClient) -> Held:
    held: Held = defaultdict(dict)
    for group, leases in (await client.log.leases()).items():
        for lease, member in leases:
            host, pid = _split(member)
            held[f"{host}:{pid}"].setdefault(group, []).append(lease.partition)
    return held


def _supervised(entry: Shape, held: Held) -> Shape:
    host, pid = socket.gethostname(), entry["pid"]
    alive = is_alive(pid, entry["started"])
    state = entry["state"] if alive or entry["state"] != "running" else "gone"
    return _shape(
        service=entry["service"],
        target=entry["target"],
        host=host,
        pid=pid,
        state=state,
        started=entry["started"] if alive else None,
        restarts=entry["restarts"],
        steps=held.get(f"{host}:{pid}", {}),
    )


def _other(member: str, steps: dict[str, list[int]]) -> Shape:
    host, pid = _split(member)
    started = None
    if host == socket.gethostname() and psutil.pid_exists(pid):
        started = psutil.Process(pid).create_time()
    services = ", ".join(sorted({step.partition("/")[0] for step in steps}))
    state = "running" if started is not None or host != socket.gethostname() else "gone"
    return _shape(
        service=services, target=None, host=host, pid=pid, state=state, started=started, restarts=None, steps=steps
    )


def _split(member: str) -> tuple[str, int]:
    """Host and pid of a member's name, `host:pid`; what an engine adds after a slash tells its handles apart."""
    host, _, pid = member.partition("/")[0].rpartition(":")
    return host, int(pid) if pid.isdecimal() else 0


def _shape(*, started: float | None, steps: dict[str, list[int]], **more: Any) -> Shape:
    """service, target, host, pid, state (starting, running, restarting, refused, stopped, gone), restarts,
    started, and steps: the partitions that it leases, per step.
    """
    when = None if started is None else instant(started)
    return more | {"started": when, "steps": {step: sorted(numbers) for step, numbers in sorted(steps.items())}}


def _row(shape: Shape) -> tuple[object, ...]:
    started = shape["started"]
    uptime = "" if started is None else lasted(time.time() - psutil.Process(shape["pid"]).create_time())
    partitions = sum(map(len, shape["steps"].values()))
    return shape["service"], shape["pid"], shape["state"], uptime, shape["restarts"], partitions
