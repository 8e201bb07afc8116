"""Records on their way from the member's thread to who polls: fetched per lease, held back, and handed out in turn."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka.admin import OffsetSpec

from farandole.engines.kafka import astray
from farandole.engines.kafka.hold import HIGH, LOW, Hold
from farandole.engines.kafka.member import Member
from farandole.engines.kafka.offsets import listed
from farandole.engines.kafka.stranded import Administrator
from farandole.events.errors import FarandoleError
from farandole.log.pruning import gone_handled, gone_unhandled
from farandole.log.record import Place, Record

_AGAIN = 0.1  # seconds until a lost place is looked up and read from again


class Intake:
    """Of one subscription, on its event loop. `outer`: Kafka's names of the topics; `failed`: from any thread."""

    def __init__(
        self, member: Member, admin: Administrator, outer: Mapping[str, str], failed: Callable[[FarandoleError], object]
    ) -> None:
        self._member, self._admin, self._outer, self._failed = member, admin, outer, failed
        self._turn = 0
        self._missed = astray.Missed()

    def fetch(self, hold: Hold) -> None:
        """Not waited for: the member's thread may itself wait for a lease that only our poller can let go of."""
        if not hold.ready:
            hold.ready = True
            self._fetch_on(hold)

    def put(self, holds: Mapping[int, Hold], records: Sequence[Record]) -> None:
        """What came; of a queue that is full no more is fetched for now."""
        for record in records:
            hold = holds.get(record.partition)
            if hold is not None and hold.ready:
                queue = hold.queues[record.topic]
                queue.put(record)
                if queue.size > HIGH and queue.fetching:
                    queue.fetching = False
                    self._member.hold_back(self._outer[record.topic], record.partition)

    def take(self, holds: Sequence[Hold], limit: int) -> list[Record]:
        """Each time another lease comes first, so that none with much to do keeps the others waiting."""
        records: list[Record] = []
        self._turn += 1
        first = self._turn % max(1, len(holds))
        for hold in (*holds[first:], *holds[:first]):
            for topic, queue in hold.queues.items():
                records += queue.take(limit - len(records))
                if not queue.fetching and queue.size < LOW:
                    queue.fetching = True
                    self._member.go_on(self._outer[topic], hold.lease.partition)
        return records

    async def find_the_way(self, hold: Hold, topic: str) -> None:
        """Fetch on where it stood: the place may be gone, or the client has forgotten it while leaders changed.

        Raises LogError where it is gone, or the log stays shorter than that for `astray.HEARS`.
        """
        number, at = hold.lease.partition, hold.queues[topic].last + 1
        place = self._outer[topic], number
        first = (await listed(self._admin, [place], OffsetSpec.earliest()))[place]
        if at < first:
            raise gone_unhandled(hold.lease.group, Place(topic, number, at), first)
        end = (await listed(self._admin, [place], OffsetSpec.latest(), committed=False))[place]
        if at > end and self._missed.seconds(place) > astray.HEARS:
            raise gone_handled(hold.lease.group, Place(topic, number, at), end)
        await asyncio.sleep(_AGAIN)
        if not hold.gone:
            self._fetch_on(hold)

    def _fetch_on(self, hold: Hold) -> None:
        offsets = {self._outer[topic]: queue.last + 1 for topic, queue in hold.queues.items()}
        asked = self._member.fetch(hold.lease.partition, offsets, lambda: not hold.gone)
        asked.add_done_callback(self._asked)

    def _asked(self, answer: Future[None]) -> None:
        error = answer.exception()
        if isinstance(error, FarandoleError):
            self._failed(error)
