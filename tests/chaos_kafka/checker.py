"""The verdict on a log on Kafka: imports nothing of farandole; reads committed records, and the journal of what was
acknowledged beside the log.

    python -m tests.chaos_kafka.checker BOOTSTRAP NAMESPACE ACKS

Lost: an acknowledged input that is not in the log, an order whose end did not come or lacks parts, a delivery that its
subscribers never ended. Twice: an id of a step's output, an order's end, or an ending that stands there more than once.
Reordered: a key in two partitions of a topic, or outputs of one step and key that do not follow their inputs.
Prints one JSON object; exit 1 on a finding.
"""

import json
import sys
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tests.support import judging
from tests.support.judging import Dicts, Row

FIRST, LAST = "order.taken", "order.done"
PATIENCE = 60.0  # seconds without a single record


def read_log(bootstrap: str, namespace: str) -> tuple[list[Row], Dicts, Dicts]:
    """Records of the domain topics in order of partition and offset, facts (with `appended`), latest manifests."""
    rows, facts, manifests = [], Dicts(), dict[str | None, dict[str, Any]]()
    for row in sorted(_read(bootstrap, f"{namespace}."), key=lambda row: row[:3]):
        if row.topic == judging.JOURNAL:
            facts += [fact | {"appended": row.time} for fact in json.loads(row.value)]
        elif row.topic == judging.MANIFESTS:
            manifests[row.key] = json.loads(row.value)
        elif judging.ordinary(row.topic):
            rows.append(row)
    return rows, facts, list(manifests.values())


def _read(bootstrap: str, prefix: str) -> list[Row]:
    """Every committed record of the topics with this prefix, to their stable ends."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"checker-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "check.crcs": True,
        }
    )
    topics = {name: topic for name, topic in consumer.list_topics(timeout=30).topics.items() if name.startswith(prefix)}
    unread = {(name, number) for name, topic in topics.items() for number in topic.partitions}
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in sorted(unread)])
    rows, deadline = [], time.monotonic() + PATIENCE
    while unread:
        for message in consumer.consume(1000, 1.0):
            deadline = time.monotonic() + PATIENCE
            error = message.error()
            if error is None:
                rows.append(_row(message, prefix))
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard((message.topic() or "", message.partition() or 0))
            elif not error.retriable():
                raise KafkaException(error)
        if time.monotonic() > deadline:
            raise TimeoutError(f"these cannot be read to their end: {sorted(unread)[:5]}")
    consumer.close()
    return rows


def _row(message: Message, prefix: str) -> Row:
    key, headers = message.key(), dict(message.headers() or [])
    texts = {name: raw.decode("utf-8", "replace") for name, raw in headers.items() if isinstance(raw, bytes)}
    topic = (message.topic() or "").removeprefix(prefix)
    name = key.decode() if isinstance(key, bytes) else key
    stamp = message.timestamp()[1] / 1000
    return Row(topic, message.partition() or 0, message.offset() or 0, name, message.value() or b"", texts, stamp)


def lost(rows: list[Row], facts: Dicts, manifests: Dicts, acks: Dicts) -> list[str]:
    """What any log may have lost, and orders without a whole end."""
    found = judging.lost(rows, facts, manifests, acks)
    done = {data["number"]: data["parts"] for data in (json.loads(r.value) for r in rows if r.topic == LAST)}
    for order in (json.loads(r.value) for r in rows if r.topic == FIRST):
        if done.get(order["number"]) != list(range(order["parts"])):
            found.append(f"order {order['number']} of {order['parts']} parts ended with {done.get(order['number'])}")
    return found


def twice(rows: list[Row], facts: Dicts, outside: set[str]) -> list[str]:
    """What stands there more than once in any log, and orders that ended more than once under several ids."""
    done = Counter((LAST, json.loads(r.value)["number"]) for r in rows if r.topic == LAST)
    again = [f"{what} stands there {times} times" for what, times in done.items() if times > 1]
    return judging.twice(rows, facts, outside) + again


def reordered(rows: list[Row], manifests: Dicts) -> list[str]:
    """Every step here keeps its keys: each key has one partition, and each output its cause under the same key."""
    return _scattered(rows) + _rootless(rows, manifests) + judging.reordered(rows, manifests)


def _scattered(rows: list[Row]) -> list[str]:
    """Keys that lie in more than one partition of a topic."""
    homes: dict[tuple[str, str | None], set[int]] = defaultdict(set)
    for row in rows:
        homes[row.topic, row.key].add(row.partition)
    return [f"{home} is in the partitions {sorted(there)}" for home, there in homes.items() if len(there) > 1]


def _rootless(rows: list[Row], manifests: Dicts) -> list[str]:
    """Outputs of a step that keeps keys whose cause is nowhere under the same key."""
    simple = judging.keeping_order(manifests)
    known = {(row.key, row.headers["ce_id"]) for row in rows}
    return [
        f"{row.topic}/{row.partition}/{row.offset} follows from nothing that is there"
        for row in rows
        if row.headers["ce_source"] in simple and (row.key, row.headers.get("ce_causationid")) not in known
    ]


def judge(bootstrap: str, namespace: str, acks: Path) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    rows, facts, manifests = read_log(bootstrap, namespace)
    acknowledged = [json.loads(line) for line in acks.read_text().splitlines()]
    inputs = Counter(r.headers["ce_id"] for r in rows if r.topic == FIRST)
    seen = {
        "acknowledged": len(acknowledged),
        "events": len(rows),
        "facts": len(facts),
        "done": sum(r.topic == LAST for r in rows),
        "dead": Counter(f["fact"] for f in facts)["dead"],
        "published_again": sum(times - 1 for times in inputs.values()),
    }
    verdict = judging.report(
        seen,
        lost=lost(rows, facts, manifests, acknowledged),
        twice=twice(rows, facts, {a["source"] for a in acknowledged}),
        reordered=reordered(rows, manifests),
    )
    return verdict | {"ok": verdict["ok"] and bool(acknowledged)}


if __name__ == "__main__":
    verdict = judge(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["ok"] else 1)
