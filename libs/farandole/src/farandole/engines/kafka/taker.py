"""What the group gives a member is taken over: one round at a time, each bound to the assignment that asked for it.

Two rounds that took the same partition over would each go on where it stood before the other.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from farandole.engines.kafka import takeover
from farandole.engines.kafka.beginnings import Beginnings
from farandole.engines.kafka.committer import Committer
from farandole.engines.kafka.desk import Desk
from farandole.engines.kafka.failures import RIGHTS, unavailable
from farandole.engines.kafka.hold import Claim, Hold
from farandole.engines.kafka.transactor import Aborted, Unknown

_AGAIN = 0.1  # seconds until a round that a rebalance crossed is made again


class Taker:
    """Of one subscription. `held`: what it holds by now; `granted` hears of each that is taken over."""

    def __init__(
        self,
        scene: takeover.Scene,
        beginnings: Beginnings,
        committer: Committer,
        desk: Desk,
        *,
        held: Mapping[int, Hold],
        granted: Callable[[Hold], None],
    ) -> None:
        self._scene, self._beginnings, self._committer, self._desk = scene, beginnings, committer, desk
        self._held, self._granted = held, granted
        self._assigned: set[int] = set()
        self._claims: dict[int, Claim] = {}
        self._leaving: set[int] = set()
        self._at_work = False

    def claim(self, numbers: Iterable[int]) -> None:
        """The group gave these; on the member's thread."""
        self._claims.update({number: Claim() for number in numbers})

    def claims(self, numbers: Iterable[int]) -> list[Claim]:
        """As they stand, to be marked as gone; on the member's thread."""
        return [self._claims[number] for number in numbers]

    def want(self, numbers: Iterable[int]) -> None:
        """These are to be taken over by the next round."""
        self._assigned.update(numbers)

    def unwant(self, numbers: Iterable[int]) -> None:
        """These are not ours any more."""
        self._assigned.difference_update(numbers)

    @contextmanager
    def leaving(self, number: int) -> Iterator[None]:
        """It is let go of by ourselves, and not taken over again before that is done."""
        self._leaving.add(number)
        try:
            yield
        finally:
            self._leaving.discard(number)

    async def work(self) -> None:
        """Until each that is wanted is held, or given to somebody else; at once where another call is at work.

        Raises LogError.
        """
        if self._at_work:
            return
        self._at_work = True
        try:
            await self._beginnings.prepare()
            while wanted := sorted(self._assigned - self._held.keys() - self._leaving):
                await self._round({number: self._claims[number] for number in wanted})
        finally:
            self._at_work = False

    async def _round(self, claims: Mapping[int, Claim]) -> None:
        try:
            holds = await self._end_predecessors(claims)
            await self._desk.do(self._committer.enter, holds, self._scene.interest.state)
        except (Aborted, Unknown) as failed:
            if failed.error.code() in RIGHTS:
                raise unavailable(f"{self._scene.interest.group} can't take over", failed.error) from failed
            self._committer.refresh()
            await asyncio.sleep(_AGAIN)
            return
        for hold in holds:
            if hold.lease.partition in self._assigned and not hold.gone:
                self._granted(hold)

    async def _end_predecessors(self, claims: Mapping[int, Claim]) -> list[Hold]:
        """What each of them, and a try of our own, left open is ended; then where to go on."""
        await self._desk.do(self._committer.transactor.begin)
        for id in await takeover.predecessors(self._scene, list(claims)) - {self._committer.transactor.id}:
            await self._desk.do(self._committer.transactor.fence, id)
        return await takeover.holds(
            self._scene,
            claims,
            self._beginnings,
            lambda: self._desk.do(self._committer.prove, self._scene.proof),
        )
