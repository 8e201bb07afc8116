"""Waits until a cluster answers; it knows addresses only, not who started what listens there."""

import time
from collections.abc import Callable, Collection

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka.errors import KafkaFailed

_LOOK = 1.0  # seconds of one question, between which `check` is asked


def no_check() -> None:
    """For a cluster whose processes are not ours to look at."""


def wait_ready(
    bootstrap: str, *, present: Collection[int] | int, timeout: float, check: Callable[[], None] = no_check
) -> None:
    """Return once the metadata names the nodes `present` (ids, or how many).

    `check` is called between two questions and raises when waiting has become pointless.
    Raises KafkaFailed after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    asking = AdminClient(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,  # that nobody listens yet is expected
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 200,
            "topic.metadata.refresh.interval.ms": -1,
        }
    )
    said = "nothing"
    while time.monotonic() < deadline:
        check()
        try:
            nodes = set(asking.list_topics(timeout=_LOOK).brokers)
        except KafkaException as error:
            said = str(error.args[0])
            continue
        if (len(nodes) >= present) if isinstance(present, int) else nodes.issuperset(present):
            return
        said = f"nodes {sorted(nodes)}"
        time.sleep(0.1)
    wanted = f"{present} nodes" if isinstance(present, int) else f"nodes {sorted(present)}"
    raise KafkaFailed(f"{bootstrap} did not name {wanted} within {timeout:.0f} s; last: {said}")
