"""The figures of the fleet: equal to what the questions answer, of declared names only, and as documented."""

import asyncio
import re
from pathlib import Path
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from farandole.fold import Status
from farandole.telemetry.exposition import registry_of
from farandole_observe.cli.figures import CATALOGUE, Figures
from farandole_observe.projector.replica import Replica
from farandole_observe.questions.asking import picture
from farandole_observe.questions.fleet import OTHER, Fleet, fleet
from farandole_observe.questions.stuck import stuck
from farandole_observe.questions.summaries import Filter, summaries
from farandole_observe.store.bulk import upsert
from farandole_observe.store.tables import workers
from tests.observe import written
from tests.observe.given import fill, full_group, opened

DOCUMENT = Path(__file__).parents[2] / "docs" / "observing.md"
_MANY = 100_000


def page(found: Fleet, replica: Replica) -> str:
    """The page of metrics, as OpenMetrics."""
    figures = Figures(replica, 900.0)
    figures.put(found)
    return openmetrics.generate_latest(registry_of(figures)).decode()


async def test_the_figures_are_what_the_questions_answer() -> None:
    """Workflows by status, dead letters, what is stuck, what is owed: of histories full of mishaps."""
    for seed in range(6):
        records = written.shuffled(written.lines_of(written.played(seed)), seed)
        async with opened() as (log, store):
            await fill(log, store, records)
            async with picture(store, log.clock.now()) as seen:
                found = await fleet(seen, log)
                for status in get_args(Status):
                    listed = await summaries(seen, Filter(status=status), _MANY)
                    assert found.workflows[status] == len(listed), (seed, status)
                everything = await summaries(seen, Filter(), _MANY)
                for step, info in seen.topology.steps.items():
                    counts = [s.steps[step] for s in everything if step in s.steps]
                    dead = sum(number for (name, _), number in found.dead.items() if name == step)
                    assert dead == sum(c.dead for c in counts), (seed, step)
                    assert found.open_groups[step] == sum(c.gathering for c in counts), (seed, step)
                    rate = next((r for r in found.rates if r.step == step), None)
                    assert (rate.owed if rate else 0) == sum(c.waiting + c.retrying for c in counts) or not info.exists
                things = await stuck(seen, set(), _MANY)
                assert sum(found.stuck.values()) == len(things), seed


async def test_a_full_group_that_has_no_outcome_is_owed_and_stuck() -> None:
    """A mosaic that hangs is in the figures, and so in the alerts."""
    dance, _, _ = full_group(timeout=60.0)
    async with opened() as (log, store):
        await fill(log, store, written.shuffled(written.lines_of(dance), 1))
        async with picture(store, dance.now + 90.0) as seen:
            found = await fleet(seen, log)
    (rate,) = (rate for rate in found.rates if rate.owed)
    assert (rate.step, rate.owed, found.owed_oldest["mosaic/merge"]) == ("mosaic/merge", 1, 90.0)
    stuck_there = {key: number for key, number in found.stuck.items() if number}
    assert stuck_there == {("mosaic/merge", "overdue"): 1, ("mosaic/merge", "no-worker"): 1}
    assert found.open_groups["mosaic/merge"] == 0


async def test_every_figure_is_on_the_page_and_in_the_document() -> None:
    """Names, types and labels are frozen: dashboards and alerts stand on them."""
    table = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table}
    ours = {name: said for name, said in documented.items() if "_fleet_" in name or "_projection_" in name}
    assert ours == {d.shown: (d.kind, d.labels) for d in CATALOGUE.values()}
    async with opened() as (log, store):
        dance = written.played(2)
        await fill(log, store, written.shuffled(written.lines_of(dance), 2))
        async with store.writing() as connection:  # these histories name no workers
            await upsert(connection, workers, [(0, "host:1", dance.services[0].service, "1", 7.0)])
        async with picture(store, log.clock.now()) as seen:
            found = await fleet(seen, log)
        families = {f.name: f for f in text_string_to_metric_families(page(found, Replica(log, store, "one")))}
    for described in CATALOGUE.values():
        family = families[described.name]
        assert (family.type, bool(family.samples)) == (described.kind, True), described.name
        for sample in family.samples:
            assert set(sample.labels) == set(described.labels)


async def test_names_that_nobody_declared_are_one_series() -> None:
    """A journal may hold whatever somebody wrote into it; its steps and reasons are no labels."""
    records = written.shuffled(written.lines_of(written.played(3)), 3)
    async with opened() as (log, store):
        await fill(log, store, records)
        async with store.writing() as connection:
            await connection.exec_driver_sql("UPDATE deliveries SET step = 'evil/' || rowid, reason = 'r' || rowid")
            await connection.exec_driver_sql("UPDATE groups SET step = 'evil/' || rowid")
            await connection.exec_driver_sql("UPDATE events SET source = 'evil/' || rowid")
            await connection.exec_driver_sql("UPDATE workers SET service = 'evil' || rowid, worker = 'w' || rowid")
        async with picture(store, log.clock.now()) as seen:
            found = await fleet(seen, log)
        shown = page(found, Replica(log, store, "one"))
    assert "evil" not in shown
    assert {step for step, _ in found.dead} <= {OTHER, *seen.topology.steps}


async def test_a_projector_that_never_caught_up_lags_since_it_began_and_one_that_did_since_then() -> None:
    """So the lag grows where nothing is folded, and is small where all is."""
    async with opened() as (log, store):
        replica = Replica(log, store, "one")
        figures = Figures(replica, 900.0)
        assert not figures.ready().ok
        assert 0.0 <= lag(figures) < 5.0
        await fill(log, store, written.shuffled(written.lines_of(written.played(1)), 1))
        await replica.catch_up()
        async with picture(store, log.clock.now() + 70.0) as seen:
            figures.put(await fleet(seen, log))
        assert 70.0 <= lag(figures) < 75.0
        assert (figures.ready().ok, figures.alive().ok) == (True, True)
        figures.draining = True
        assert not figures.ready().ok


def lag(figures: Figures) -> float:
    found = re.findall(
        r"^farandole_projection_lag_seconds (\S+)$", generate_latest(registry_of(figures)).decode(), re.MULTILINE
    )
    return float(found[0])


async def test_a_replica_that_takes_no_more_turns_is_dead() -> None:
    """One that waits for a store that is away takes them."""
    async with opened() as (log, store):
        replica = Replica(log, store, "one")
        figures = Figures(replica, 0.05)
        figures.look()
        await asyncio.sleep(0.06)  # longer than its patience, whatever the machine does
        figures.look()
        assert "has not finished a turn" in figures.alive().reasons[0]
        replica.turns += 1
        figures.look()
        assert figures.alive().ok
