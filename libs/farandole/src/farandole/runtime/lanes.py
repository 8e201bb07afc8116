"""Lanes: deliveries of one order value wait behind each other; others pass."""

from collections import deque
from collections.abc import Iterator

from farandole.runtime.delivery import Delivery, State

_BLOCKING = (State.RETRY, State.DEAD)


class Lanes:
    """Per order value a queue; its head is being worked on, waits for a retry, or is dead."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[str, deque[Delivery]] = {}

    def enter(self, delivery: Delivery) -> bool:
        """Stand at the end of the lane; True where nobody stands before."""
        lane = delivery.lane
        if lane is None:
            return True
        queue = self._queues.get(lane)
        if queue is None:
            self._queues[lane] = deque((delivery,))
            return True
        queue.append(delivery)
        return False

    def leave(self, delivery: Delivery) -> Delivery | None:
        """The head is finished; the next one, where there is one."""
        lane = delivery.lane
        if lane is None:
            return None
        queue = self._queues[lane]
        queue.popleft()
        if queue:
            return queue[0]
        del self._queues[lane]
        return None

    def put_back(self, deliveries: list[Delivery]) -> None:
        """Those that left go back to the front, in order: the first of them did not end after all."""
        for delivery in reversed(deliveries):
            if delivery.lane is not None:
                self._queues.setdefault(delivery.lane, deque()).appendleft(delivery)

    def blocker(self, delivery: Delivery) -> Delivery | None:
        """The head that a waiting delivery can't pass before a retry or an operator's word."""
        if delivery.lane is None:
            return None
        head = self._queues[delivery.lane][0]
        return head if head is not delivery and head.state in _BLOCKING else None

    def behind(self, delivery: Delivery) -> Iterator[Delivery]:
        """Those that wait behind the head, in order."""
        if delivery.lane is None:
            return iter(())
        queue = iter(self._queues[delivery.lane])
        next(queue)
        return queue
