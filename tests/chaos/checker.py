"""The verdict on a log: imports nothing of farandole; reads the file raw, and an acknowledgement journal beside it.

    python -m tests.chaos.checker LOG ACKS ASSETS [EXPECTED.tif]

Lost: an acknowledged input that is not in the log, or a delivery that its subscribers never ended. Twice: an event
id, or an ending, that stands there more than once. Reordered: outputs of one step and order value that do not
follow their inputs. Pixels: every product equals the expected one. Prints one JSON object; exit 1 on a finding.
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec
import numpy as np
import rasterio

ENDINGS = ("completed", "held", "discarded")
SYSTEM = "farandole."


class Row(NamedTuple):
    """One record of an ordinary topic."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    headers: dict[str, str]


def read_log(path: Path) -> tuple[list[Row], list[dict[str, Any]], list[dict[str, Any]]]:
    """Records of the domain topics in order of partition and offset, facts, and manifests."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    topics = {first + n: (name, n) for name, partitions, first in _topics(db) for n in range(partitions)}
    rows, facts = [], []
    for row_id, body in db.execute("SELECT id, body FROM frame ORDER BY id"):
        topic, partition = topics[row_id >> 40]
        for row in _frame(topic, partition, row_id & ((1 << 40) - 1), body):
            if topic == "farandole.journal":
                facts += json.loads(row.value)
            elif not topic.startswith(SYSTEM) and not topic.endswith((".inbox", ".dlq")):
                rows.append(row)
    named = [tp for tp, (name, _) in topics.items() if name == "farandole.manifests"]
    stored = [db.execute("SELECT value FROM latest WHERE tp = ?", (tp,)).fetchall() for tp in named]
    return rows, facts, [json.loads(value) for values in stored for (value,) in values if value]


def _topics(db: apsw.Connection) -> list[tuple[str, int, int]]:
    return db.execute("SELECT name, partitions, first FROM topic").fetchall()


def _frame(topic: str, partition: int, base: int, body: bytes) -> list[Row]:
    keys, values, names, cells, *shapes = msgspec.msgpack.decode(body)
    texts = [name.decode() for name in names]
    rows = []
    for n, (key, value) in enumerate(zip(keys, values, strict=True)):
        if shapes and shapes[0] is not None:
            pairs = zip((texts[i] for i in shapes[0][n]), cells[n], strict=True)
        else:
            pairs = zip(texts, (c[n] if isinstance(c, list) else c for c in cells), strict=True)
        headers = {name: raw.decode("utf-8", "replace") for name, raw in pairs if raw is not None}
        rows.append(Row(topic, partition, base + n, key and key.decode(), value or b"", headers))
    return rows


def lost(
    rows: list[Row], facts: list[dict[str, Any]], manifests: list[dict[str, Any]], acks: list[dict[str, Any]]
) -> list[str]:
    """Acknowledged inputs that are missing, and deliveries that nobody ended."""
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
    return found + [f"group {g} was never closed" for g in sorted(groups - closed)]


def twice(rows: list[Row], facts: list[dict[str, Any]]) -> list[str]:
    """Ids and endings that stand there more than once."""
    ids = Counter((r.topic, r.headers["ce_source"], r.headers["ce_id"]) for r in rows)
    endings = Counter(_ending_key(f) for f in facts if f["fact"] in ENDINGS and "event" in f)
    closed = Counter((f["step"], f["group"]["id"]) for f in facts if f["fact"] in ENDINGS and "group" in f)
    counted = (*ids.items(), *endings.items(), *closed.items())
    return [f"{what} stands there {times} times" for what, times in counted if times > 1]


def reordered(rows: list[Row], manifests: list[dict[str, Any]]) -> list[str]:
    """Outputs of a step that do not follow the order of its inputs of the same key."""
    simple = {
        f"{m['service']}/{s['name']}" for m in manifests for s in m["steps"] if s["shape"] == "one" and s["order_by"]
    }
    place: dict[tuple[str | None, str], int] = {}
    for row in rows:
        place[row.key, row.headers["ce_id"]] = row.offset
    last: dict[tuple[str, str, str | None], int] = defaultdict(lambda: -1)
    found = []
    for row in rows:
        source, cause = row.headers["ce_source"], row.headers.get("ce_causationid")
        before = None if cause is None else place.get((row.key, cause))
        if source not in simple or before is None:
            continue
        lane = (source, row.topic, row.key)
        if before < last[lane]:
            found.append(f"{lane}: what follows from offset {before} stands behind {last[lane]}")
        last[lane] = max(last[lane], before)
    return found


def pixels(rows: list[Row], assets: Path, expected: Path) -> list[str]:
    """Products whose pixels differ from the expected ones."""
    with rasterio.open(expected) as source:
        wanted = source.read()
    found, judged = [], dict[str, bool]()
    for row in rows:
        if row.topic != "cog.written":
            continue
        uri = next(v["uri"] for v in json.loads(row.value).values() if isinstance(v, dict) and "uri" in v)
        digest = uri.rpartition("/")[2]
        if digest not in judged:
            path = next(assets.rglob(f"*{digest[4:]}*"))
            with rasterio.open(path) as source:
                judged[digest] = bool(np.array_equal(source.read(), wanted))
        if not judged[digest]:
            found.append(f"{row.topic}/{row.partition}/{row.offset}: the pixels differ")
    return found


def _ending_key(fact: dict[str, Any]) -> tuple[str, str, str]:
    return f"{fact['service']}/{fact['step']}", fact["event"]["source"], fact["event"]["id"]


def _subscribers(manifests: list[dict[str, Any]]) -> dict[str, set[str]]:
    steps: dict[str, set[str]] = defaultdict(set)
    for manifest in manifests:
        for step in manifest["steps"]:
            for port in step["inputs"]:
                for name, _ in port["types"]:
                    steps[name].add(f"{manifest['service']}/{step['name']}")
    return steps


def judge(log: Path, acks: Path, assets: Path, expected: Path | None = None) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    rows, facts, manifests = read_log(log)
    acknowledged = [json.loads(line) for line in acks.read_text().splitlines()]
    dead = Counter(f["fact"] for f in facts)["dead"]
    findings = {
        "lost": lost(rows, facts, manifests, acknowledged),
        "twice": twice(rows, facts),
        "reordered": reordered(rows, manifests),
        "pixels": pixels(rows, assets, expected) if expected is not None else [],
    }
    return {
        "findings": findings,
        "counts": {name: len(found) for name, found in findings.items()},
        "seen": {"acknowledged": len(acknowledged), "events": len(rows), "facts": len(facts), "dead": dead,
                 "products": sum(r.topic == "product.catalogued" for r in rows)},
        "ok": not any(findings.values()),
    }  # fmt: skip


if __name__ == "__main__":
    verdict = judge(*(Path(argument) for argument in sys.argv[1:5]))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["ok"] else 1)
