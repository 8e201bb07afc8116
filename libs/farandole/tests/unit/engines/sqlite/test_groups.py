"""However members come, go, die and release: shares are even, nothing moves without need, epochs only rise."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farandole.engines.sqlite import groups, registry, schema
from farandole.engines.sqlite.catalog import create_topics
from farandole.engines.sqlite.process import this_process
from farandole.engines.sqlite.registry import Host
from farandole.engines.sqlite.requests import Effects
from farandole.log.ports import Interest
from farandole.log.record import TopicSpec

PARTITIONS = 5
INTEREST = Interest("group/step", "work")


@dataclass
class Scene:
    """A transaction that never ends, in memory, and the members in it."""

    db: apsw.Connection
    now: int = 1
    effects: Effects = field(default_factory=Effects)
    members: dict[int, groups.Member] = field(default_factory=dict)  # by handle

    def join(self, interest: Interest = INTEREST) -> int:
        """Another handle with a member; the handle's number."""
        handle = registry.register(self.db, Host.of(this_process(), b"", 6.0))
        self.members[handle] = groups.join(self, handle, interest, 1, "name")
        return handle

    def held(self) -> dict[int, list[tuple[int, int, bool]]]:
        """Per handle: partition, epoch, revoking."""
        found: dict[int, list[tuple[int, int, bool]]] = {handle: [] for handle in self.members}
        rows = self.db.execute(
            "SELECT l.id, m.handle, l.epoch, l.revoking FROM lease l JOIN member m ON m.id = l.member"
        )
        for id, handle, epoch, revoking in rows.fetchall():
            found[handle].append((id & 0xFFFFFF, epoch, bool(revoking)))  # type: ignore[index,operator,arg-type]
        return found

    def epochs(self) -> list[int]:
        """The epoch of each partition."""
        return [epoch for (epoch,) in self.db.execute("SELECT epoch FROM lease ORDER BY id").fetchall()]  # type: ignore[misc]

    def release_revoked(self) -> None:
        """Every member gives back what it is to give back."""
        for handle, leases in self.held().items():
            for tp, epoch, revoking in leases:
                if revoking:
                    member = self.members[handle]
                    groups.release(self, member=member.id, lease=schema.position_id(member.group, tp), epoch=epoch)


@pytest.fixture
def scene() -> Iterator[Scene]:
    db = apsw.Connection(":memory:")
    schema.create(db)
    create_topics(db, [TopicSpec("work", PARTITIONS)], 1)
    yield Scene(db)
    db.close()


def kept(scene: Scene) -> list[int]:
    """How many leases each member holds for good."""
    return [sum(not revoking for _, _, revoking in leases) for leases in scene.held().values()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("join leave expel release settle".split()), st.integers(0, 99)), max_size=25))
def test_shares_are_even_whatever_happens(scene: Scene, events: list[tuple[str, int]]) -> None:
    """After every event all is leased, nobody keeps more than a share, no epoch fell; once released, all is even."""
    for handle in list(scene.members):
        groups.expel(scene, [handle])
        del scene.members[handle]
    for event, choice in events:
        before = scene.epochs()
        handles = sorted(scene.members)
        if event == "join" or not handles:
            scene.join()
        elif event == "leave":
            groups.leave(scene, scene.members.pop(handles[choice % len(handles)]).id)
        elif event == "expel":
            handle = handles[choice % len(handles)]
            del scene.members[handle]
            groups.expel(scene, [handle])
        elif event == "release":
            scene.release_revoked()
        else:
            groups.settle(scene, 1, 1)
        after = scene.epochs()
        assert all(new >= old for new, old in zip(after, before, strict=False))
        if scene.members:
            assert sum(map(len, scene.held().values())) == PARTITIONS, "each has one holder, at once"
            assert max(kept(scene)) <= -(-PARTITIONS // len(scene.members)), "nobody keeps more than a share"
    scene.release_revoked()
    if scene.members:
        assert sum(kept(scene)) == PARTITIONS
        assert max(kept(scene)) - min(kept(scene)) <= 1


def test_a_newcomer_takes_no_more_than_its_share(scene: Scene) -> None:
    """Two of five move; the other three stay in their epoch."""
    first = scene.join()
    second = scene.join()
    assert [revoking for _, _, revoking in scene.held()[first]] == [False, False, False, True, True]
    assert scene.held()[second] == []
    scene.release_revoked()
    assert [epoch for _, epoch, _ in scene.held()[first]] == [1, 1, 1]
    assert [epoch for _, epoch, _ in scene.held()[second]] == [2, 2]


def test_a_leaver_does_not_disturb_the_others(scene: Scene) -> None:
    """What they hold they keep, in its epoch; what he held is shared among them."""
    handles = [scene.join() for _ in range(3)]
    for _ in range(2):
        scene.release_revoked()
    before = {handle: set(leases) for handle, leases in scene.held().items()}
    groups.leave(scene, scene.members.pop(handles[0]).id)
    after = scene.held()
    for handle in handles[1:]:
        assert before[handle] <= set(after[handle])
    assert sorted(kept(scene)) == [2, 3]


def test_a_release_counts_in_its_epoch_only(scene: Scene) -> None:
    """Late, or by another than the holder, it does nothing."""
    first, second = scene.join(), scene.join()
    scene.release_revoked()
    tp, epoch, _ = scene.held()[second][0]
    lease = schema.position_id(scene.members[first].group, tp)
    before = scene.held()
    groups.release(scene, member=scene.members[first].id, lease=lease, epoch=epoch)
    groups.release(scene, member=scene.members[second].id, lease=lease, epoch=epoch - 1)
    assert scene.held() == before


def test_from_now_is_decided_once_per_partition(scene: Scene) -> None:
    """The end when first leased is the position for good; a later member of the group does not move it."""
    scene.db.execute("UPDATE position SET next = 7 WHERE id IN (1, 2)")
    now = INTEREST._replace(start="now")
    first = scene.join(now)
    positions = "SELECT id & 0xFFFFFF, next FROM position WHERE id > 0xFFFFFF ORDER BY id"
    assert scene.db.execute(positions).fetchall() == [(1, 7), (2, 7), (3, 0), (4, 0), (5, 0)]
    scene.db.execute("UPDATE position SET next = 99 WHERE id IN (1, 2)")
    groups.expel(scene, [first])
    del scene.members[first]
    scene.join(now)
    assert scene.db.execute(positions).fetchall() == [(1, 7), (2, 7), (3, 0), (4, 0), (5, 0)]


def test_whoever_is_concerned_is_to_be_woken(scene: Scene) -> None:
    """Granted or revoked; nobody else."""
    first, second = scene.join(), scene.join()
    assert scene.effects.handles == {first}
    scene.effects.handles.clear()
    scene.release_revoked()
    assert scene.effects.handles == {second}
    scene.effects.handles.clear()
    groups.settle(scene, 1, 1)
    assert scene.effects.handles == set()


def test_what_was_silent_is_forgotten_with_all_it_held(scene: Scene, tmp_path: Path) -> None:
    """No member, no listener, no lease, no address is left of an expelled handle."""
    first, second = scene.join(), scene.join()
    registry.listen(scene.db, first, ["work"])
    groups.expel(scene, [first])
    del scene.members[first]
    listeners = registry.read_listeners(scene.db)
    assert (set(listeners.addresses), listeners.by_topic) == ({second}, {})
    assert kept(scene) == [PARTITIONS]
