"""The table of products, over events that the service itself published."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.events import CogWritten, ProductCatalogued, QuicklookRendered
from catalogue.products import products
from catalogue.steps import CatalogueSettings, service
from farandole import Context
from farandole.cli import main
from farandole.engines.open import open_log
from farandole.log.record import NewRecord, Record, TopicSpec
from farandole.testing import Rehearsal
from services.catalogue.tests.test_catalogue_steps import KNOWN

TARGET = "catalogue.products:products"
TOPIC = "product.catalogued"


@pytest.fixture
def published(
    ctx: Context, raster: Callable[..., Path], tmp_path: Path
) -> tuple[list[ProductCatalogued], list[Record]]:
    """The service's events of three scenes, one of which is catalogued again with a gap; and their records."""
    image = raster("product.tif", np.ones((2, 20, 30), dtype=np.int16), ["class", "ndvi"], nodata=-32768)
    (tmp_path / "picture").write_bytes(b"some picture")
    product, picture = ctx.save(image), ctx.save(tmp_path / "picture", "image/png")
    settings = {"CatalogueSettings": CatalogueSettings(shelf=tmp_path / "shelf")}
    with Rehearsal(service, tools=ctx.tools, replaced=settings, seed=None) as rehearsal:
        for scene, missing in (("s-1", []), ("s-2", [3]), ("s-3", []), ("s-1", [7])):
            workflow = f"{scene}-{len(missing)}"
            cog = CogWritten(scene_id=scene, product=product, tiles=18, missing=missing, origin=KNOWN)
            rehearsal.publish(cog, workflow=workflow)
            rehearsal.publish(QuicklookRendered(scene_id=scene, quicklook=picture), workflow=workflow)
            rehearsal.settle()
        return rehearsal.events(ProductCatalogued), list(rehearsal.history().records[TOPIC])


async def _copy(records: list[Record], url: str) -> None:
    log = await open_log(url)
    try:
        partitions = 1 + max(record.partition for record in records)
        await log.ensure([TopicSpec(TOPIC, partitions)])
        await log.append([NewRecord(r.topic, r.value, r.key, r.headers, r.partition) for r in records])
    finally:
        await log.close()


def test_the_table_has_the_latest_product_of_each_scene(
    published: tuple[list[ProductCatalogued], list[Record]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command that the documentation shows; it names the very assets, and the workflow that made them."""
    events, records = published
    assert len(events) == 4
    latest = {event.scene_id: event for event in events}
    monkeypatch.chdir(tmp_path)
    asyncio.run(_copy(records, f"sqlite:///{tmp_path}/log.db"))
    assert main(["projection", "show", TARGET, "--json", "--log", f"sqlite:///{tmp_path}/log.db"]) == 0
    found = {row["scene_id"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert found.keys() == latest.keys() == {"s-1", "s-2", "s-3"}
    for scene, row in found.items():
        event = latest[scene]
        assert (row["product"], row["quicklook"], row["item"]) == (
            event.product.uri,
            event.quicklook.uri,
            event.item.uri,
        )
        assert row["bytes"] == event.product.size + event.quicklook.size + event.item.size
        assert (row["tiles"], row["missing"]) == (18, event.missing)
    assert {scene: row["revision"] for scene, row in found.items()} == {"s-1": 2, "s-2": 1, "s-3": 1}
    assert found["s-1"]["workflow"] == "s-1-1"
    assert found["s-1"]["missing"] == [7]


def test_its_functions_are_plain(published: tuple[list[ProductCatalogued], list[Record]]) -> None:
    """And can be tried without a log or a store."""
    event = published[0][0]
    given: Any = type("Recorded", (), {"event": event, "time": 0.0, "envelope": type("E", (), {"workflow": "w"})})
    first = products.fold(None, given)
    assert products.key(given) == "s-1"
    assert first is not None
    assert first["revision"] == 1
    assert products.fold(first, given) == {**first, "revision": 2}


def test_the_service_itself_needs_neither_the_projection_nor_its_libraries() -> None:
    """The table is an extra of the package."""
    script = "import catalogue.steps, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"farandole_observe", "sqlalchemy", "catalogue.products"}


def test_the_projection_that_the_documentation_shows_counts_products(
    published: tuple[list[ProductCatalogued], list[Record]],
) -> None:
    """As it stands there."""
    page = (Path(__file__).parents[3] / "docs" / "observing.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    names: dict[str, Any] = {"ProductCatalogued": ProductCatalogued}
    exec(code, names)
    scenes, rows = names["scenes"], dict[str, Any]()
    for event in published[0]:
        given = type("Recorded", (), {"event": event})
        rows[scenes.key(given)] = scenes.fold(rows.get(scenes.key(given)), given)
    assert rows == {"s-1": {"products": 2}, "s-2": {"products": 1}, "s-3": {"products": 1}}
