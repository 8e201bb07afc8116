"""What a projector reads: inputs before the facts on them, and no further ahead than these need."""

import asyncio
from pathlib import Path

import pytest

from farandole.engines.open import open_log
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.ports import Log
from farandole.log.record import TopicPartition
from farandole_observe.projector import intake as intake_module
from farandole_observe.projector.intake import Intake
from farandole_observe.projector.sight import facts_of, input_of
from tests.bench_observe import chains
from tests.observe.test_projector import timed

TOPICS = {JOURNAL, MANIFESTS, chains.INPUT}
PATIENCE = 60.0


async def read_through(log: Log) -> int:
    """Read all that is there; of how many workflows at most the input was read, and the end was not."""
    ends = {place: span.end for place, span in (await log.spans(sorted(TOPICS))).items()}
    intake, begun, ended, most = await Intake.open(log, TOPICS, {}), set[str](), set[str](), 0
    while intake.positions() != ends:
        for record in await intake.take(1.0):
            if record.topic == chains.INPUT:
                given = input_of(record)
                assert given is not None
                assert given.workflow not in begun, "handed out twice"
                begun.add(given.workflow)
            elif record.topic == JOURNAL:
                ended.update(fact.workflow for fact in facts_of(record).facts)
        most = max(most, len(begun - ended))
    await intake.close()
    assert begun == ended
    return most


async def test_a_longer_backlog_is_not_read_further_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflows that began and ended long ago are not all under way at once while they are folded."""
    monkeypatch.setattr(intake_module, "_BATCH", 40)
    monkeypatch.setattr(intake_module, "_FIRST", 1)
    monkeypatch.setattr(intake_module, "_BYTES", 20_000)
    most = {}
    for number in (1000, 4000):
        log = await open_log(f"sqlite:///{tmp_path}/{number}.db")
        await chains.prepare(log, 1)
        await chains.write(log, range(number), 1)
        most[number] = await read_through(log)
        await log.close()
    assert most[4000] <= most[1000] * 1.25 < 1000, most


async def test_what_is_read_and_not_handed_out_is_not_passed() -> None:
    """Positions are committed with what was folded: facts that wait for inputs are still to be read."""
    async with timed() as (log, _, clock):
        await chains.prepare(log, 1)
        flows = await chains.begin(log, range(3))
        clock.time += 1.0
        await log.append(chains.records(chains.facts(flows, 0)))
        intake = await Intake.open(log, TOPICS - {MANIFESTS}, {})
        assert {record.topic for record in await intake.take(1.0)} == {chains.INPUT}
        assert _sum(intake.positions(), JOURNAL) == 0
        assert _sum(intake.positions(), chains.INPUT) == 3
        assert {record.topic for record in await intake.take(1.0)} == {JOURNAL}
        assert _sum(intake.positions(), JOURNAL) == _sum(await _ends(log), JOURNAL)
        await intake.close()


async def test_who_waits_is_woken_by_facts_and_by_inputs(tmp_path: Path) -> None:
    """Whichever comes first."""
    log = await open_log(f"sqlite:///{tmp_path}/log.db")
    await chains.prepare(log, 1)
    intake = await Intake.open(log, TOPICS, {})
    while await intake.take(0.0):
        pass
    flows = list[chains.Begun]()
    for topic in (chains.INPUT, JOURNAL):
        waiting = asyncio.create_task(intake.take(10 * PATIENCE))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        if topic == chains.INPUT:
            flows = await chains.begin(log, range(1))
        else:
            await log.append(chains.records(chains.facts(flows, 0)))
        async with asyncio.timeout(PATIENCE):
            assert [record.topic for record in await waiting] == [topic]
    await intake.close()
    await log.close()


def _sum(positions: dict[TopicPartition, int], topic: str) -> int:
    return sum(offset for place, offset in positions.items() if place[0] == topic)


async def _ends(log: Log) -> dict[TopicPartition, int]:
    return {place: span.end for place, span in (await log.spans([JOURNAL])).items()}
