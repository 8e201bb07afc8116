"""Groups: whatever happens, shares even out, no partition has two holders, and epochs only rise."""

from hypothesis import given
from hypothesis import strategies as st

from farandole.engines.memory.bells import Bells
from farandole.engines.memory.chance import Chance
from farandole.engines.memory.groups import Group, Member
from farandole.engines.memory.handle import Handle, World
from farandole.log.ports import Lease

events = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "poll", "release", "free"]), st.integers(0, 5)), max_size=60
)


class Model:
    """A group and its members; `told` are the leases that a member knows it must give back."""

    def __init__(self, partitions: int, seed: int | None) -> None:
        self.partitions, self.chance = partitions, Chance(seed)
        self.group = Group("g", "t", partitions)
        world = World(self.chance, Bells(self.chance))
        self.members = [Member(Handle(f"m{n}", world), n) for n in range(6)]
        self.told: dict[Member, list[Lease]] = {member: [] for member in self.members}
        self.epochs = [0] * partitions
        self.granted = 0

    def happen(self, event: str, who: int) -> None:
        """One event of one member, whether it makes sense or not."""
        member = self.members[who]
        if event == "join":
            self.group.join(member)
        elif event == "leave":
            self.group.leave(member)
            self.told[member].clear()
        elif event == "free":
            self.group.free(member, Lease("g", "t", who % self.partitions, self.epochs[who % self.partitions]))
        elif member in self.group.members:
            self.poll(member)
            if event == "release":
                self.release(member)
        self.check()

    def poll(self, member: Member) -> None:
        """What a poll does to the group."""
        self.told[member] += self.group.revoke(member, self.chance)
        for lease in self.group.grant(member, self.chance):
            assert lease.epoch > self.epochs[lease.partition]
            self.epochs[lease.partition] = lease.epoch
            self.granted += 1

    def release(self, member: Member) -> None:
        """Give back what is to be given back."""
        while self.told[member]:
            self.group.free(member, self.told[member].pop())

    def check(self) -> None:
        """No holder is outside of the group, and each lease stands in its partition's last epoch."""
        for number, hold in self.group.holds.items():
            assert hold.member in self.group.members
            assert (hold.lease.partition, hold.lease.epoch) == (number, self.epochs[number])

    def counts(self) -> list[int]:
        """How many partitions each member holds."""
        holders = [hold.member for hold in self.group.holds.values()]
        return [holders.count(member) for member in self.group.members]

    def settle(self) -> None:
        """Everybody polls and releases until nothing changes."""
        for _ in range(3):
            for member in list(self.group.members):
                self.poll(member)
                self.release(member)
            self.check()


@given(st.integers(1, 9), st.none() | st.integers(0, 99), events)
def test_shares_even_out_whatever_happened(partitions: int, seed: int | None, script: list[tuple[str, int]]) -> None:
    """After any history three rounds of polls suffice: all is held, and counts differ by at most one."""
    model = Model(partitions, seed)
    for event, who in script:
        model.happen(event, who)
    model.settle()
    if model.group.members:
        counts = model.counts()
        assert sum(counts) == partitions
        assert max(counts) - min(counts) <= 1


@given(st.integers(1, 9), st.none() | st.integers(0, 99), events)
def test_what_is_even_stays(partitions: int, seed: int | None, script: list[tuple[str, int]]) -> None:
    """Once settled no further poll moves anything."""
    model = Model(partitions, seed)
    for event, who in script:
        model.happen(event, who)
    model.settle()
    granted = model.granted
    model.settle()
    assert model.granted == granted
    assert not any(model.told.values())


@given(st.integers(1, 12), st.integers(1, 5), st.none() | st.integers(0, 99))
def test_a_newcomer_moves_its_share_and_no_more(partitions: int, members: int, seed: int | None) -> None:
    """Of n partitions at most ⌈n/m⌉ leases are granted anew when the m-th member joins."""
    model = Model(partitions, seed)
    for who in range(members):
        model.happen("join", who)
    model.settle()
    before = model.granted
    model.happen("join", members)
    model.settle()
    assert model.granted - before <= -(-partitions // (members + 1))
