"""The hand-written hop that the embedded engine is measured beside: one apsw loop, one transaction a batch.

`plain` reads, validates, writes and moves a cursor. `told` also writes what the dance writes: derived ids, headers,
and a fact an event. Both use rows of one table a topic and `synchronous=FULL`, as anyone would write it.
"""

import json
import time
from hashlib import blake2b
from pathlib import Path

import apsw

from tests.bench.events import Measured, Moved

BATCH = 500
_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE source(id INTEGER PRIMARY KEY, key TEXT, headers TEXT, data BLOB);
CREATE TABLE sink(id INTEGER PRIMARY KEY, key TEXT, headers TEXT, data BLOB);
CREATE TABLE journal(id INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE cursor(name TEXT PRIMARY KEY, position INTEGER);
INSERT INTO cursor VALUES ('hop', 0);
"""


def fill(path: Path, events: list[Measured]) -> apsw.Connection:
    """A fresh database with the events to move."""
    db = apsw.Connection(str(path))
    db.execute(_SCHEMA).fetchall()  # apsw stops at the first row, which journal_mode gives
    rows = [(e.key, _headers(f"{n:032x}", "up/stream", f"{n:032x}"), e.data()) for n, e in enumerate(events)]
    with db:
        db.executemany("INSERT INTO source(key, headers, data) VALUES (?, ?, ?)", rows)
    return db


def plain(db: apsw.Connection) -> float:
    """Seconds to move everything, with nothing but the data."""
    begun = time.perf_counter()
    position = 0
    while True:
        rows = db.execute("SELECT id, data FROM source WHERE id > ? ORDER BY id LIMIT ?", (position, BATCH)).fetchall()
        if not rows:
            return time.perf_counter() - begun
        out = []
        for _, data in rows:
            moved = _move(Measured.model_validate_json(data))
            out.append((moved.key, moved.model_dump_json().encode()))
        position = rows[-1][0]
        with db:
            db.executemany("INSERT INTO sink(key, data) VALUES (?, ?)", out)
            db.execute("UPDATE cursor SET position = ? WHERE name = 'hop'", (position,))


def told(db: apsw.Connection) -> float:
    """Seconds to move everything with ids, headers and facts."""
    begun = time.perf_counter()
    position = 0
    while True:
        rows = db.execute(
            "SELECT id, headers, data FROM source WHERE id > ? ORDER BY id LIMIT ?", (position, BATCH)
        ).fetchall()
        if not rows:
            return time.perf_counter() - begun
        out, facts = [], []
        for number, headers, data in rows:
            started = time.time()
            about = json.loads(headers)
            moved = _move(Measured.model_validate_json(data))
            event_id = _hash(f"{about['ce_source']}\x1f{about['ce_id']}\x1fhop/move")
            workflow = about["ce_correlationid"]
            out.append((moved.key, _headers(event_id, "hop/move", workflow, about["ce_id"]), moved.data()))
            facts.append(_fact(about, number, started, moved.key, event_id))
        position = rows[-1][0]
        with db:
            db.executemany("INSERT INTO sink(key, headers, data) VALUES (?, ?, ?)", out)
            db.execute("INSERT INTO journal(data) VALUES (?)", (json.dumps(facts, separators=(",", ":")).encode(),))
            db.execute("UPDATE cursor SET position = ? WHERE name = 'hop'", (position,))


def _move(event: Measured) -> Moved:
    return Moved(
        key=event.key, site=event.site, value=event.value, count=event.count, series=event.series, note=event.note
    )


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _headers(event_id: str, source: str, workflow: str, cause: str = "0" * 32) -> str:
    trace = f"00-{_hash(workflow)}-{_hash(event_id)[:16]}-01"
    return json.dumps(
        {
            "ce_specversion": "1.0",
            "content-type": "application/json",
            "ce_id": event_id,
            "ce_source": source,
            "ce_type": "moved.v1",
            "ce_correlationid": workflow,
            "ce_causationid": cause,
            "traceparent": trace,
        }
    )


def _fact(about: dict[str, str], number: int, started: float, key: str, event_id: str) -> dict[str, object]:
    return {
        "fact": "completed",
        "workflow": about["ce_correlationid"],
        "service": "hop",
        "step": "move",
        "version": "0",
        "attempt": 1,
        "worker": "bench",
        "event": {
            "source": about["ce_source"],
            "id": about["ce_id"],
            "type": "measured.v1",
            "time": started,
            "at": ["measured", 0, number],
        },
        "started": started,
        "finished": time.time(),
        "outputs": [{"slot": 0, "type": "moved.v1", "id": event_id, "key": key}],
    }
