"""What the catalogue needs of a finished product, and the entry that it publishes."""

from pydantic import AwareDatetime, BaseModel

from farandole import Asset, Event


class Origin(BaseModel, frozen=True, extra="forbid"):
    """Where a product comes from. Where `acquired` is null, it lies between `not_before` and `not_after`."""

    sensor: str
    attribution: str
    licence_url: str
    acquired: AwareDatetime | None
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None


class CogWritten(Event, type="cog.written", key="scene_id"):
    """A scene's product as a Cloud-Optimised GeoTIFF; `missing` of its `tiles` did not come."""

    scene_id: str
    product: Asset
    tiles: int
    missing: list[int]
    origin: Origin


class QuicklookRendered(Event, type="quicklook.rendered", key="scene_id"):
    """The picture of a scene."""

    scene_id: str
    quicklook: Asset


class ProductCatalogued(Event, type="product.catalogued", key="scene_id", final=True):
    """A product stands in the catalogue, under its scene's name; the assets are the very files that it holds."""

    scene_id: str
    product: Asset
    quicklook: Asset
    item: Asset
    tiles: int
    missing: list[int]
