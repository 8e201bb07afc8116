"""Every query of every dashboard and rule, on a real Prometheus that scrapes a real run; and each alert, provoked."""

import asyncio
import json
import math
import os
import re
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import yaml

from farandole.cli.options import settings
from farandole.cli.services import chosen_services, topology_of
from farandole.engines.open import open_log
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.ids import trace_id
from farandole.events.topics import JOURNAL
from farandole.fold import Topology
from farandole.log.ports import Log
from farandole.log.record import NewRecord
from farandole.runtime.worker import ROWS_LIMIT
from farandole_observe.dashboards.documents import documents
from farandole_observe.dashboards.pace import MINUTE, Pace
from farandole_observe.dashboards.rules import rules
from farandole_observe.dashboards.sources import datasources
from tests.chaos.looks import stop_outside_write
from tests.cli.project import SETTINGS, Project, end
from tests.cli.test_probes import addresses
from tests.observe.dashboards.asked import BOARDS, boards, filled, targets, variables
from tests.support.prometheus import Prometheus, prometheus

pytestmark = pytest.mark.e2e
PACE = Pace(1 / 60)
PATIENCE = 90.0
ODD = """
import time
from pathlib import Path

from farandole import Event, Retry, Service


class JobGiven(Event, type="job.given", key="job"):
    job: str


class NoteLeft(Event, type="note.left", key="note"):
    note: str


class WishMade(Event, type="wish.made", key="wish"):
    wish: str


class PileMade(Event, type="pile.made", key="pile"):
    pile: str


service = Service("odd", accepts=[JobGiven, NoteLeft, PileMade, WishMade])


@service.step
def hang(job: JobGiven) -> None:
    while not Path("go").exists():
        time.sleep(0.05)


@service.step(retry=Retry(attempts=1))
def grant(wish: WishMade) -> None:
    raise ValueError("no")


@service.step(retry=Retry(attempts=2, delay="1h"))
async def sort(pile: PileMade) -> None:
    raise ValueError("not today")
"""
TARGETS = ("shop:picking", "shop:packing", "odd:service")
LEASE = 3  # seconds: shorter than the time in which losses are counted at this pace, longer than a busy machine halts
HELD_UP = 0.3  # seconds, of 0.083 that a commit may take at this pace


@dataclass
class Run:
    """A project whose services and projector are scraped, the projector at an address that stays its own.

    `numbers`: each makes a key that was not used.
    """

    project: Project
    topology: Topology
    found: Prometheus
    processes: dict[str, "Popen[str]"]
    projector: str
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def log(self) -> Path:
        """The file of the log."""
        return self.project.folder / "var/log.db"

    def publish(self, kind: str, name: str, **more: Any) -> None:
        key = f"k{next(self.numbers)}"
        done = self.project.main("publish", kind, "--data", json.dumps({name: key, **more}), "--id", key)
        assert done.returncode == 0, done.stderr

    def until(self, holds: Callable[[], bool], meanwhile: Callable[[], None], told: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, told()
            meanwhile()
            time.sleep(0.2)

    def firing(self) -> set[str]:
        """The alerts that fire now; whatever a template could not fill in is a fault."""
        alerts = self.found.ask("alerts")["alerts"]
        assert not re.search("no value|error ", json.dumps([one["annotations"] for one in alerts])), alerts
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Three services, each a process of its own, and a projector, with some work done. The last test ends them."""
    project = Project.make(tmp_path_factory.mktemp("shop"))
    (project.folder / "odd.py").write_text(ODD)
    (project.folder / "farandole.toml").write_text(SETTINGS.replace("log.db", f"log.db?lease={LEASE}"))
    topology = topology_of(chosen_services(list(TARGETS), settings(project.folder / "farandole.toml")))
    at_pace = project.folder / "rules.yaml"
    at_pace.write_text(yaml.safe_dump(rules(topology, PACE)))
    processes = {}
    try:
        for target in TARGETS:
            name = target.replace(":", "-")
            processes[name] = project.start("run", target, "--metrics", "0", name=name)
        for name in processes:
            project.await_text(f"{name}.err", '"event": "started"')
        processes["observe"] = project.start("observe", "--metrics", "0")
        project.await_text("observe.err", "metrics and probes are served at")
        where = {name: addresses(project.folder / f"{name}.err")[0] for name in processes}
        jobs = {
            "farandole-services": [at for name, at in where.items() if name != "observe"],
            "farandole-observe": [where["observe"]],
        }
        with prometheus(jobs, [at_pace]) as found:
            found.until(f"count(up == 1) == {len(processes)}")
            at_work = Run(project, topology, found, processes, where["observe"])
            work(at_work)
            yield at_work
    finally:
        for process in processes.values():
            end(process)


def work(run: Run) -> None:
    """Some orders after the first scrapes, so that rates know of them."""
    run.found.until("min(count_over_time(farandole_running[1m])) >= 2")
    for _ in range(6):
        run.publish("order.placed", "order", items=3)
    run.found.until('sum(farandole_outcomes_total{step="pack",ending="completed"}) == 6')
    run.found.until('max(farandole_fleet_workflows{status="complete"}) == 6')
    run.found.until("max(farandole_fleet_workers) > 0")
    run.found.until("step:farandole_outcomes:rate5m > 0")


def test_no_query_errs_and_every_panel_of_the_fleet_has_data(run: Run) -> None:
    """Variables are filled in as Grafana does; a number has to be one."""
    said = {"service": "packing", "step": "pack", "objective": "0.99", "workflow": "w", "trace": "t"}
    empty, asked = [], 0
    for name in BOARDS:
        board = boards(run.topology)[name]
        for title, target in targets(board):
            if "expr" in target:
                series = run.found.query(filled(target["expr"], said))
                asked += 1
                if not any(math.isfinite(float(one["value"][1])) for one in series):
                    empty.append((name, title, target["expr"]))
        for variable in variables(board):
            if isinstance(variable.get("query"), dict):
                label, there = values(run, filled(variable["query"]["query"], said))
                assert said[label] in there, variable["name"]
    assert asked > 60
    assert not [one for one in empty if one[0] == "fleet"]
    # elsewhere: what shows only where something is wrong, and steps that have had nothing to do
    assert not [one for one in empty if not one[2].endswith("> 0") and 'service="odd"' not in one[2]]
    for group in rules(run.topology, PACE)["groups"]:
        for rule in group["rules"]:
            run.found.query(rule["expr"])
    for group in run.found.ask("rules")["groups"]:
        assert all(rule["health"] == "ok" for rule in group["rules"]), group
    assert run.firing() == set()


def test_a_metric_leads_to_the_trace_of_a_workflow_and_a_span_to_the_metrics_of_its_step(run: Run) -> None:
    """By the queries that Grafana makes of them."""
    listed = json.loads(run.project.main("status", "--json").stdout)["workflows"]
    traces = {trace_id(one["workflow"]) for one in listed}
    said = {"service": "packing", "step": "pack", "objective": "0.99"}
    for name in ("fleet", "step"):
        for _, target in targets(boards(run.topology)[name]):
            if target.get("exemplar"):
                expression = filled(target["expr"], said)
                series = run.found.ask("query_exemplars", query=expression, start="0", end="99999999999")
                shown = {one["labels"]["trace_id"] for each in series for one in each["exemplars"]}
                assert shown, expression
                assert shown <= traces, expression
    for source in datasources()["datasources"]:
        for query in source["jsonData"].get("tracesToMetrics", {}).get("queries", ()):
            expression = query["query"].replace("$$__tags", 'farandole_step="packing/pack"')
            (one, *_) = run.found.query(expression)
            assert (one["metric"]["service"], one["metric"]["step"]) == ("packing", "pack")


def test_a_log_gives_the_same_documents_as_the_services_in_it(run: Run) -> None:
    """Whoever has no code at hand makes them of what the services declared there."""
    done = run.project.main("dashboards", "--log", "sqlite:///var/log.db", "--out", "of-log", "--json")
    assert done.returncode == 0, done.stderr
    expected = documents(run.topology)
    assert set(json.loads(done.stdout)["written"]) == expected.keys()
    for name, text in expected.items():
        assert (run.project.folder / "of-log" / name).read_text() == text, name


def values(run: Run, asked: str) -> tuple[str, set[str]]:
    """What Grafana's label_values(series, label) gives: the label, and its values."""
    series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", asked).groups()  # type: ignore[union-attr]
    return label, {one["metric"][label] for one in run.found.query(series)}


def test_each_alert_fires_when_it_is_provoked(run: Run) -> None:
    """A step hangs, one fails, one puts off more than it may, a note is taken by nobody, commits are held up, a service
    is killed with work waiting, one stands still until its leases are another's; then the log is cut while no projector
    runs, then the store is locked, and then the projector is killed.
    """
    expected = {rule["alert"] for rule in rules(run.topology)["groups"][1]["rules"]}
    seen: set[str] = set()

    def go_on() -> None:
        run.publish("order.placed", "order", items=1)
        run.publish("wish.made", "wish")
        with closing(sqlite3.connect(run.log, isolation_level=None)) as log:
            log.execute("BEGIN IMMEDIATE")
            time.sleep(HELD_UP)
            log.execute("ROLLBACK")
        seen.update(run.firing())

    run.publish("job.given", "job")
    run.publish("note.left", "note")
    asyncio.run(pile_up(run))
    run.until(lambda: "FarandoleCommitsFailing" in seen, lambda: seen.update(lose_partitions(run)), lambda: seen)
    kill(run.processes["shop-packing"])
    of_the_projection = {"FarandoleProjectionBehind", "FarandoleProjectionAway", "FarandoleHistoryCut"}
    run.until(lambda: expected - of_the_projection <= seen, go_on, lambda: expected - seen)
    cut(run)
    run.until(lambda: "FarandoleHistoryCut" in seen, lambda: seen.update(run.firing()), lambda: seen)
    with closing(sqlite3.connect(run.project.folder / "var/log.observe.db", isolation_level=None)) as store:
        store.execute("BEGIN EXCLUSIVE")
        run.until(lambda: "FarandoleProjectionBehind" in seen, lambda: seen.update(run.firing()), lambda: seen)
    kill(run.processes["observe"])
    run.until(lambda: "FarandoleProjectionAway" in seen, lambda: seen.update(run.firing()), lambda: seen)
    assert seen >= expected


def lose_partitions(run: Run) -> set[str]:
    """Stop a service until what it leases is taken from it as from a dead one; what fires once it has found out."""
    pid = run.processes["shop-picking"].pid
    lost = "sum(farandole_lease_changes_total{step='pick',change='lost'})"
    before = run.found.until(lost)[0]["value"][1]
    stop_outside_write(run.log, pid)
    try:
        run.until(
            lambda: "picking/pick" not in asyncio.run(leased(run)), lambda: None, lambda: "its leases stay its own"
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    run.found.until(f"{lost} > {before}")
    found, deadline = set[str](), time.monotonic() + PACE.seconds(15 * MINUTE)
    while time.monotonic() < deadline and "FarandoleCommitsFailing" not in found:
        found |= run.firing()
        time.sleep(0.2)
    return found


async def leased(run: Run) -> set[str]:
    """The groups that hold something."""
    async with opened(run) as log:
        return {group for group, leases in (await log.leases()).items() if leases}


def cut(run: Run) -> None:
    """Facts are written while no projector runs, and are gone before the next one comes."""
    end(run.processes["observe"])
    before = asyncio.run(journal(run))
    run.publish("order.placed", "order", items=1)
    run.until(lambda: asyncio.run(journal(run)) > before, lambda: None, lambda: before)
    asyncio.run(journal(run, prune=True))
    run.processes["observe"] = run.project.start("observe", "--metrics", run.projector, name="observe-again")


async def journal(run: Run, *, prune: bool = False) -> int:
    """How much was ever written to the journal; `prune`: all of it is removed."""
    async with opened(run) as log:
        ends = {place: span.end for place, span in (await log.spans([JOURNAL])).items()}
        if prune:
            await log.prune(ends)
        return sum(ends.values())


@asynccontextmanager
async def opened(run: Run) -> AsyncIterator[Log]:
    """The log, as another program has it."""
    log = await open_log(f"sqlite:///{run.log}")
    try:
        yield log
    finally:
        await log.close()


async def pile_up(run: Run) -> None:
    """More events of one key than a step may put off."""
    async with opened(run) as log:
        records = [
            encode(Envelope(f"pile-{number}", "test", "pile.made", 1, b'{"pile":"p"}', "p"))
            for number in range(ROWS_LIMIT + 500)
        ]
        await log.append([NewRecord("pile.made", value, key, headers) for key, value, headers in records])


def kill(process: "Popen[str]") -> None:
    process.kill()
    process.wait()
