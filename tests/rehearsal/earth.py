"""The Earth-observation chain as it is declared, its bodies stubbed: ten services, 18 tiles a scene."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

import calibration.events as calibration
import catalogue.events as catalogue
import cog.events as cog
import indices.events as indices
import ingest.events as ingest
import masking.events as masking
import mosaic.events as mosaic
import quicklook.events as quicklook
import stacking.events as stacking
import tiling.events as tiling
from farandole import Asset, Context, Service
from farandole.testing import with_bodies
from ingest.sensors import Calibration
from tests.support.earth import services as declared

TILES = 18
E = TypeVar("E")


def scene(name: str) -> ingest.SceneReceived:
    """A scene that lies ready; those whose names begin with `cloudy` are refused."""
    return ingest.SceneReceived(scene_id=name, sensor="sentinel-2-l1c", bands={"B04": f"file:///{name}/B04.jp2"})


def _asset(*parts: object) -> Asset:
    """Content that follows from what it was made of, so that order and loss would show."""
    digest = sha256(repr(parts).encode()).hexdigest()
    return Asset(uri=f"asset:sha256/{digest}", size=len(repr(parts)), media_type="image/tiff")


def _flaky(ctx: Context) -> None:
    """Fail the first attempts of some deliveries; which, follows from the delivery, so every run agrees."""
    if ctx.attempt <= int(ctx.delivery[:2], 16) % 16 - 12:
        raise OSError(f"attempt {ctx.attempt} fails")


def _validate(scene: ingest.SceneReceived, ctx: Context, sensors: object) -> object:
    _flaky(ctx)
    if scene.scene_id.startswith("cloudy"):
        return ingest.SceneRejected(scene_id=scene.scene_id, reason="clouds")
    return ingest.SceneValidated(
        scene_id=scene.scene_id,
        bands=[ingest.Band(role="red", image=_asset(scene.scene_id, "red"))],
        calibration=Calibration(scale=1e-4, offset=0.0, nodata=0, sun_elevation=None),
        origin=ingest.Origin(sensor=scene.sensor, attribution="test", licence_url="test:licence", acquired=None),
    )


def _stack(scene: stacking.SceneValidated, ctx: Context) -> stacking.SceneStacked:
    _flaky(ctx)
    return stacking.SceneStacked(
        scene_id=scene.scene_id,
        image=_asset("stack", scene.bands),
        bands=[band.role for band in scene.bands],
        calibration=scene.calibration,
        origin=scene.origin,
    )


def _extract(stacked: tiling.SceneStacked, ctx: Context) -> list[tiling.TileExtracted]:
    _flaky(ctx)
    size = tiling.Scene(width=9, height=2, transform=(1, 0, 0, 0, 1, 0), tiles=TILES, origin=stacked.origin)
    return [
        tiling.TileExtracted(
            scene_id=stacked.scene_id,
            tile_id=f"{stacked.scene_id}/{index}",
            index=index,
            image=_asset("tile", stacked.image, index),
            core=(0, 0, 1, 1),
            halo=3,
            calibration=stacked.calibration,
            scene=size,
        )
        for index in range(TILES)
    ]


def _calibrate(tile: calibration.TileExtracted, ctx: Context) -> calibration.TileCalibrated:
    _flaky(ctx)
    return calibration.TileCalibrated(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        reflectance=_asset("reflectance", tile.image),
        core=tile.core,
        halo=tile.halo,
        scene=tile.scene,
    )


def _mask(tile: masking.TileCalibrated, ctx: Context) -> masking.TileMasked:
    _flaky(ctx)
    return masking.TileMasked(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        reflectance=tile.reflectance,
        mask=_asset("mask", tile.reflectance),
        core=tile.core,
        scene=tile.scene,
    )


def _index(tile: indices.TileMasked, ctx: Context, numexpr_threads: int) -> indices.TileIndexed:
    _flaky(ctx)
    return indices.TileIndexed(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        image=_asset("indexed", tile.reflectance, tile.mask),
        scene=tile.scene,
    )


def _merge(tiles: list[mosaic.TileIndexed], ctx: Context) -> mosaic.SceneMosaicked:
    _flaky(ctx)
    assert [tile.index for tile in tiles] == list(range(TILES))
    return mosaic.SceneMosaicked(
        scene_id=tiles[0].scene_id,
        image=_asset("mosaic", *(tile.image for tile in tiles)),
        tiles=len(tiles),
        missing=list(ctx.absent),
        origin=tiles[0].scene.origin,
    )


def _write(mosaic: cog.SceneMosaicked, ctx: Context) -> cog.CogWritten:
    _flaky(ctx)
    return cog.CogWritten(
        scene_id=mosaic.scene_id,
        product=_asset("cog", mosaic.image),
        tiles=mosaic.tiles,
        missing=mosaic.missing,
        origin=mosaic.origin,
    )


def _render(mosaic: quicklook.SceneMosaicked, ctx: Context) -> quicklook.QuicklookRendered:
    _flaky(ctx)
    picture = _asset("quicklook", mosaic.image)
    return quicklook.QuicklookRendered(scene_id=mosaic.scene_id, quicklook=picture, width=9, height=2)


def _shelve(
    cog: catalogue.CogWritten, picture: catalogue.QuicklookRendered, ctx: Context, settings: object
) -> catalogue.ProductCatalogued:
    _flaky(ctx)
    return catalogue.ProductCatalogued(
        scene_id=cog.scene_id,
        product=cog.product,
        quicklook=picture.quicklook,
        item=_asset("item", cog.product, picture.quicklook),
        tiles=cog.tiles,
        missing=cog.missing,
    )


BODIES: dict[str, Callable[..., Any]] = {
    "validate": _validate,
    "stack": _stack,
    "extract": _extract,
    "calibrate": _calibrate,
    "mask": _mask,
    "index": _index,
    "merge": _merge,
    "write": _write,
    "render": _render,
    "shelve": _shelve,
}

REPLACED = {"sensors": {}, "numexpr_threads": 1, "IngestSettings": object(), "CatalogueSettings": object()}
"""What the bodies would open; nobody looks at it."""


def services() -> list[Service]:
    """The declared services, each step with its stub."""
    return [with_bodies(service, {name: BODIES[name] for name in service.steps}) for service in declared()]
