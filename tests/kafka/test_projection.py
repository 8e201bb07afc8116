"""The same records in a memory, a SQLite and a Kafka log fold to the same tables, with an archive or without."""

import uuid
from pathlib import Path

import pytest

from farandole.engines.open import open_log
from farandole_observe.archive.files import Archive
from farandole_observe.archive.history import History
from farandole_observe.archive.planning import Cut
from farandole_observe.archive.retiring import retire
from farandole_observe.store.opening import MEMORY, open_store
from scripts.kafka import Cluster
from tests.observe import written
from tests.observe.given import fill, hash_folded, hash_of

pytestmark = pytest.mark.slow


async def test_copies_of_a_log_in_every_engine_fold_to_the_same_tables(kafka: Cluster, tmp_path: Path) -> None:
    """Positions and append times apart, which are each log's own; on Kafka also once half of it is archived."""
    records = written.shuffled(written.lines_of(written.played(5)), 5)
    urls = ["memory:", f"sqlite:///{tmp_path}/log.db", f"kafka://{kafka.bootstrap}/copy{uuid.uuid4().hex[:6]}"]
    found = set()
    for url in urls:
        log, store = await open_log(url), await open_store(MEMORY)
        try:
            await fill(log, store, records)
            found.add(await hash_of(store))
            if url.startswith("kafka:"):
                archive = Archive(tmp_path / "archive")
                plain = [spec.name for spec in await log.topics() if not spec.compacted]
                cuts = [Cut(*place, s.start, s.end // 2, 0, "") for place, s in (await log.spans(plain)).items()]
                await retire(log, cuts, archive, lambda cut: None)
                assert {(c.topic, c.partition): c.end for c in cuts} == {
                    p: s.start for p, s in (await log.spans(plain)).items()
                }
                found.add(await hash_folded(History(log, archive)))
        finally:
            await store.close()
            await log.close()
    assert len(found) == 1
