"""Groups: who takes part, who holds which partition in which epoch, and how shares are evened out."""

from dataclasses import dataclass

from farandole.engines.memory.chance import Chance
from farandole.engines.memory.handle import Handle
from farandole.log.ports import Lease


@dataclass(slots=True, eq=False)
class Member:
    """One subscription's part in a group."""

    handle: Handle
    number: int


@dataclass(slots=True)
class Hold:
    """A lease in force; `told`: its holder knows that it is to give it back."""

    lease: Lease
    member: Member
    told: bool = False


class Group:
    """The members of one group on one topic. Shares differ by at most one; nothing moves without need."""

    def __init__(self, name: str, topic: str, partitions: int) -> None:
        self.name, self.topic = name, topic
        self.members: dict[Member, None] = {}
        self.holds: dict[int, Hold] = {}
        self._epochs = [0] * partitions

    def join(self, member: Member) -> bool:
        """Take part; whether it is new."""
        if member in self.members:
            return False
        self.members[member] = None
        return True

    def leave(self, member: Member) -> bool:
        """Give everything back and take part no more; whether it took part."""
        self.holds = {number: hold for number, hold in self.holds.items() if hold.member is not member}
        return member in self.members and self.members.pop(member) is None

    def in_force(self, member: Member, lease: Lease) -> bool:
        """Whether `member` holds exactly this lease."""
        hold = self.holds.get(lease.partition)
        return hold is not None and hold.lease == lease and hold.member is member

    def free(self, member: Member, lease: Lease) -> bool:
        """Give one lease back; whether it was in force."""
        if not self.in_force(member, lease):
            return False
        del self.holds[lease.partition]
        return True

    def revoke(self, member: Member, chance: Chance) -> list[Lease]:
        """The leases beyond the member's share that it was not told of yet; from now on it is."""
        kept = [hold for hold in self.holds.values() if hold.member is member and not hold.told]
        surplus = len(kept) - self._share(member)
        if surplus <= 0:
            return []
        kept.sort(key=lambda hold: hold.lease.partition)
        told = chance.pick(kept, surplus)
        for hold in told:
            hold.told = True
        return [hold.lease for hold in told]

    def grant(self, member: Member, chance: Chance, *, same_epoch: bool = False) -> list[Lease]:
        """Free partitions up to the member's share, each in an epoch of its own (`same_epoch`: a defect)."""
        free = [number for number in range(len(self._epochs)) if number not in self.holds]
        if not free:
            return []
        missing = max(0, self._share(member) - self._kept(member))
        return [self._lease(member, number, same_epoch) for number in sorted(chance.order(free)[:missing])]

    def _lease(self, member: Member, number: int, same_epoch: bool) -> Lease:
        self._epochs[number] += 0 if same_epoch and self._epochs[number] else 1
        lease = Lease(self.name, self.topic, number, self._epochs[number])
        self.holds[number] = Hold(lease, member)
        return lease

    def _kept(self, member: Member) -> int:
        return sum(hold.member is member and not hold.told for hold in self.holds.values())

    def _share(self, member: Member) -> int:
        """An equal part; what is left over goes to those who hold most, so that least moves."""
        least, left = divmod(len(self._epochs), len(self.members))
        by_kept = sorted(self.members, key=lambda other: (-self._kept(other), other.number))
        return least + (by_kept.index(member) < left)
