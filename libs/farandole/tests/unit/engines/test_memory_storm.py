"""Random operations of several handles under all faults, against a sequential model; a seed gives one history."""

from collections import Counter

import pytest

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.log.record import Record
from libs.farandole.tests.unit.engines.memory_storm import PARTITIONS, WORK, Faults, Rates, Scene
from libs.farandole.tests.unit.engines.virtual import on_virtual_time

RECORDS = 40
SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 100))]
MUTANTS = [
    "no-fencing",
    "lost-lease-committed",
    "epoch-reused",
    "position-without-outputs",
    "state-restored-short",
    "duplicate-append",
    "reorder",
    "released-redelivers",
    "immortal",
]


async def everything(cluster: Cluster, topic: str) -> dict[int, list[Record]]:
    """What the topic holds, by partition."""
    partitions = cluster.topics.partitions(topic)
    return {number: partition.read(0, partition.end)[0] for number, partition in enumerate(partitions)}


async def storm(cluster: Cluster) -> Faults:
    """One storm, and its verdict."""
    scene = Scene(cluster, records=RECORDS, rates=Rates())
    await scene.play()
    inputs, outputs = await everything(cluster, "in"), await everything(cluster, "out")
    judge_inputs(inputs)
    for number in range(PARTITIONS):
        assert [r.value for r in outputs[number]] == [r.value for r in inputs[number]], f"partition {number}"
        followed = [record for record in scene.followed if record.partition == number]
        assert followed == outputs[number], f"followed in partition {number}"
        epochs = [lease.epoch for lease in scene.epochs if lease.partition == number]
        assert epochs == sorted(set(epochs)), f"epochs of partition {number}"
        assert cluster.positions[WORK.group]["in", number] == len(inputs[number])
    return scene.faults


def judge_inputs(inputs: dict[int, list[Record]]) -> None:
    """Each producer's records are there once, in order per partition; time never falls."""
    wanted = Counter(f"producer-{who}:{n}".encode() for who in range(2) for n in range(RECORDS))
    assert Counter(record.value for records in inputs.values() for record in records) == wanted
    for records in inputs.values():
        assert [record.time for record in records] == sorted(record.time for record in records)
        for who in range(2):
            mine = [v for r in records if (v := (r.value or b"").decode()).startswith(f"producer-{who}:")]
            numbers = [int(value.split(":")[1]) for value in mine]
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_counts_once_whatever_strikes(seed: int) -> None:
    """Kills, pauses, expiries, failures, lost replies and delays: the log is as if nothing had happened."""
    try:
        on_virtual_time(storm, seed=seed)
    except BaseException as error:
        error.add_note(f"storm of seed {seed}")
        raise


def test_the_storms_are_storms() -> None:
    """Over some seeds every kind of fault strikes often; else the test above would prove little."""
    struck = sum((on_virtual_time(storm, seed=seed).struck for seed in range(5)), Counter[str]())
    assert min(struck[kind] for kind in ("late", "unavailable", "expired", "paused", "killed")) >= 10, struck


def test_a_seed_gives_one_history() -> None:
    """The same seed gives the same operations at the same times; another seed gives others."""
    traces = [on_virtual_time(storm, seed=seed).trace for seed in (7, 7, 8)]
    assert traces[0] == traces[1]
    assert traces[0] != traces[2]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_storm_finds_planted_defects(mutant: str) -> None:
    """What the storm must catch it does catch, within a few seeds."""

    async def broken(cluster: Cluster) -> None:
        cluster.mutants = frozenset({mutant})
        await storm(cluster)

    for seed in range(20):
        try:
            on_virtual_time(broken, seed=seed)
        except AssertionError:
            return
    pytest.fail(f"{mutant} survived 20 storms")


def test_without_a_seed_nothing_is_left_to_chance() -> None:
    """No latency, full batches: two runs of the same calls are the same, and take no time."""

    async def calm(cluster: Cluster) -> list[object]:
        log = MemoryLog(cluster)
        scene = Scene(cluster, records=6, rates=Rates())
        await scene.play()
        return [scene.faults.trace, await everything(cluster, "out"), await log.committed(WORK.group)]

    assert on_virtual_time(calm) == on_virtual_time(calm)
