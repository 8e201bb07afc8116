"""The operator's page: its alerts are the rules', its links lead somewhere, its drill of the embedded log works."""

import asyncio
import os
import re
import signal
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
from tests.support import notes
from tests.support.drilled import GATE, waits
from tests.support.stage import Stage

ROOT = Path(__file__).parents[2]
TARGETS = ["tests.support.drilled:keeping", "tests.support.drilled:reading"]
BEFORE, DURING, AFTER = range(40), range(40, 60), range(60, 80)
"""Notes: read before the backup but for those that wait, published while it is made, and after it."""
ALL = ("status", "--limit", "1000")


class Machine:
    """A folder with an embedded log, its assets, and services that run on it."""

    def __init__(self, folder: Path) -> None:
        self.gate, self.log = folder / "gate", folder / "var" / "farandole" / "log.db"
        self.log.parent.mkdir(parents=True)
        env = {"PYTHONPATH": str(ROOT), "FARANDOLE_ASSETS": str(self.log.parent / "assets"), GATE: str(self.gate)}
        self.stage = Stage(folder, TARGETS, env, url=f"sqlite:///{self.log}?lease=2")

    @asynccontextmanager
    async def up(self) -> AsyncIterator[AsyncClient]:
        """Services run, and have declared themselves."""
        async with self.stage, AsyncClient(self.stage.url) as client:
            async with asyncio.timeout(notes.PATIENCE):
                while len((await client.observe()).manifests) < len(TARGETS):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
            yield client

    async def lose(self) -> None:
        """The machine: everything on it dies at once."""
        inside = descendants(self.stage.up)
        os.kill(self.stage.up, signal.SIGKILL)
        async with asyncio.timeout(notes.PATIENCE):
            while alive(inside):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def asked(self, *command: str) -> dict[str, Any]:
        """What `farandole … --json` says."""
        return await asyncio.to_thread(self.stage.asked, *command)

    async def do(self, name: str) -> None:
        """What the document has an operator type."""
        await asyncio.to_thread(do, name, self.stage.folder, self.stage.env)


@pytest.mark.e2e
async def test_what_a_backup_of_the_embedded_log_holds_is_there_again_and_goes_on(tmp_path: Path) -> None:
    """Backed up under load, lost, restored by the document's commands: owed work is done, and nothing twice."""
    machine = Machine(tmp_path)
    async with machine.up() as client:
        await notes.publish(machine.stage, client, BEFORE)
        await notes.read_of(client, [n for n in BEFORE if not waits(n)])
        under_load = asyncio.create_task(notes.publish(machine.stage, client, DURING))
        await machine.do("back up an embedded log")
        await under_load
        await notes.publish(machine.stage, client, AFTER)
        await notes.read_of(client, AFTER[-1:])
        told = [await machine.asked("lineage", f"note-{n}") for n in (1, 2)]
        await machine.lose()
    known = await machine.asked(*ALL, "--rebuild", "--log", f"sqlite:///{tmp_path}/backup/log.db")
    stood = notes.standing(known)
    assert {f"note-{n}" for n in BEFORE} <= stood.keys()
    assert {stood[f"note-{n}"] for n in BEFORE if waits(n)} == {"running"}
    await machine.do("restore an embedded log")
    assert await machine.asked(*ALL) == known
    assert [await machine.asked("lineage", f"note-{n}") for n in (1, 2)] == told
    machine.gate.touch()
    async with machine.up() as client:
        # As whoever published them does, for the log does not know them any more.
        await notes.publish(machine.stage, client, [n for n in (*DURING, *AFTER) if f"note-{n}" not in stood])
        await notes.read_of(client, [*BEFORE, *DURING, *AFTER])
    await asyncio.to_thread(notes.judge, machine.stage, read_log(machine.log))
    tables = await machine.asked(*ALL)
    machine.log.with_suffix(".observe.db").unlink()
    assert await machine.asked(*ALL) == tables
    assert await machine.asked(*ALL, "--rebuild") == tables


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
