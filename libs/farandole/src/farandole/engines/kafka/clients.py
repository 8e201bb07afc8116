"""The settings of every client: the safe ones, in one place; nobody else makes a client.

Each answers a hazard: no automatic commit or reset, only committed records, every replica's acknowledgement, one
partitioner (the engine names the partition itself), bounded prefetch.
"""

import uuid
from typing import Any

from farandole.engines.kafka.address import Address
from farandole.engines.kafka.handles import AdminClient, Consumer, Producer, ends
from farandole.engines.kafka.logins import for_confluent
from farandole.engines.kafka.security import read_security
from farandole.engines.kafka.stranded import Administrator
from farandole.engines.kafka.undertones import Undertone

TRANSACTION = 10.0
"""Seconds after which the brokers end a transaction whose producer is gone."""
APPENDING = 5.0
"""The same, of one that only appends: nobody ends its transaction sooner, as a successor does a member's."""
MAX_POLL = 300.0
"""Seconds that a member may stay away from its polling thread, at least; no step runs there."""
MARGIN = 30.0
"""Seconds beyond its grace in which what was drained commits, and its lease is let go."""
RECORD_LIMIT = 1_000_000
"""Bytes of key, value and headers; a topic's default limit less what a batch and its headers add."""
_BATCH_LIMIT = 1_048_588  # the brokers' default of message.max.bytes
_PREFETCH_KB = 4096
SILENCE = 4.5
"""Seconds in which a broker has to answer. A host that vanished, or stands still, closes no connection: without a limit
of ours each request to it would wait a minute (a transaction's 10 s), long after the brokers have named another leader.
Less than `APPENDING`, as the client wants it, and half of `TRANSACTION`, so that a second try is in time."""
_FETCH_WAIT_MS = 100  # a partition that is added waits for the fetch under way to come back

Config = dict[str, Any]


class Clients:
    """Makes clients for one address. Raises what `read_security` does."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.security = read_security(address)
        self._drawn = uuid.uuid4().hex[:12]
        self.name = f"farandole-{self._drawn}"
        """Names this handle to the brokers."""
        ends.watch()

    def _common(self) -> Config:
        return {
            "bootstrap.servers": self.address.servers,
            "client.id": self.name,
            "allow.auto.create.topics": False,
            "topic.metadata.refresh.interval.ms": 30_000,
            "reconnect.backoff.max.ms": 1_000,
            "socket.timeout.ms": int(SILENCE * 1000),
            # Beginning anew with the bootstrap servers once no broker is connected, librdkafka 2.16 forgets the
            # coordinator of a transaction under way, and the call that waits for it never returns.
            "metadata.recovery.strategy": "none",
            "logger": Undertone(),
            "log_level": 2,
            **for_confluent(self.security),
        }

    def transactional_id(self, whose: str, number: int = 0) -> str:
        """One that nobody else draws; it begins with whose it is, for a right on that prefix to be enough."""
        return f"{whose.removesuffix('/')}/{self._drawn}-{number}"

    def admin(self) -> Administrator:
        """For topics, groups and offsets."""
        config = self._common()
        del config["allow.auto.create.topics"]
        return Administrator(lambda: AdminClient(config))

    def producer(self, transactional_id: str | None, seconds: float = TRANSACTION) -> Producer:
        """Idempotent; with an id also transactional, and not yet initialised.

        `seconds`: after which the brokers end its transaction where it is gone.
        """
        config = self._common() | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "retry.backoff.ms": 5,  # a transaction waits so long for the markers of the one before
            "message.max.bytes": _BATCH_LIMIT,
            "compression.type": "none",
        }
        if transactional_id is None:
            return Producer(config | {"delivery.timeout.ms": int(3 * TRANSACTION * 1000)})
        return Producer(config | {"transactional.id": transactional_id, "transaction.timeout.ms": int(seconds * 1000)})

    def member(self, group: str, grace: float) -> Consumer:
        """A member of a group, whose lease is its session; it may take `grace` seconds and more to let go."""
        session = int(self.address.lease * 1000)
        away = int(max(MAX_POLL, grace + 2 * MARGIN) * 1000)
        return Consumer(
            self._reading(group)
            | {
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": session,
                "heartbeat.interval.ms": max(100, session // 5),
                "max.poll.interval.ms": max(session, away),
                "enable.partition.eof": True,
            }
        )

    def onlooker(self, group: str, *, stable: bool) -> Consumer:
        """Asks for a group's positions without joining it; stable ones wait for open transactions to end."""
        level = "read_committed" if stable else "read_uncommitted"
        return Consumer(self._reading(group) | {"isolation.level": level})

    def follower(self, group: str) -> Consumer:
        """Reads partitions that it is told to, and says where they end; it joins no group.

        `group`: one that this user may ask for, for the client looks for its coordinator all the same.
        """
        return Consumer(self._reading(group) | {"enable.partition.eof": True, "fetch.wait.max.ms": 10})

    def _reading(self, group: str) -> Config:
        return self._common() | {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "check.crcs": True,
            "queued.max.messages.kbytes": _PREFETCH_KB,
            "fetch.wait.max.ms": _FETCH_WAIT_MS,
            "fetch.error.backoff.ms": 100,
        }
