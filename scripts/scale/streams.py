"""What a partition holds in the simulation: lots of events, those under way, and the arrivals at the first topic.

Events of a lot became visible together, so one place in the queue does for them all.
"""

import math
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from farandole.log.partitioner import partition_of

if TYPE_CHECKING:
    from scripts.scale.process import Process

NEVER = math.inf


class Lot(NamedTuple):
    """`seen`: when it became visible here; `origins`: when each of its events was published at the very beginning."""

    seen: float
    origins: Sequence[float]


class Arrivals:
    """Events published to a partition at random moments, `rate` a second, until a moment.

    `tick`: seconds between two moments at which the publisher sends what is due; 0: each in its own moment.
    """

    def __init__(self, rng: Random, rate: float, until: float, *, tick: float = 0.0) -> None:
        self._rng, self._rate, self._until, self._tick = rng, rate, until, tick
        self._exact = 0.0
        self.count = 0
        self.next = NEVER
        if rate > 0:
            self._advance()

    def take(self, now: float, late: float, most: int) -> list[float]:
        """The moments of those that arrived `late` seconds ago or before that, `most` at the utmost."""
        taken: list[float] = []
        while self.next + late <= now and len(taken) < most:
            taken.append(self.next)
            self._advance()
        self.count += len(taken)
        return taken

    def _advance(self) -> None:
        self._exact += self._rng.expovariate(self._rate)
        moment = math.ceil(self._exact / self._tick) * self._tick if self._tick else self._exact
        self.next = moment if self._exact <= self._until else NEVER


class Partition:
    """One of a topic. `flight`: lots that its holder took and has not committed, in order."""

    __slots__ = ("arrivals", "draining", "flight", "holder", "number", "queue")

    def __init__(self, number: int, arrivals: Arrivals | None = None) -> None:
        self.number, self.arrivals = number, arrivals
        self.queue: deque[Lot] = deque()
        self.flight: deque[Lot] = deque()
        self.holder: Process | None = None
        self.draining = False

    def take(self, now: float, late: float, most: int) -> list[Lot]:
        """Lots that have been visible for `late` seconds, in order, of `most` events together; now they are in flight.

        The sum is the one by which who waits is woken: rounded otherwise, it would be woken for nothing, for ever.
        """
        taken: list[Lot] = []
        while self.queue and self.queue[0].seen + late <= now and most > 0:
            lot = self.queue.popleft()
            if len(lot.origins) > most:
                self.queue.appendleft(Lot(lot.seen, lot.origins[most:]))
                lot = Lot(lot.seen, lot.origins[:most])
            taken.append(lot)
            most -= len(lot.origins)
        if self.arrivals is not None and not self.queue:
            taken += [Lot(moment, (moment,)) for moment in self.arrivals.take(now, late, most)]
        self.flight.extend(taken)
        return taken

    def give_back(self) -> None:
        """What is in flight was not committed: it comes again."""
        self.queue.extendleft(reversed(self.flight))
        self.flight.clear()

    def next(self) -> float:
        """When the next of those not taken is, or becomes, visible; never, where nothing more comes."""
        if self.queue:
            return self.queue[0].seen
        return NEVER if self.arrivals is None else self.arrivals.next

    def oldest(self) -> float:
        """When the oldest became visible that is not committed."""
        return self.flight[0].seen if self.flight else self.next()

    def held(self) -> int:
        """Events that were published or taken over, and are not committed."""
        return sum(len(lot.origins) for lots in (self.queue, self.flight) for lot in lots)


def shares(partitions: int, *, keys: int, skew: float) -> list[float]:
    """Of all events, what comes to each partition: the n-th of `keys` has a weight of 1/n^skew (Zipf); 0: all alike."""
    weights = [0.0] * partitions
    for number in range(keys):
        weights[partition_of(f"key-{number}".encode(), partitions)] += (number + 1) ** -skew
    total = sum(weights)
    return [weight / total for weight in weights]
