"""A real PostgreSQL of a test's own: Debian's programs, a cluster in a temporary folder, on a free port of loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

_INSTALLED = "/usr/lib/postgresql/*/bin"  # Debian keeps each version's programs apart, and off the path
_REQUIRED = "FARANDOLE_REQUIRE_POSTGRES"
_USER = "postgres"  # PostgreSQL refuses to run as root
_PATIENCE = 30.0


def _program(name: str) -> str | None:
    there = sorted(Path("/").glob(f"{_INSTALLED[1:]}/{name}"), key=lambda path: float(path.parts[4]))
    return str(there[-1]) if there else shutil.which(name)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database. Skips, loudly, where no PostgreSQL is installed, unless that is required."""
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        said = "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
        if os.environ.get(_REQUIRED):
            pytest.fail(f"{said}, and {_REQUIRED} is set")
        pytest.skip(said)
    user = _USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="farandole-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        made = [initdb, "--pgdata", str(data), "--username", "farandole", "--auth", "trust", "--encoding", "UTF8"]
        subprocess.run(made, user=user, cwd=folder, check=True, capture_output=True)
        port = _free_port()
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        command = [server, "-D", str(data), "-p", str(port), *options]
        with (
            (folder / "log").open("wb") as said,
            subprocess.Popen(command, user=user, cwd=folder, stdout=said, stderr=said) as process,
        ):
            try:
                _wait(process, port, folder)
                yield f"postgresql://farandole@127.0.0.1:{port}/postgres"
            finally:
                process.terminate()
                process.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def fresh_database(server: str) -> str:
    """The URL of a database of its own on this server."""
    name = f"d{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    ready = _program("pg_isready")
    assert ready is not None
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        asked = [ready, "--host", "127.0.0.1", "--port", str(port), "--quiet"]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2000:]}")
