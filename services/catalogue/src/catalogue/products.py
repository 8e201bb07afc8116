"""The catalogue of products as a table: a projection of what the service publishes, and no part of the service.

Needs the extra `products` of this package. `farandole projection show catalogue.products:products` shows it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, MetaData, Table, Text

from catalogue.events import ProductCatalogued
from farandole_observe import Projection, Recorded

table = Table(
    "products",
    MetaData(),
    Column("scene_id", Text, primary_key=True),
    Column("catalogued", DateTime(timezone=True), nullable=False),  # when the log took the latest
    Column("revision", Integer, nullable=False),  # 1 of the first product of a scene
    Column("tiles", Integer, nullable=False),
    Column("missing", JSON, nullable=False),  # the tiles that did not come
    Column("bytes", BigInteger, nullable=False),  # of product, quicklook and item together
    Column("product", Text, nullable=False),  # URIs of the assets
    Column("quicklook", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("workflow", Text, nullable=False),  # that made it
)


def scene(recorded: Recorded[ProductCatalogued]) -> str:
    """One row a scene; its events lie in one partition, so they come in order."""
    return recorded.event.scene_id


def latest(row: Mapping[str, Any] | None, recorded: Recorded[ProductCatalogued]) -> Mapping[str, Any]:
    """The latest product of a scene, and how many there were."""
    event = recorded.event
    return {
        "catalogued": datetime.fromtimestamp(recorded.time, UTC),
        "revision": 1 if row is None else row["revision"] + 1,
        "tiles": event.tiles,
        "missing": event.missing,
        "bytes": event.product.size + event.quicklook.size + event.item.size,
        "product": event.product.uri,
        "quicklook": event.quicklook.uri,
        "item": event.item.uri,
        "workflow": recorded.envelope.workflow,
    }


products = Projection("products", of=[ProductCatalogued], table=table, key=scene, fold=latest)
