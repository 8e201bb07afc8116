"""Faults: what each stage of an operation promises, and what becomes of a handle that is killed, paused or expired."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.faults import HandleKilled, Stage
from farandole.engines.memory.log import MemoryLog
from farandole.events.errors import ConfigError, Fenced, LogError, LogUnavailable
from farandole.log.ports import Interest, Lease, Subscription, Unit
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.unit.engines.virtual import At, on_virtual_time

STAGES: tuple[Stage, ...] = ("before", "inside", "after")
INTEREST = Interest("g/s", "in", state="state")


def unavailable() -> None:
    """The fault itself."""
    raise LogUnavailable("a fault")


async def ready(cluster: Cluster, name: str = "one", records: int = 3) -> tuple[MemoryLog, Subscription, Lease]:
    """A handle whose member holds the one partition and has polled its records."""
    log = MemoryLog(cluster, name=name)
    await log.ensure([TopicSpec("in"), TopicSpec("out"), TopicSpec("state", compacted=True)])
    await log.append([NewRecord("in", b"%d" % n) for n in range(records)])
    subscription = await log.subscribe(INTEREST)
    [lease] = (await subscription.poll(limit=10, timeout=10)).granted
    await subscription.restore(lease)
    while records:
        records -= len((await subscription.poll(limit=10, timeout=10)).records)
    return log, subscription, lease


async def outputs(cluster: Cluster) -> tuple[int, int]:
    """How many outputs stand in the log, and the committed position."""
    log = MemoryLog(cluster)
    end = (await log.spans(["out"]))["out", 0].end
    return end, (await log.committed("g/s")).get(("in", 0), 0)


def unit(lease: Lease, count: int = 3) -> Unit:
    """A commit of `count` outputs."""
    return Unit(lease, [NewRecord("out", b"v")] * count, {"in": count})


@pytest.mark.parametrize("stage", STAGES)
def test_a_commit_that_fails_is_written_only_if_its_reply_was_lost(stage: Stage) -> None:
    """Before and inside: nothing; after: everything, though the caller hears LogUnavailable."""

    async def test(cluster: Cluster) -> None:
        _, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "commit", stage, unavailable)
        with pytest.raises(LogUnavailable):
            await subscription.commit([unit(lease)])
        assert await outputs(cluster) == ((3, 3) if stage == "after" else (0, 0))

    on_virtual_time(test)


@pytest.mark.parametrize("stage", STAGES)
def test_an_append_can_be_repeated_after_any_failure(stage: Stage) -> None:
    """With identities the same append again leaves every record once."""

    async def test(cluster: Cluster) -> None:
        log, _, _ = await ready(cluster)
        cluster.faults = At("one", "append", stage, unavailable)
        new, names = [NewRecord("out", b"a"), NewRecord("out", b"b")], [b"1", b"2"]
        with pytest.raises(LogUnavailable):
            await log.append(new, identities=names)
        await log.append(new, identities=names)
        assert (await outputs(cluster))[0] == 2

    on_virtual_time(test)


@pytest.mark.parametrize("stage", STAGES)
def test_a_poll_that_fails_loses_neither_lease_nor_record(stage: Stage) -> None:
    """The next poll gives what the failed one would have given."""

    async def test(cluster: Cluster) -> None:
        log = MemoryLog(cluster, name="one")
        await log.ensure([TopicSpec("in")])
        await log.append([NewRecord("in", b"v")])
        subscription = await log.subscribe(Interest("g/s", "in"))
        cluster.faults = At("one", "poll", stage, unavailable)
        with pytest.raises(LogUnavailable):
            await subscription.poll(limit=10, timeout=1)
        polled = await subscription.poll(limit=10, timeout=1)
        assert (len(polled.granted), len(polled.records)) == (1, 1)

    on_virtual_time(test)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "operation", ["ensure", "topics", "reader", "fetch", "spans", "offset_at", "prune", "committed", "leases", "read"]
)
def test_every_operation_can_fail_and_be_repeated(operation: str, stage: Stage) -> None:
    """At every stage; the second time it succeeds."""

    async def test(cluster: Cluster) -> None:
        log, _, _ = await ready(cluster)
        reader = await log.reader(["in"])
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "ensure": lambda: log.ensure([TopicSpec("more")]),
            "topics": log.topics,
            "reader": lambda: log.reader(["in"]),
            "fetch": lambda: log.fetch("in", 0, 0),
            "spans": lambda: log.spans(["in"]),
            "offset_at": lambda: log.offset_at("in", 0, 0.0),
            "prune": lambda: log.prune({("in", 0): 1}),
            "committed": lambda: log.committed("g/s"),
            "leases": log.leases,
            "read": lambda: reader.poll(limit=10),
        }
        faults = cluster.faults = At("one", operation, stage, unavailable)
        with pytest.raises(LogUnavailable):
            await calls[operation]()
        await calls[operation]()
        assert faults.happened

    on_virtual_time(test)


@pytest.mark.parametrize("stage", STAGES)
def test_a_release_that_fails_leaves_a_lease_that_works_or_none(stage: Stage) -> None:
    """Not released: its records go on coming; released: it is lost, and comes back in a new epoch."""

    async def test(cluster: Cluster) -> None:
        log, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "release", stage, unavailable)
        with pytest.raises(LogUnavailable):
            await subscription.release(lease)
        await log.append([NewRecord("in", b"more")])
        polled = await subscription.poll(limit=10, timeout=1)
        if stage == "after":
            assert [granted.epoch for granted in polled.granted] == [lease.epoch + 1]
        else:
            assert (polled.granted, [r.value for r in polled.records]) == ([], [b"more"])

    on_virtual_time(test)


def test_a_release_that_is_cancelled_leaves_a_lease_that_works() -> None:
    """Whoever gives up while it is under way still holds the lease, and its records go on coming."""

    async def test(cluster: Cluster) -> None:
        log, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "release", "inside", lambda: asyncio.sleep(10))
        release = asyncio.ensure_future(subscription.release(lease))
        await asyncio.sleep(1)
        release.cancel()
        await asyncio.wait([release])
        await log.append([NewRecord("in", b"more")])
        assert [r.value for r in (await subscription.poll(limit=10, timeout=1)).records] == [b"more"]

    on_virtual_time(test)


def test_a_member_that_nobody_heard_of_keeps_nobody_waiting() -> None:
    """When the reply of a subscribe is lost, the next member has every partition at once."""

    async def test(cluster: Cluster) -> None:
        log = MemoryLog(cluster, name="one")
        await log.ensure([TopicSpec("in", 4)])
        cluster.faults = At("one", "subscribe", "after", unavailable)
        with pytest.raises(LogUnavailable):
            await log.subscribe(Interest("g/s", "in"))
        subscription = await log.subscribe(Interest("g/s", "in"))
        assert len((await subscription.poll(limit=1, timeout=0)).granted) == 4

    on_virtual_time(test)


@pytest.mark.parametrize("part", ["subscription", "log"])
def test_a_close_that_fails_gives_its_leases_back_in_time(part: str) -> None:
    """Closed it is none the less; nobody waits for it for longer than a lease."""

    async def test(cluster: Cluster) -> float:
        log, subscription, _ = await ready(cluster)
        heir = await MemoryLog(cluster, name="heir").subscribe(INTEREST)
        cluster.faults = At("one", "close", "before", unavailable)
        with pytest.raises(LogUnavailable):
            await (subscription if part == "subscription" else log).close()
        await (subscription if part == "subscription" else log).close()
        with pytest.raises(LogError, match="closed"):
            await subscription.poll(limit=1, timeout=0)
        assert len((await heir.poll(limit=1, timeout=60)).granted) == 1
        return asyncio.get_running_loop().time()

    assert on_virtual_time(test) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_leaves_all_of_a_commit_or_nothing(stage: Stage, seed: int) -> None:
    """Killed inside, chance decides; before it is nothing, after it everything; no later call gets through."""

    async def test(cluster: Cluster) -> tuple[int, int]:
        log, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "commit", stage, lambda: cluster.kill("one"))
        with pytest.raises(HandleKilled):
            await subscription.commit([unit(lease)])
        written = await outputs(cluster)
        for call in (log.append([NewRecord("out", b"v")]), subscription.commit([unit(lease)]), log.close()):
            with pytest.raises(HandleKilled):
                await call
        assert await outputs(cluster) == written
        return written

    assert (
        on_virtual_time(test, seed=seed)
        in {
            "before": [(0, 0)],
            "inside": [(0, 0), (3, 3)],
            "after": [(3, 3)],
        }[stage]
    )


def test_chance_decides_both_ways_about_a_write_at_a_kill() -> None:
    """Over some seeds a commit under way at a kill is found written, and not written."""

    async def test(cluster: Cluster) -> tuple[int, int]:
        _, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "commit", "inside", lambda: cluster.kill("one"))
        with pytest.raises(HandleKilled):
            await subscription.commit([unit(lease)])
        return await outputs(cluster)

    assert {on_virtual_time(test, seed=seed) for seed in range(20)} == {(0, 0), (3, 3)}


def test_a_kill_ends_what_is_pending_at_once() -> None:
    """A waiting poll, a commit held up by a fault and one queued behind it raise at the time of the kill."""

    async def test(cluster: Cluster) -> None:
        log, subscription, lease = await ready(cluster)
        reader = await log.reader(["out"])
        cluster.faults = At("one", "commit", "inside", lambda: asyncio.sleep(1000))
        pending = asyncio.gather(
            *(subscription.commit([unit(lease)]) for _ in range(2)),
            subscription.poll(limit=1, timeout=1000),
            reader.poll(timeout=1000),
            return_exceptions=True,
        )
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        cluster.kill("one")
        assert [type(error) for error in await pending] == [HandleKilled] * 4
        assert asyncio.get_running_loop().time() - began < 0.01

    on_virtual_time(test)


def test_no_ordinary_handler_survives_a_kill() -> None:
    """Code that goes on after any Exception does not go on after the death of its process."""
    assert not issubclass(HandleKilled, Exception)


def test_a_paused_handle_stands_still_until_it_is_resumed() -> None:
    """None of its calls goes on, whatever they wait for; resumed within the lease nothing is lost."""

    async def test(cluster: Cluster) -> None:
        log, subscription, lease = await ready(cluster)
        poll = asyncio.ensure_future(subscription.poll(limit=10, timeout=1))
        await asyncio.sleep(0.1)
        cluster.pause("one")
        commit = asyncio.ensure_future(subscription.commit([unit(lease)]))
        await MemoryLog(cluster).append([NewRecord("in", b"more")])
        await asyncio.sleep(4)
        assert not poll.done()
        assert not commit.done()
        assert await outputs(cluster) == (0, 0)
        cluster.resume("one")
        assert [record.value for record in (await poll).records] == [b"more"]
        assert (await commit).fenced == []
        await log.close()

    on_virtual_time(test)


def test_a_handle_paused_for_too_long_finds_itself_fenced() -> None:
    """Its leases are gone although nobody else wanted them; it learns so, and is granted new ones."""

    async def test(cluster: Cluster) -> None:
        _, subscription, lease = await ready(cluster)
        cluster.pause("one")
        await asyncio.sleep(6.1)
        assert await MemoryLog(cluster).leases() == {}
        cluster.resume("one")
        assert [u.lease for u in (await subscription.commit([unit(lease)])).fenced] == [lease]
        with pytest.raises(Fenced):
            await subscription.restore(lease)
        polled = await subscription.poll(limit=10, timeout=0)
        assert (polled.lost, [granted.epoch for granted in polled.granted]) == ([lease], [lease.epoch + 1])

    on_virtual_time(test)


def test_a_handle_paused_inside_a_commit_is_fenced_too() -> None:
    """A commit that was under way when its process stopped does not slip through after a take-over."""

    async def test(cluster: Cluster) -> None:
        _, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "commit", "inside", lambda: cluster.pause("one"))
        commit = asyncio.ensure_future(subscription.commit([unit(lease)]))
        heir = await MemoryLog(cluster, name="heir").subscribe(INTEREST)
        [granted] = (await heir.poll(limit=10, timeout=60)).granted
        await heir.restore(granted)
        cluster.resume("one")
        assert [u.lease for u in (await commit).fenced] == [lease]
        assert await outputs(cluster) == (0, 0)

    on_virtual_time(test)


def test_an_expired_lease_brings_its_records_again() -> None:
    """A lease that runs out under a living member is granted anew, and what was uncommitted comes twice."""

    async def test(cluster: Cluster) -> None:
        _, subscription, lease = await ready(cluster)
        await subscription.commit([unit(lease, 1)])
        cluster.expire("one")
        polled = await subscription.poll(limit=10, timeout=1)
        assert (polled.lost, len(polled.granted)) == ([lease], 1)
        await subscription.restore(polled.granted[0])
        again = await subscription.poll(limit=10, timeout=1)
        assert [record.offset for record in again.records] == [1, 2]

    on_virtual_time(test)


def test_a_commit_does_not_overtake_one_that_failed() -> None:
    """Its position would cover what the failed one left unwritten, so it fails as well; later calls pass."""

    async def test(cluster: Cluster) -> None:
        _, subscription, lease = await ready(cluster)
        cluster.faults = At("one", "commit", "inside", unavailable)
        ended = await asyncio.gather(
            *(subscription.commit([unit(lease, count)]) for count in (1, 2, 3)), return_exceptions=True
        )
        assert [type(error) for error in ended] == [LogUnavailable] * 3
        assert await outputs(cluster) == (0, 0)
        await subscription.commit([unit(lease)])
        assert await outputs(cluster) == (3, 3)

    on_virtual_time(test)


def test_a_name_belongs_to_one_living_handle() -> None:
    """Leases and faults are told by name; a dead or closed handle's is free again."""

    async def test(cluster: Cluster) -> None:
        log = MemoryLog(cluster, name="one")
        with pytest.raises(ConfigError, match="another name"):
            MemoryLog(cluster, name="one")
        await log.close()
        MemoryLog(cluster, name="one")
        cluster.kill("one")
        MemoryLog(cluster, name="one")
        assert cluster.living() == ["one"]
        with pytest.raises(ConfigError, match="no handle 'two'"):
            cluster.kill("two")
        assert MemoryLog(cluster).name != MemoryLog(cluster).name

    on_virtual_time(test)


def test_unknown_mutants_are_refused() -> None:
    """A misspelt defect would prove nothing."""
    with pytest.raises(ConfigError, match="no-such"):
        Cluster(mutants={"no-such"})
