"""Forwarders: re-key what a step takes into its inbox, in order, so that its state lies in one partition."""

from pydantic import ValidationError

from farandole.events import topics
from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.event import key_text
from farandole.events.ids import workflow_id
from farandole.log.ports import Interest, Lease, Log, Subscription, Unit
from farandole.log.record import NewRecord, Record
from farandole.runtime.absence import read_absence
from farandole.runtime.delivery import FROM
from farandole.runtime.gather import member_of
from farandole.runtime.plan import Plan

BATCH = 500


class Forwarder:
    """Moves one topic into the inbox of one step; holds no state beside its position."""

    def __init__(self, plan: Plan, topic: str) -> None:
        self._plan, self._topic = plan, topic
        self._sub: Subscription | None = None

    async def run(self, log: Log) -> None:
        """Forward until cancelled; raises LogUnavailable when the log does not go on."""
        group = topics.forwarder(self._plan.producer, self._topic)
        self._sub = await log.subscribe(Interest(group, self._topic, self._plan.step.policy.start))
        leases: dict[int, Lease] = {}
        while True:
            polled = await self._sub.poll(limit=BATCH, timeout=1.0)
            for lease in polled.lost:
                leases.pop(lease.partition, None)
            for lease in polled.granted:
                leases[lease.partition] = lease
            await self._move(self._sub, leases, polled.records)
            for lease in polled.revoking:
                leases.pop(lease.partition, None)
                await self._sub.release(lease)

    async def close(self) -> None:
        """Leave the group, once `run` has ended; what was not committed is forwarded by others."""
        if self._sub is not None:
            await self._sub.close()

    async def _move(self, sub: Subscription, leases: dict[int, Lease], records: list[Record]) -> None:
        shares: dict[int, list[Record]] = {}
        for record in records:
            if record.partition in leases:
                shares.setdefault(record.partition, []).append(record)
        units = [
            Unit(leases[number], [self._forwarded(r) for r in share], {self._topic: share[-1].offset + 1})
            for number, share in shares.items()
        ]
        if units:
            done = await sub.commit(units)
            for unit in done.fenced:
                leases.pop(unit.lease.partition, None)

    def _forwarded(self, record: Record) -> NewRecord:
        place = f"{record.topic}/{record.partition}/{record.offset}".encode()
        headers = (*(h for h in record.headers if h[0] != FROM), (FROM, place))
        return NewRecord(self._plan.inbox, record.value, self._key(record), headers)

    def _key(self, record: Record) -> bytes | None:
        """The group's or join's key, or the order value; what cannot tell it keeps its own key."""
        try:
            envelope = decode(record.key, record.value, record.headers)
        except DecodeError:
            return record.key
        if self._plan.step.signature.shape == "one":
            return self._order_key(record, envelope)
        return self._gather_key(record, envelope)

    def _order_key(self, record: Record, envelope: Envelope) -> bytes | None:
        view = self._plan.views.get((envelope.type, envelope.version))
        policy = self._plan.step.policy
        if policy.order_by is None or policy.own_key or view is None:
            return record.key
        try:
            return key_text(getattr(view.event.read(envelope.data), policy.order_by)).encode()
        except ValidationError:
            return record.key

    def _gather_key(self, record: Record, envelope: Envelope) -> bytes | None:
        signature = self._plan.step.signature
        param = next((v.param for (name, _), v in self._plan.views.items() if name == self._topic), None)
        if param is None:
            return record.key
        absence = read_absence(envelope) if envelope.is_absence else None
        depth = absence.why.depth if absence is not None else 0
        named = envelope if envelope.workflow else envelope._replace(workflow=workflow_id(*envelope.identity))
        member = member_of(signature, param, named, depth)
        return record.key if member is None else member.key.encode()
