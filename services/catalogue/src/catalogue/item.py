"""Describes a product as a STAC 1.1 item. It reads the product's files and writes nothing.

**The date.** STAC wants a ``datetime``. Where the acquisition time is known, it stands there. Where it is
not, ``datetime`` is null, and STAC then asks for ``start_datetime`` and ``end_datetime``: those are the
interval in which the acquisition must lie, from the day since which the sensor operates to the time at which
the scene was received, and the item's description says so. No time is made up, and none is taken from the
clock or a file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rasterio
from pystac import Asset, Item, Link, MediaType, RelType
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.io import DatasetReader
from rio_stac.stac import create_stac_item, get_projection_info

PRODUCT, QUICKLOOK, ITEM = "product.tif", "quicklook.png", "item.json"
"""The names of a product's files, beside each other; hrefs are relative to the item."""

CLASSES = "1 water, 2 vegetation, 3 bare or other, 4 cloud"

_RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"

# 1e-6 degrees are about a decimetre: beyond it, digits differ between versions of PROJ.
_DECIMALS = 6

# A straight edge in the projection is a curve on the globe.
_POINTS_A_SIDE = 4

_SHA256_MULTIHASH = "1220"

_NAMED = 20  # missing tiles that are named; more make no description


@dataclass(frozen=True, slots=True)
class Interval:
    """A time that is not known, but bounded; both ends carry a time zone."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a product comes from: what its licence and its readers ask for."""

    acquired: datetime | Interval
    sensor: str
    attribution: str
    licence_url: str


def build_item(
    scene_id: str,
    product: Path,
    quicklook: Path,
    *,
    origin: Origin,
    tiles: int = 0,
    missing: Sequence[int] = (),
) -> Item:
    """Return the item of a product: footprint, projection, time, attribution, two assets with checksums.

    ``product`` is the Cloud-Optimised GeoTIFF, ``quicklook`` the PNG. ``missing`` are the indices of those of
    its ``tiles`` that did not come: the item says so. The same input gives the same item.
    Raises ValueError for a time without a zone, or an interval that ends before it starts.
    """
    with rasterio.open(product) as source:
        item: Item = create_stac_item(
            source,
            id=scene_id,
            input_datetime=_known(origin.acquired),
            properties=_properties(origin, _gaps(tiles, missing)),
            assets={"product": _product_asset(source), "quicklook": _quicklook_asset()},
            geom_densify_pts=_POINTS_A_SIDE,
            geom_precision=_DECIMALS,
        )
        _project(item, source)
    item.stac_extensions.append(_RASTER)
    for path, asset in ((product, item.assets["product"]), (quicklook, item.assets["quicklook"])):
        file = FileExtension.ext(asset, add_if_missing=True)
        file.apply(checksum=_multihash(path), size=path.stat().st_size)
    item.add_link(Link(RelType.LICENSE, origin.licence_url, media_type=MediaType.HTML))
    return item


def _known(acquired: datetime | Interval) -> datetime | None:
    return None if isinstance(acquired, Interval) else _utc(acquired)


def _gaps(tiles: int, missing: Sequence[int]) -> str:
    """What a reader must know of an incomplete product; empty for a complete one."""
    if not missing:
        return ""
    named = ", ".join(map(str, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
    return f"Incomplete: {len(missing)} of {tiles} tiles are missing ({named}); their area is without data"


def _properties(origin: Origin, gaps: str) -> dict[str, object]:
    notes = [origin.attribution]
    properties: dict[str, object] = {
        "title": f"Water, vegetation and clouds from {origin.sensor}",
        "license": "other",
    }
    if isinstance(origin.acquired, Interval):
        start, end = _utc(origin.acquired.not_before), _utc(origin.acquired.not_after)
        if end < start:
            raise ValueError(f"an interval from {start} to {end} is none")
        properties["start_datetime"], properties["end_datetime"] = _rfc3339(start), _rfc3339(end)
        notes.append("The acquisition time is not known; it lies between the times given")
    notes += [gaps] if gaps else []
    return properties | {"description": ". ".join(notes)}


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no zone")
    return time.astimezone(UTC)


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _project(item: Item, source: DatasetReader) -> None:
    found = get_projection_info(source)
    code = None if found["epsg"] is None else f"EPSG:{found['epsg']}"
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=code,
        wkt2=None if code else source.crs.to_wkt(),
        bbox=found["bbox"],
        shape=found["shape"],
        transform=found["transform"],
    )


def _product_asset(source: DatasetReader) -> Asset:
    return Asset(
        href=f"./{PRODUCT}",
        title="Classes, NDVI, NDWI and true colour",
        media_type=MediaType.COG,
        roles=["data"],
        extra_fields={"bands": _bands(source)},
    )


def _bands(source: DatasetReader) -> list[dict[str, object]]:
    """What STAC tells of each band: the reader of int16 counts needs scale and nodata."""
    bands: list[dict[str, object]] = []
    for name, scale, dtype in zip(source.descriptions, source.scales, source.dtypes, strict=True):
        band: dict[str, object] = {"name": name, "data_type": dtype, "nodata": source.nodata}
        band |= {"description": CLASSES} if name == "class" else {"raster:scale": scale}
        bands.append(band)
    return bands


def _quicklook_asset() -> Asset:
    return Asset(
        href=f"./{QUICKLOOK}",
        title="True colour beside classes",
        media_type=MediaType.PNG,
        roles=["overview"],
    )


def _multihash(path: Path) -> str:
    """SHA-256 as a multihash in hex: the function's code 0x12, the length 0x20, the digest."""
    with path.open("rb") as file:
        return _SHA256_MULTIHASH + hashlib.file_digest(file, "sha256").hexdigest()
