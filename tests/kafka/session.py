"""One Kafka for all tests of a run, its workers included; where none is to be had, a loud skip, in CI a failure."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

import pytest

from scripts.kafka import Cluster, KafkaFailed, NoKafka, Origin, kafka_cluster

REQUIRE = "FARANDOLE_REQUIRE_KAFKA"  # environment: 1 makes a missing Kafka a failure, as CI does
_LOOK = 0.1  # seconds between two looks whether another worker's Kafka answers


def without_kafka(error: NoKafka) -> NoReturn:
    """Skip, saying why; fail with CI or FARANDOLE_REQUIRE_KAFKA=1 set."""
    if os.environ.get("CI") or os.environ.get(REQUIRE) == "1":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(f"\n{'=' * 30} THE KAFKA HALF IS NOT TESTED {'=' * 30}\n{error}")


@contextmanager
def session_kafka(folder: Path) -> Iterator[Cluster]:
    """The Kafka that whoever names the same `folder` shares; its nodes are nobody's to stop.

    The first to come starts it, and ends it when all others have left. Should its worker be killed, it ends with it,
    and the next to come starts another. Raises NoKafka and KafkaFailed as `kafka_cluster` does, KafkaFailed also in the
    end, should a node have ended before.
    """
    with (folder / "owner.lock").open("w") as owner, (folder / "users.lock").open("w") as users:
        while True:
            if _locked(owner):
                with _owned(folder, users) as cluster:
                    yield cluster
                return
            # As long as we hold this, the owner waits with ending what we then find.
            fcntl.flock(users, fcntl.LOCK_SH)
            if (found := _found(folder)) is not None:
                yield found
                return
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(_LOOK)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _owned(folder: Path, users: IO[str]) -> Iterator[Cluster]:
    place, draft = folder / "kafka.json", folder / "kafka.draft"
    place.unlink(missing_ok=True)  # of an owner that was killed
    with kafka_cluster() as cluster:
        draft.write_text(json.dumps([cluster.bootstrap, cluster.origin]), encoding="utf-8")
        draft.replace(place)
        try:
            yield Cluster(cluster.bootstrap, cluster.origin)
        finally:
            fcntl.flock(users, fcntl.LOCK_EX)
            place.unlink()
            _check(cluster)


def _check(cluster: Cluster) -> None:
    """Raises KafkaFailed where a node has ended: whatever failed for want of it, this is why."""
    for node in cluster.nodes:
        if node.pid is None:
            raise KafkaFailed(f"node {node.id} of the Kafka of this run ended by itself; its log said:\n{node.tail()}")


def _found(folder: Path) -> Cluster | None:
    try:
        bootstrap, origin = json.loads((folder / "kafka.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Cluster(bootstrap, cast("Origin", origin))
