"""The operator's page: its alerts are the rules', its links lead somewhere, its drill of the embedded log works."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from farandole.client import AsyncClient
from tests.chaos.checker import read_log
from tests.cli.project import alive, descendants
from tests.docs.operating import DOCUMENT, do
from tests.support import judging
from tests.support.drilled import FIRST, GATE, LAST, text_of, waits
from tests.support.stage import Stage

ROOT = Path(__file__).parents[2]
TARGETS = ["tests.support.drilled:keeping", "tests.support.drilled:reading"]
PATIENCE = 60.0
BEFORE, DURING, AFTER = 40, 20, 20  # notes: read before the backup, published while it is made, and after it
OURS = {"age"}


class Machine:
    """A folder with an embedded log, its assets, and services that run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.gate = folder, folder / "gate"
        self.log = folder / "var" / "farandole" / "log.db"
        self.log.parent.mkdir(parents=True)
        env = {
            "PYTHONPATH": str(ROOT),
            "FARANDOLE_ASSETS": str(self.log.parent / "assets"),
            GATE: str(self.gate),
        }
        self.stage = Stage(folder, TARGETS, env, url=f"sqlite:///{self.log}?lease=2")

    @asynccontextmanager
    async def up(self) -> AsyncIterator[AsyncClient]:
        """Services run, and have declared themselves."""
        async with self.stage, AsyncClient(self.stage.url) as client:
            async with asyncio.timeout(PATIENCE):
                while len((await client.observe()).manifests) < len(TARGETS):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
            yield client

    async def publish(self, client: AsyncClient, numbers: range) -> None:
        """Notes, acknowledged one by one."""
        for number in numbers:
            data = {"key": f"k{number}", "number": number}
            assert await self.stage.publish(client, FIRST, data, f"note-{number}")

    async def lose(self) -> None:
        """The machine: everything on it dies at once."""
        inside = descendants(self.stage.up)
        os.kill(self.stage.up, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while alive(inside):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    def asked(self, *command: str, log: Path | None = None) -> Any:
        """What `farandole … --json` says, but for how old it is."""
        argv = [sys.executable, "-m", "farandole", *command, "--json"]
        argv += ["--log", f"sqlite:///{log}", "--rebuild"] if log else []
        env = self.stage.env
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return {name: value for name, value in json.loads(done.stdout).items() if name not in OURS}


@pytest.mark.e2e
async def test_what_a_backup_of_the_embedded_log_holds_is_there_again_and_goes_on(tmp_path: Path) -> None:
    """Backed up under load, lost, restored by the document's commands: owed work is done, and nothing twice."""
    machine = Machine(tmp_path)
    async with machine.up() as client:
        await machine.publish(client, range(BEFORE))
        await read_of(client, [n for n in range(BEFORE) if not waits(n)])
        under_load = asyncio.create_task(machine.publish(client, range(BEFORE, BEFORE + DURING)))
        await asyncio.to_thread(do, "back up an embedded log", tmp_path, machine.stage.env)
        await under_load
        await machine.publish(client, range(BEFORE + DURING, BEFORE + DURING + AFTER))
        await read_of(client, [BEFORE + DURING + AFTER - 1])
        told = [await asyncio.to_thread(machine.asked, "lineage", f"note-{n}") for n in (1, 2)]
        await machine.lose()
    known = await asyncio.to_thread(machine.asked, "status", "--limit", "1000", log=tmp_path / "backup" / "log.db")
    standing = {workflow["inputs"][0]["id"]: workflow["status"] for workflow in known["workflows"]}
    assert {f"note-{n}" for n in range(BEFORE)} <= standing.keys()
    assert {standing[f"note-{n}"] for n in range(BEFORE) if waits(n)} == {"running"}
    await asyncio.to_thread(do, "restore an embedded log", tmp_path, machine.stage.env)
    assert await asyncio.to_thread(machine.asked, "status", "--limit", "1000") == known
    assert [await asyncio.to_thread(machine.asked, "lineage", f"note-{n}") for n in (1, 2)] == told
    machine.gate.touch()
    machine.stage.published.clear()
    acknowledged = machine.stage.acks.read_text()
    async with machine.up() as client:
        lost = [n for n in range(BEFORE + DURING + AFTER) if f"note-{n}" not in standing]
        for first in lost:  # as whoever published them does, for the log does not know them any more
            await machine.publish(client, range(first, first + 1))
        await read_of(client, range(BEFORE + DURING + AFTER))
    machine.stage.acks.write_text(acknowledged)
    await asyncio.to_thread(judge, machine)


async def read_of(client: AsyncClient, numbers: Any) -> None:
    """Return once these notes were read to their ends. Raises TimeoutError."""
    for number in numbers:
        workflow = await client.find(f"note-{number}")
        assert (await client.wait(workflow, timeout=PATIENCE)).status == "complete"


def judge(machine: Machine) -> None:
    """Each acknowledged note was read exactly once, as it was kept; tables and a fold anew tell the same."""
    rows, facts, manifests = read_log(machine.log)
    acks = [json.loads(line) for line in machine.stage.acks.read_text().splitlines()]
    assert judging.lost(rows, facts, manifests, acks) == []
    assert judging.twice(rows, facts) == []
    assert judging.ended_once(rows, LAST, acks) == []
    ends = [json.loads(row.value) for row in rows if row.topic == LAST]
    assert [end["text"] for end in ends] == [text_of(end["number"]) for end in ends]
    tables = machine.asked("status", "--limit", "1000")
    machine.log.with_suffix(".observe.db").unlink()
    assert machine.asked("status", "--limit", "1000") == tables
    assert machine.asked("status", "--limit", "1000", "--rebuild") == tables


# -- the document -------------------------------------------------------------------------------------------


def test_every_alert_has_a_section_and_its_runbook_leads_there() -> None:
    """And no section is of an alert that is none."""
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    alerts = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules}
    headings = anchors(DOCUMENT)
    for name, runbook in alerts.items():
        ((page, place),) = re.findall(r"\((docs/\S+\.md)#(\S+)\)$", runbook)
        assert ROOT / page == DOCUMENT
        assert place == anchor(name)
        assert place in headings, name
    assert {heading for heading in headings if heading.startswith("farandole")} == set(map(anchor, alerts))


def test_the_document_s_links_lead_somewhere() -> None:
    """Those to other places of the repository, and to headings of these."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", DOCUMENT.read_text())
    assert links
    for name, place in links:
        page = DOCUMENT.parent / name if name else DOCUMENT
        assert page.exists(), name
        assert not place or place in anchors(page), (name, place)


def anchors(page: Path) -> set[str]:
    """Of its headings."""
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)}


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")
