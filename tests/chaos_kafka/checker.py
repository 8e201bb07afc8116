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
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

ENDINGS = ("completed", "held", "discarded")
SYSTEM = "farandole."
FIRST, LAST = "order.taken", "order.done"
PATIENCE = 60.0  # seconds without a single record
Dicts = list[dict[str, Any]]


class Row(NamedTuple):
    """One record of an ordinary topic. `time`: of its append, seconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    headers: dict[str, str]
    time: float


def read_log(bootstrap: str, namespace: str) -> tuple[list[Row], Dicts, Dicts]:
    """Records of the domain topics in order of partition and offset, facts (with `appended`), latest manifests."""
    rows, facts, manifests = [], Dicts(), dict[str | None, dict[str, Any]]()
    for row in sorted(_read(bootstrap, f"{namespace}."), key=lambda row: row[:3]):
        if row.topic == "farandole.journal":
            facts += [fact | {"appended": row.time} for fact in json.loads(row.value)]
        elif row.topic == "farandole.manifests":
            manifests[row.key] = json.loads(row.value)
        elif not row.topic.startswith(SYSTEM) and not row.topic.endswith((".inbox", ".dlq", ".state")):
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
    """Acknowledged inputs that are missing, orders without a whole end, and deliveries that nobody ended."""
    there = {(r.headers.get("ce_source"), r.headers.get("ce_id")) for r in rows}
    found = [f"acknowledged {a['id']} is not in the log" for a in acks if (a["source"], a["id"]) not in there]
    ended = {_ending_key(f) for f in facts if f["fact"] in ENDINGS and "event" in f}
    subscribers = _subscribers(manifests)
    for row in rows:
        open_at = [
            s for s in subscribers[row.topic] if (s, row.headers["ce_source"], row.headers["ce_id"]) not in ended
        ]
        found += [f"{step} never ended {row.topic}/{row.partition}/{row.offset}" for step in open_at]
    groups = {(f["service"], f["step"], f["fills"]["group"]) for f in facts if f["fact"] == "held"}
    closed = {(f["service"], f["step"], f["group"]["id"]) for f in facts if f["fact"] in ENDINGS and "group" in f}
    found += [f"group {g} was never closed" for g in sorted(groups - closed)]
    done = {data["number"]: data["parts"] for data in (json.loads(r.value) for r in rows if r.topic == LAST)}
    for order in (json.loads(r.value) for r in rows if r.topic == FIRST):
        if done.get(order["number"]) != list(range(order["parts"])):
            found.append(f"order {order['number']} of {order['parts']} parts ended with {done.get(order['number'])}")
    return found


def twice(rows: list[Row], facts: Dicts, outside: set[str]) -> list[str]:
    """Ids, orders' ends and endings that stand there more than once; who publishes from `outside` may repeat itself."""
    ids = Counter((r.topic, r.headers["ce_source"], r.headers["ce_id"]) for r in rows)
    for repeated in [what for what in ids if what[1] in outside]:
        del ids[repeated]
    done = Counter((LAST, json.loads(r.value)["number"]) for r in rows if r.topic == LAST)
    endings = Counter(_ending_key(f) for f in facts if f["fact"] in ENDINGS and "event" in f)
    closed = Counter((f["step"], f["group"]["id"]) for f in facts if f["fact"] in ENDINGS and "group" in f)
    counted = (*ids.items(), *done.items(), *endings.items(), *closed.items())
    return [f"{what} stands there {times} times" for what, times in counted if times > 1]


def reordered(rows: list[Row], manifests: Dicts) -> list[str]:
    """Keys in two partitions, and outputs of a step that do not follow the order of its inputs of the same key."""
    simple = {
        f"{m['service']}/{s['name']}" for m in manifests for s in m["steps"] if s["shape"] == "one" and s["order_by"]
    }
    place: dict[tuple[str | None, str], int] = {}
    homes: dict[tuple[str, str | None], set[int]] = defaultdict(set)
    for row in rows:
        place.setdefault((row.key, row.headers["ce_id"]), row.offset)
        homes[row.topic, row.key].add(row.partition)
    last: dict[tuple[str, str, str | None], int] = defaultdict(lambda: -1)
    found = [f"{home} is in the partitions {sorted(there)}" for home, there in homes.items() if len(there) > 1]
    for row in rows:
        source, cause = row.headers["ce_source"], row.headers.get("ce_causationid")
        before = None if cause is None else place.get((row.key, cause))
        if source not in simple:
            continue
        if before is None:
            found.append(f"{row.topic}/{row.partition}/{row.offset} follows from nothing that is there")
            continue
        lane = (source, row.topic, row.key)
        if before < last[lane]:
            found.append(f"{lane}: what follows from offset {before} stands behind {last[lane]}")
        last[lane] = max(last[lane], before)
    return found


def _ending_key(fact: dict[str, Any]) -> tuple[str, str, str]:
    return f"{fact['service']}/{fact['step']}", fact["event"]["source"], fact["event"]["id"]


def _subscribers(manifests: Dicts) -> dict[str, set[str]]:
    steps: dict[str, set[str]] = defaultdict(set)
    for manifest in manifests:
        for step in manifest["steps"]:
            for port in step["inputs"]:
                for name, _ in port["types"]:
                    steps[name].add(f"{manifest['service']}/{step['name']}")
    return steps


def judge(bootstrap: str, namespace: str, acks: Path) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    rows, facts, manifests = read_log(bootstrap, namespace)
    acknowledged = [json.loads(line) for line in acks.read_text().splitlines()]
    inputs = Counter(r.headers["ce_id"] for r in rows if r.topic == FIRST)
    findings = {
        "lost": lost(rows, facts, manifests, acknowledged),
        "twice": twice(rows, facts, {a["source"] for a in acknowledged}),
        "reordered": reordered(rows, manifests),
    }
    return {
        "findings": findings,
        "counts": {name: len(found) for name, found in findings.items()},
        "seen": {"acknowledged": len(acknowledged), "events": len(rows), "facts": len(facts),
                 "done": sum(r.topic == LAST for r in rows), "dead": Counter(f["fact"] for f in facts)["dead"],
                 "published_again": sum(times - 1 for times in inputs.values())},
        "ok": bool(acknowledged) and not any(findings.values()),
    }  # fmt: skip


if __name__ == "__main__":
    verdict = judge(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["ok"] else 1)
