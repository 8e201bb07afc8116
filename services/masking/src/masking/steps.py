"""The service: a calibrated tile gets its cloud mask."""

from farandole import Context, Resources, Retry, Service
from masking.events import TileCalibrated, TileMasked
from masking.mask import mask_tile

service = Service("masking", version="0.1.0", resources=Resources(cpu="1", memory="256Mi"))


@service.step(retry=Retry(attempts=4, terminal=(ValueError,)))
def mask(tile: TileCalibrated, ctx: Context) -> TileMasked:
    """Mark clouds; refused where the tile's halo is too narrow for that."""
    out = mask_tile(ctx.fetch(tile.reflectance), ctx.scratch / "mask.tif", halo=tile.halo)
    return TileMasked(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        reflectance=tile.reflectance,
        mask=ctx.save(out, "image/tiff"),
        core=tile.core,
        scene=tile.scene,
    )
