"""Raw confluent-kafka, transactional, writing by hand what the dance writes: ids, headers, and a fact an event."""

import json
import time
from typing import cast

from tests.bench import hand
from tests.bench.events import Measured
from tests.bench_kafka.programs import asked
from tests.bench_kafka.programs.confluent import commit, reading, taken, value, writing

_SOURCE = "hop/move"


def main() -> None:
    """Until SIGTERM."""
    told, stop = asked.read(), asked.stopping()
    consumer = reading(told, {"enable.auto.commit": False, "isolation.level": "read_committed"})
    producer = writing(told)
    while not stop.is_set():
        if batch := taken(consumer):
            producer.begin_transaction()
            facts = []
            for message in batch:
                started = time.time()
                about = {name: text.decode() for name, text in cast("list[tuple[str, bytes]]", message.headers())}
                moved = hand._move(Measured.model_validate_json(value(message)))
                event_id = hand._hash(f"{about['ce_source']}\x1f{about['ce_id']}\x1f{_SOURCE}")
                headers = headers_of(event_id, about["ce_correlationid"], about["ce_id"])
                producer.produce(told.sink, moved.data(), moved.key, headers=headers)
                facts.append(hand._fact(about, message.offset() or 0, started, moved.key, event_id))
            producer.produce(told.journal, json.dumps(facts, separators=(",", ":")).encode())
            commit(producer, consumer, batch[-1])
    consumer.close()


def headers_of(event_id: str, workflow: str, cause: str) -> list[tuple[str, str | bytes | None]]:
    """As `hand` writes them into a row, but as Kafka takes them."""
    trace = f"00-{hand._hash(workflow)}-{hand._hash(event_id)[:16]}-01"
    return [
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_id", event_id.encode()),
        ("ce_source", _SOURCE.encode()),
        ("ce_type", b"moved.v1"),
        ("ce_correlationid", workflow.encode()),
        ("ce_causationid", cause.encode()),
        ("traceparent", trace.encode()),
    ]


if __name__ == "__main__":
    main()
