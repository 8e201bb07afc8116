"""The same records in a memory, a SQLite and a Kafka log fold to the same tables."""

import uuid
from pathlib import Path

import pytest

from farandole.engines.open import open_log
from farandole_observe.store.opening import MEMORY, open_store
from scripts.kafka import Cluster
from tests.observe import written
from tests.observe.given import fill, hash_of

pytestmark = pytest.mark.slow


async def test_copies_of_a_log_in_every_engine_fold_to_the_same_tables(kafka: Cluster, tmp_path: Path) -> None:
    """Positions and append times apart, which are each log's own."""
    records = written.shuffled(written.lines_of(written.played(5)), 5)
    urls = ["memory:", f"sqlite:///{tmp_path}/log.db", f"kafka://{kafka.bootstrap}/copy{uuid.uuid4().hex[:6]}"]
    found = set()
    for url in urls:
        log, store = await open_log(url), await open_store(MEMORY)
        try:
            await fill(log, store, records)
            found.add(await hash_of(store))
        finally:
            await store.close()
            await log.close()
    assert len(found) == 1
