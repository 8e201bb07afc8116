"""What the fold remembers: events, deliveries, groups and counts; plain data that decides nothing of itself."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from farandole.events.facts import Fills, Place
from farandole.events.scope import Scope

State = Literal["owed", "retrying", "parked", "dead", "held", "completed", "discarded", "cancelled"]
"""Where a delivery stands; the last four are ends."""

ENDED: frozenset[State] = frozenset({"held", "completed", "discarded", "cancelled"})

Kind = Literal["pending", "absent", "event"]
_WEIGHT: dict[Kind, int] = {"pending": 0, "absent": 1, "event": 2}

CITED, RECORDED, EXPLAINED = 0, 1, 2
"""How an event became known, each better than the one before: a fact of a delivery of it, its record, the
fact of the delivery that published it."""


class Attempt(NamedTuple):
    """An attempt that ran: when (seconds), by whom, and how it ended."""

    attempt: int
    started: float
    finished: float
    worker: str
    version: str
    ending: State
    error: str


@dataclass(slots=True, eq=False)
class Delivery:
    """One event, or one closed group, at one step in one generation.

    `attempt` and `rank` order its facts, so that one that was applied before is known. `since`: when it came to
    stand so. `id` is known of dead letters and groups. `twin`: of a second record under the same identity.
    `fills`: the gathering that it was held in, `slot` what it fills there. `group`: the gathering that it is the
    delivery of. `key`: what its event knows it by. `row` and `event` are a store's: its own number and that of its
    event, -1 while it has none.
    """

    step: str
    generation: int = 0
    at: Place | None = None
    state: State = "owed"
    attempt: int = 0
    rank: int = 0
    since: float = 0.0
    due: float = 0.0
    error: str = ""
    reason: str = ""
    behind: str = ""
    partition: int | None = None
    id: str = ""
    group: str = ""
    twin: bool = False
    fills: "Gathering | None" = None
    slot: Fills | None = None
    attempts: list[Attempt] = field(default_factory=list)
    key: str = ""
    row: int = -1
    event: int = -1


@dataclass(slots=True, eq=False)
class Node:
    """An event or absence. `topic` decides who owes it an outcome; `wire` is its type with its version.

    `time`: append time of an input's record, `finished` of the delivery that published an output. `owing`: the
    steps that owe an outcome, whether they gave it or not. `loose`: nobody takes it though it is not final.
    `line`: where it stands in the workflow's line, -1: not there. `row` is a store's number of it, -1: none yet.
    """

    source: str
    id: str
    topic: str
    wire: str
    key: str | None = None
    time: float = 0.0
    known: int = CITED
    absent: bool = False
    pending: bool = False
    scope: Scope = ()
    cause: str = ""
    place: Place | None = None
    by: Delivery | None = None
    counted: bool = False
    loose: bool = False
    owing: tuple[str, ...] = ()
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    line: int = -1
    row: int = -1

    def by_step(self) -> list[Delivery]:
        """Its deliveries in an order that does not depend on which became known first."""
        return [self.deliveries[key] for key in sorted(self.deliveries)]


@dataclass(slots=True, eq=False)
class Spread:
    """The members of one fan-out, of the delivery `by`, as far as facts named them; `count`: how many there are."""

    group: str
    by: Delivery
    count: int
    members: dict[int, Node] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Side:
    """One parameter of a gathering: its slots by index. `lacking`: it will not come as a whole.

    `spread`: the fan-out whose members fill it, where it is a list.
    """

    size: int
    slots: dict[int, Kind] = field(default_factory=dict)
    firm: int = 0  # slots that are not pending
    lacking: bool = False
    spread: str = ""

    @property
    def full(self) -> bool:
        """Whether every slot is settled; the absence of a dead letter settles nothing."""
        return self.lacking or self.firm >= self.size

    def fill(self, index: int, kind: Kind) -> None:
        """Settle a slot; an event takes an absence's place, and that of a dead letter, never the reverse."""
        before = self.slots.get(index)
        if before is None or _WEIGHT[kind] > _WEIGHT[before]:
            self.slots[index] = kind
            self.firm += (kind != "pending") - (before not in (None, "pending"))


@dataclass(slots=True, eq=False)
class Gathering:
    """A group or join at a step: its sides by parameter, and the delivery that it owes once closed.

    `count`: how many sides there are. `scope`: of what it gives, as far as the held members tell. `since`, `latest`:
    when its first and its last member were held. `standing`: what it counts as: "open" (waits for members), "owed"
    (full), or "" (its delivery is known).
    """

    step: str
    id: str
    count: int = 1
    sides: dict[int, Side] = field(default_factory=dict)
    scope: Scope | None = None
    since: float = 0.0
    latest: float = 0.0
    delivery: Delivery | None = None
    standing: Literal["", "open", "owed"] = ""

    @property
    def full(self) -> bool:
        """Whether nothing more is waited for."""
        return len(self.sides) >= self.count and all(side.full for side in self.sides.values())

    @property
    def untold(self) -> Delivery:
        """What a full group owes while no fact names it: an outcome, since its last member was held."""
        return Delivery(self.step, since=self.latest, group=self.id)

    def take(self, fills: Fills, scope: Scope, time: float) -> None:
        """A member was held at `time`, seconds; `scope` is the member's."""
        self.latest = max(self.latest, time)
        self.count = max(self.count, fills.sides)
        kind: Kind = "pending" if fills.pending else "absent" if fills.absent else "event"
        if fills.whole and kind == "pending":
            return  # of a whole side nothing is known yet, not even its size
        side = self.sides.get(fills.param)
        if side is None:
            side = self.sides[fills.param] = Side(fills.size)
        if fills.whole:
            side.lacking = True
        else:
            side.size = fills.size
            if fills.size:  # an empty list has no slots, and is full
                side.fill(fills.index, kind)
        self._place(side, fills, scope)

    def _place(self, side: Side, fills: Fills, scope: Scope) -> None:
        """What it gives stands where its members have their scope in common."""
        if scope and not fills.whole and (scope[-1].index, scope[-1].size) == (fills.index, fills.size):
            side.spread = scope[-1].group
            # A fan-in has its group's id. A join has not: its list of one looks like a single side in a group of one.
            if fills.size > 1 or fills.group.partition("~")[0] == side.spread:
                scope = scope[:-1]
        if self.scope is None:
            self.scope = scope
        elif self.scope != scope:
            same = [a == b for a, b in zip(self.scope, scope, strict=False)]
            self.scope = self.scope[: same.index(False) if False in same else len(same)]


@dataclass(slots=True)
class Tally:
    """What a step has and had to do in one workflow. `owed` counts events, and full groups, without an outcome.

    `seconds`: sum over the attempts that ran; `longest` of them.
    """

    count: dict[State, int] = field(default_factory=lambda: dict.fromkeys(_STATES, 0))
    gathering: int = 0
    attempts: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def time(self, seconds: float) -> None:
        """An attempt ran this long."""
        self.attempts += 1
        self.seconds += seconds
        self.longest = max(self.longest, seconds)


_STATES: tuple[State, ...] = ("owed", "retrying", "parked", "dead", "held", "completed", "discarded", "cancelled")


@dataclass(slots=True)
class Touched:
    """What changed of a workflow since a store last wrote it down, each once, in the order of the first change.

    Of a delivery that is new: its event, None where it is a group's or was there before. Of an attempt: its
    delivery, and its number among those.
    """

    nodes: dict[Node, None] = field(default_factory=dict)
    deliveries: dict[Delivery, Node | None] = field(default_factory=dict)
    attempts: list[tuple[Delivery, int]] = field(default_factory=list)
    gatherings: dict[Gathering, None] = field(default_factory=dict)
    spreads: dict[Spread, None] = field(default_factory=dict)
