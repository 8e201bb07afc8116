"""The verdict on a log: imports nothing of farandole; reads the file raw, and an acknowledgement journal beside it.

    python -m tests.chaos.checker LOG ACKS ASSETS [EXPECTED.tif]

Lost: an acknowledged input that is not in the log, or a delivery that its subscribers never ended. Twice: an event
id, or an ending, that stands there more than once. Reordered: outputs of one step and order value that do not
follow their inputs. Pixels: every product equals the expected one. Prints one JSON object; exit 1 on a finding.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import apsw
import msgspec
import numpy as np
import rasterio

from tests.support import judging
from tests.support.judging import Row

_TOPICS = "SELECT name, partitions, first FROM topic"


def read_log(path: Path) -> tuple[list[Row], list[dict[str, Any]], list[dict[str, Any]]]:
    """Records of the domain topics in order of partition and offset, facts, and manifests."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    topics = {first + n: (name, n) for name, partitions, first in db.execute(_TOPICS) for n in range(partitions)}
    rows, facts = [], []
    for row_id, body in db.execute("SELECT id, body FROM frame ORDER BY id"):
        topic, partition = topics[row_id >> 40]
        for row in _frame(topic, partition, row_id & ((1 << 40) - 1), body):
            if topic == judging.JOURNAL:
                facts += json.loads(row.value)
            elif judging.ordinary(topic):
                rows.append(row)
    named = [tp for tp, (name, _) in topics.items() if name == judging.MANIFESTS]
    stored = [db.execute("SELECT value FROM latest WHERE tp = ?", (tp,)).fetchall() for tp in named]
    return rows, facts, [json.loads(value) for values in stored for (value,) in values if value]


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


def judge(log: Path, acks: Path, assets: Path, expected: Path | None = None) -> dict[str, Any]:
    """The verdict as JSON: findings per kind, and how much was looked at."""
    rows, facts, manifests = read_log(log)
    acknowledged = [json.loads(line) for line in acks.read_text().splitlines()]
    seen = {"acknowledged": len(acknowledged), "events": len(rows), "facts": len(facts),
            "dead": Counter(f["fact"] for f in facts)["dead"],
            "products": sum(r.topic == "product.catalogued" for r in rows)}  # fmt: skip
    return judging.report(
        seen,
        lost=judging.lost(rows, facts, manifests, acknowledged),
        twice=judging.twice(rows, facts),
        reordered=judging.reordered(rows, manifests),
        pixels=pixels(rows, assets, expected) if expected is not None else [],
    )


if __name__ == "__main__":
    verdict = judge(*(Path(argument) for argument in sys.argv[1:5]))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["ok"] else 1)
