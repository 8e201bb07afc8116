"""The service: a product and its picture get an item, and stand on the shelf together."""

from pathlib import Path

from catalogue.check import InvalidItem, check_item
from catalogue.events import CogWritten, ProductCatalogued, QuicklookRendered
from catalogue.events import Origin as ReportedOrigin
from catalogue.item import ITEM, PRODUCT, QUICKLOOK, Interval, Origin, build_item
from catalogue.shelf import place_product
from farandole import Context, Resources, Retry, Service, Settings

service = Service("catalogue", version="0.1.0", resources=Resources(cpu="250m", memory="256Mi"))


class CatalogueSettings(Settings, env_prefix="CATALOGUE_"):
    """`CATALOGUE_SHELF`: the folder in which each product gets one of its own."""

    shelf: Path


@service.step(concurrency=2, retry=Retry(attempts=4, delay="2s", terminal=(ValueError, InvalidItem)))
def shelve(cog: CogWritten, picture: QuicklookRendered, ctx: Context, settings: CatalogueSettings) -> ProductCatalogued:
    """Describe the product, and let its folder appear, complete, under the scene's name.

    The folder is an effect outside the log: a repeated attempt makes the same one.
    """
    product, quicklook = ctx.fetch(cog.product), ctx.fetch(picture.quicklook)
    described = build_item(
        cog.scene_id, product, quicklook, origin=_origin(cog.origin), tiles=cog.tiles, missing=cog.missing
    )
    item = ctx.scratch / ITEM
    item.write_text(check_item(described), encoding="utf-8")
    saved = ctx.save(item, "application/geo+json")
    place_product(settings.shelf, cog.scene_id, {PRODUCT: product, QUICKLOOK: quicklook, ITEM: item})
    return ProductCatalogued(
        scene_id=cog.scene_id,
        product=cog.product,
        quicklook=picture.quicklook,
        item=saved,
        tiles=cog.tiles,
        missing=cog.missing,
    )


def _origin(told: ReportedOrigin) -> Origin:
    """As the item takes it. Raises ValueError where the time is neither known nor bounded."""
    if told.acquired is not None:
        return Origin(told.acquired, told.sensor, told.attribution, told.licence_url)
    if told.not_before is None or told.not_after is None:
        raise ValueError("the time of acquisition is neither known nor bounded")
    return Origin(Interval(told.not_before, told.not_after), told.sensor, told.attribution, told.licence_url)
