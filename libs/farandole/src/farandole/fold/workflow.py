"""`Workflow`: everything known of one workflow, and the counters that tell its status without looking at it all."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from farandole.fold.state import ENDED, RECORDED, Attempt, Delivery, Gathering, Node, Spread, State, Tally, Touched
from farandole.fold.topology import Topology

Status = Literal["complete", "running", "dead", "waiting"]
"""complete: nothing is left. running: something moves by itself. dead: nothing moves, and a dead letter is there,
or what is left is parked behind one. waiting: nothing moves, and nobody owes what it waits for."""


@dataclass(slots=True)
class Shared:
    """What workflows share: the topology (`epoch` counts its changes), and which deliveries are dead now.

    `unplaced` counts facts that name neither event nor group; they change nothing.
    """

    topology: Topology = field(default_factory=lambda: Topology.of(()))
    epoch: int = 0
    dead: dict[str, int] = field(default_factory=dict)
    unplaced: int = 0


@dataclass(slots=True, eq=False)
class Workflow:
    """One workflow. Nodes enter with what they owe under a topology, and withdraw before anything of it changes.

    `line`: events that a fact explains, in causal order; `roots`: the others, the inputs among them. `loose`:
    events that nobody takes. `unread`: members of fan-outs that no fact named yet. `counted`: events that count
    (the record of a known step's event counts only with the fact that explains it). `touched`: where a store
    keeps the workflow, what it has to write down.
    """

    id: str
    nodes: dict[tuple[str, str], Node] = field(default_factory=dict)
    line: list[Node] = field(default_factory=list)
    roots: dict[tuple[str, str], Node] = field(default_factory=dict)
    gatherings: dict[tuple[str, str], Gathering] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    parked: set[Delivery] = field(default_factory=set)
    loose: int = 0
    unread: int = 0
    counted: int = 0
    started: float = 0.0
    updated: float = 0.0
    epoch: int = 0
    touched: Touched | None = None

    def tally(self, step: str) -> Tally:
        """The counters of one step."""
        tally = self.tallies.get(step)
        if tally is None:
            tally = self.tallies[step] = Tally()
        return tally

    # -- events ---------------------------------------------------------------------------------------------

    def touch(self, node: Node) -> None:
        """The node changed: a store has to write it down."""
        if self.touched is not None:
            self.touched.nodes[node] = None

    def withdraw(self, node: Node) -> None:
        """Take back what the node counts as, so that it can change."""
        for step in node.owing:
            if step not in node.deliveries:
                self.tally(step).count["owed"] -= 1
        self.loose -= node.loose
        self.counted -= node.counted

    def enter(self, node: Node, topology: Topology) -> None:
        """Count the node as what it now is."""
        self.touch(node)
        foreign = node.known == RECORDED and node.source not in topology.steps
        node.counted = node.by is not None or bool(node.deliveries) or foreign
        node.owing = topology.owed_by(node.topic, node.time) if node.counted else ()
        taken = node.owing or node.deliveries or node.absent
        node.loose = node.counted and not taken and not is_final(topology, node.wire)
        for step in node.owing:
            if step not in node.deliveries:
                self.tally(step).count["owed"] += 1
        self.loose += node.loose
        self.counted += node.counted

    def refresh(self, shared: Shared) -> None:
        """Count anew what is owed where the topology has changed since."""
        if self.epoch == shared.epoch:
            return
        for node in self.nodes.values():
            self.withdraw(node)
            self.enter(node, shared.topology)
        self.epoch = shared.epoch

    # -- deliveries -----------------------------------------------------------------------------------------

    def begin(self, delivery: Delivery, node: Node | None = None) -> Delivery:
        """A delivery became known: of an event, or of a group."""
        if self.touched is not None:
            self.touched.deliveries[delivery] = node
        self.tally(delivery.step).count[delivery.state] += 1
        return delivery

    def move(self, delivery: Delivery, state: State, shared: Shared) -> None:
        """A delivery now stands otherwise; dead ones are noted for those parked behind them."""
        if self.touched is not None:
            self.touched.deliveries.setdefault(delivery, None)
        count = self.tally(delivery.step).count
        count[delivery.state] -= 1
        count[state] += 1
        if delivery.state == "dead":
            _forget(shared.dead, delivery.id)
        elif delivery.state == "parked":
            self.parked.discard(delivery)
        if state == "dead":
            shared.dead[delivery.id] = shared.dead.get(delivery.id, 0) + 1
        elif state == "parked":
            self.parked.add(delivery)
        delivery.state = state

    def ran(self, delivery: Delivery, attempt: Attempt) -> None:
        """An attempt of a delivery ended."""
        if self.touched is not None:
            self.touched.attempts.append((delivery, len(delivery.attempts)))
        delivery.attempts.append(attempt)
        self.tally(delivery.step).time(max(0.0, attempt.finished - attempt.started))

    def restand(self, gathering: Gathering) -> None:
        """Count a group as open, as owed, or not, now that a member or its delivery became known."""
        if self.touched is not None:
            self.touched.gatherings[gathering] = None
        now: Literal["", "open", "owed"] = "owed" if gathering.full else "open"
        if gathering.delivery is not None:
            now = ""
        if now == gathering.standing:
            return
        tally = self.tally(gathering.step)
        tally.gathering += (now == "open") - (gathering.standing == "open")
        tally.count["owed"] += (now == "owed") - (gathering.standing == "owed")
        gathering.standing = now

    def spread(self, spread: Spread) -> Spread:
        """A fan-out became known; its members are not read yet."""
        if self.touched is not None:
            self.touched.spreads[spread] = None
        self.spreads[spread.group] = spread
        self.unread += spread.count
        return spread

    # -- questions ------------------------------------------------------------------------------------------

    def status(self, shared: Shared) -> tuple[Status, bool]:
        """The status, and whether anything moves by itself; of counters alone."""
        moves = self.goes_on(shared) or any(delivery_moves(d, shared) for d in self.parked)
        return self.standing(moves=moves), moves

    def standing(self, *, moves: bool) -> Status:
        """The status, where it is known whether anything moves by itself."""
        dead = any(t.count["dead"] or t.count["parked"] for t in self.tallies.values())
        owed = any(t.count["owed"] or t.count["retrying"] or t.gathering for t in self.tallies.values())
        if moves:
            return "running"
        if dead:
            return "dead"
        return "waiting" if owed or self.loose else "complete"

    def goes_on(self, shared: Shared) -> bool:
        """Whether something is left that needs nobody's help: owed by a step that exists, or not read yet."""
        exists = shared.topology.exists
        return bool(self.unread) or any(
            (t.count["owed"] or t.count["retrying"]) and exists(step) for step, t in self.tallies.items()
        )


def delivery_moves(delivery: Delivery, shared: Shared) -> bool:
    """Whether a delivery goes on by itself."""
    if delivery.state in ENDED or delivery.state == "dead" or not shared.topology.exists(delivery.step):
        return False
    return delivery.state != "parked" or delivery.behind not in shared.dead


@lru_cache(4096)
def type_of(wire: str) -> tuple[str, int]:
    """Name and version of a CloudEvents type such as `scene.received.v1`; without a version it is the first."""
    name, _, number = wire.rpartition(".v")
    return (name, int(number)) if name and number.isdecimal() else (wire, 1)


def is_final(topology: Topology, wire: str) -> bool:
    """Whether the type is meant to have no consumer."""
    return type_of(wire) in topology.final


def _forget(dead: dict[str, int], delivery: str) -> None:
    dead[delivery] -= 1
    if not dead[delivery]:
        del dead[delivery]
