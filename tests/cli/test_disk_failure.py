"""A disk that fails under running services, or a power failure: what `publish` acknowledged is done, once."""

import json
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.chaos.checker import read_log
from tests.cli.project import Project, alive, descendants, end, until
from tests.support.judging import lost, reordered, twice

pytestmark = pytest.mark.e2e

TARGETS = ("shop:picking", "shop:packing")
FAILING = ("strace", "-f", "-qq", "-o", "trace", "-e", "trace=fdatasync", "-e")


def _publish(project: Project, name: str, *options: str) -> dict[str, str]:
    """One order; what was acknowledged."""
    data = json.dumps({"order": name, "items": 2})
    done = project.main("publish", "order.placed", "--data", data, "--id", name, "--json", *options)
    assert done.returncode == 0, done.stderr
    accepted = json.loads(done.stdout)
    return {"id": accepted["id"], "source": accepted["source"]}


def _all_done(project: Project, acks: list[dict[str, str]]) -> None:
    """With healthy services every acknowledged order completes, and nothing is lost, twice or out of order."""
    with project.up():
        for ack in acks:
            _publish(project, ack["id"], "--wait", "--timeout", "60s")
    _judge(project, acks)


def _judge(project: Project, acks: list[dict[str, str]]) -> None:
    """Read raw, once all is done and nothing runs."""
    rows, facts, manifests = read_log(project.folder / "var" / "log.db")
    assert (lost(rows, facts, manifests, acks), twice(rows, facts), reordered(rows, manifests)) == ([], [], [])
    assert sum(row.topic == "order.packed" for row in rows) == len(acks)
    assert project.main("log", "check").returncode == 0


@pytest.mark.parametrize("nth", [4, 11])
def test_a_service_whose_disk_fails_ends_and_its_heir_does_the_rest(tmp_path: Path, nth: int) -> None:
    """From the n-th fdatasync on `run` gets EIO: it tries no second time, says so, ends with 1, and loses nothing."""
    assert shutil.which("strace"), "strace has to be installed"
    project = Project.make(tmp_path)
    failing = (*FAILING, f"inject=fdatasync:error=EIO:when={nth}+")
    picking = project.start("run", TARGETS[0], before=failing)
    packing = project.start("run", TARGETS[1], name="packing")
    acks: list[dict[str, str]] = []
    try:
        project.await_text("packing.err", '"event": "started"')
        project.await_text("run.err", '"event": "started"')
        while picking.poll() is None:
            assert len(acks) < 200, "the disk failed, and the service did not end"
            acks.append(_publish(project, f"o{len(acks)}"))
        assert picking.wait() == 1
    finally:
        end(picking)
        end(packing)
    said = (tmp_path / "run.err").read_text()
    assert "the log's file failed" in said
    assert "fdatasync" not in (tmp_path / "trace").read_text().partition("EIO")[2], "tried again after the disk failed"
    _all_done(project, acks)


def test_a_publish_whose_disk_fails_is_not_acknowledged(tmp_path: Path) -> None:
    """Exit 1 and nothing on standard output; the same command later is accepted."""
    project = Project.make(tmp_path)
    data = json.dumps({"order": "o", "items": 2})
    failing = (*FAILING, "inject=fdatasync:error=EIO:when=1+")
    with project.up():
        refused = project.farandole("publish", "order.placed", "--data", data, "--id", "o", "--json", before=failing)
        assert refused.returncode == 1, refused.stdout
        assert refused.stdout == ""
        assert "the log's file failed" in refused.stderr
        acks = [_publish(project, "o", "--wait", "--timeout", "60s")]
    _judge(project, acks)


def _await_more(wal: Path, safe: int) -> None:
    until(lambda: wal.stat().st_size > safe)


def _kill(up: "subprocess.Popen[str]") -> None:
    """The supervisor first, for it would start the others again; nobody may tidy up the WAL."""
    services = descendants(up.pid)
    up.kill()
    for service in services:
        with suppress(psutil.NoSuchProcess):
            service.kill()
    up.wait()
    until(lambda: not alive(services))


def test_a_torn_end_of_the_wal_is_made_good_by_the_services(tmp_path: Path) -> None:
    """All are killed at once, and the WAL is cut or garbled behind the last acknowledgement: the work is done again."""
    project = Project.make(tmp_path)
    acks: list[dict[str, str]] = []
    wal = tmp_path / "var" / "log.db-wal"
    chance = random.Random(5)
    for n in range(2):
        with project.up() as up:
            acks += [_publish(project, f"o{n}-{m}") for m in range(5)]
            safe = wal.stat().st_size
            _await_more(wal, safe)
            _kill(up)
        torn = bytearray(wal.read_bytes())
        assert len(torn) > safe, "the services wrote after the last acknowledgement"
        where = chance.randrange(safe, len(torn))
        torn[where:] = b"" if n % 2 else chance.randbytes(len(torn) - where)
        wal.write_bytes(torn)
    _all_done(project, acks)
