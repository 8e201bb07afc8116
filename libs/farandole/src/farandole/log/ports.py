"""The ports: what an event log and an asset store must do. Engines implement them; nothing here does I/O.

Every method may raise LogUnavailable; after it nothing of the call counts as written unless a later read shows
it. All methods are called from one event loop; a handle is used by one process.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from farandole.events.asset import Asset
from farandole.log.record import NewRecord, Place, Record, Span, TopicPartition, TopicSpec


class Clock(Protocol):
    """Where time comes from; wall time only: waiting is the event loop's, which runs on the same clock."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class Capabilities(NamedTuple):
    """What differs between engines and a caller may have to know."""

    engine: str
    durable: bool  # survives the end of the process
    shared: bool  # several processes may use it at once
    identities: bool  # can refuse an id that was published before with another body
    record_limit: int  # bytes of key, value and headers of one record
    commit_limit: int  # records in one commit that surely pass; a single larger unit goes alone


class Interest(NamedTuple):
    """What a step leases: partitions of `topic`, and with each those of the same number of inbox and state.

    `group`: `service/step`; members of one group share the partitions. `start`: where a partition begins that
    the group never committed: at the beginning of the log, or now (the end when first leased).
    `inbox`: further topic that is read under the same lease, always from its beginning. `state`: compacted topic
    restored by `restore`. `grace`: seconds that a lease may take to be let go once it is wanted back.
    """

    group: str
    topic: str
    start: str = "beginning"
    inbox: str | None = None
    state: str | None = None
    grace: float = 30.0


class Lease(NamedTuple):
    """The right to commit for one partition number of a group, until a higher epoch is granted."""

    group: str
    topic: str
    partition: int
    epoch: int


class Polled(NamedTuple):
    """What a poll found. `revoking`: drain what is in flight, commit, then `release`. `lost`: drop it, now."""

    granted: list[Lease]
    revoking: list[Lease]
    lost: list[Lease]
    records: list[Record]


class Unit(NamedTuple):
    """What commits for one lease: outputs (in order) and, per topic of the lease, the next offset to read."""

    lease: Lease
    outputs: Sequence[NewRecord]
    positions: Mapping[str, int]


class Committed(NamedTuple):
    """What became of a commit: the units that were dropped because their lease is gone; the rest is durable."""

    fenced: list[Unit]


class Subscription(Protocol):
    """One member of a group."""

    async def poll(self, *, limit: int, timeout: float) -> Polled:
        """Wait until something is there or `timeout` seconds passed; at most `limit` records.

        Records of a partition come in offset order, each once per lease, starting at the committed position.
        Only committed records are seen. A lease is reported granted before its first record. A poll also keeps
        the leases alive, but they live on between polls as long as the process makes progress.
        """
        ...

    async def restore(self, lease: Lease) -> list[Record]:
        """The rows of the lease's state partition (latest per key, no tombstones), to their true end.

        Complete: nothing of a predecessor can be committed after it returns. Records of the lease are polled
        only after `restore` was called (where `state` is None: at once).
        """
        ...

    async def commit(self, units: Sequence[Unit]) -> Committed:
        """The only write of a step: all units whose lease still stands become durable together, or none.

        Arguments are read before the first suspension: what the caller changes later is not in the commit.
        Units of one lease commit in the order given, and calls in the order made. Raises RecordRefused when
        the log refuses one of the records (nothing was written; halve the units to find it).
        """
        ...

    def pause(self, lease: Lease, topic: str) -> None:
        """Stop polling one topic of the lease; what was already handed out is not taken back."""
        ...

    def resume(self, lease: Lease, topic: str) -> None:
        """Poll it again, from where polling stopped."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give a lease back; another member may have it at once. Harmless when it is gone already."""
        ...

    async def close(self) -> None:
        """Give all leases back and leave the group. What was not committed is polled again by others."""
        ...


class Reader(Protocol):
    """Reads committed records without a group; for observers, follow and wait."""

    async def poll(self, *, limit: int = 1000, timeout: float = 0.0) -> list[Record]:
        """Records from the current positions on, in order per partition; empty when `timeout` passed.

        Of compacted topics the latest record per key as it stands when read, tombstones included while known.
        New partitions of its topics are not picked up; topics that do not exist yet are, when they appear.
        """
        ...

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset to read, per partition."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Log(Protocol):
    """An ordered, partitioned, durable event log."""

    capabilities: Capabilities
    clock: Clock

    async def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist. Raises ConfigError where one exists with another shape."""
        ...

    async def topics(self) -> list[TopicSpec]:
        """Every topic, by name."""
        ...

    async def append(
        self, records: Sequence[NewRecord], *, identities: Sequence[bytes | None] | None = None
    ) -> list[Place]:
        """Write outside of a lease, all or nothing; returns when durable.

        `identities`, one a record: an identity that was appended before (by this handle; by any, where the
        capability says so) is not written again: its first place is returned. Raises IdConflict when its value
        differs, RecordRefused, or LogUnavailable (then appending the same again with identities is safe).
        """
        ...

    async def subscribe(self, interest: Interest) -> Subscription:
        """Join a group. The topics of the interest must exist."""
        ...

    async def reader(self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> Reader:
        """Read `topics` from the given positions (absent: from the beginning)."""
        ...

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        """One record by its place, or None where it is no longer kept."""
        ...

    async def spans(self, topics: Sequence[str]) -> dict[TopicPartition, Span]:
        """Start and committed end of every partition of the topics that exist.

        What a commit or an append wrote that had returned before this was called lies before the end, whoever made it.
        """
        ...

    async def offset_at(self, topic: str, partition: int, time: float) -> int:
        """The first offset whose record was taken at or after `time`; the end where there is none."""
        ...

    async def prune(self, before: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Remove for good what lies before these offsets in partitions that keep all; where each begins now.

        What was written together goes together, so it may begin somewhat earlier than asked for. Nobody is asked: what
        a group has not handled yet is lost to it, and its next member says so. Raises ConfigError for a partition that
        does not exist or is compacted, and for an offset beyond its end; then nothing is removed.
        """
        ...

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """The group's committed positions, for partitions that it ever committed."""
        ...

    async def leases(self) -> dict[str, list[tuple[Lease, str]]]:
        """Per group the leases in force, each with the name of the member that holds it."""
        ...

    async def close(self) -> None:
        """End every subscription and reader of this handle and give back all it holds. Idempotent."""
        ...


class Stored(NamedTuple):
    """Content that an asset store holds; `put`: when it was last, in seconds since the epoch, on the store's clock."""

    uri: str
    size: int
    put: float


class AssetStore(Protocol):
    """Content-addressed storage; an `Asset` names content, never a place. Threads and processes may share it."""

    def put(self, path: Path, media_type: str) -> Asset:
        """Store a file's content; returns when it is durable and complete. Idempotent; makes it young for `remove`.

        Raises BadInput where `path` is no readable regular file, AssetError where the store cannot be written: then
        nobody sees any part of it.
        """
        ...

    def path(self, asset: Asset | str) -> Path:
        """A local file with the verified content; not to be written. Raises AssetMissing, AssetCorrupt, AssetError.

        Of a URI without its Asset the length is not known, and only the digest verified. The file stays until
        `release`, or until this process ends.
        """
        ...

    def release(self, path: Path) -> None:
        """What `path` handed out is read no more: once for each time. Harmless for any other path."""
        ...

    def stored(self) -> Iterator[Stored]:
        """All content, as it is found while others go on."""
        ...

    def remove(self, uri: str, before: float) -> bool:
        """Remove content that nobody has put since a time (seconds); whether it was. Raises AssetError.

        Whoever puts it meanwhile either keeps this from happening, or stores it again before the put returns.
        """
        ...
