"""The service: a tile's counts become reflectance."""

from calibration.events import TileCalibrated, TileExtracted
from calibration.reflectance import calibrate_tile
from farandole import Context, Resources, Retry, Service

service = Service("calibration", version="0.1.0", resources=Resources(cpu="1", memory="256Mi"))


@service.step(retry=Retry(attempts=4, terminal=(ValueError,)))
def calibrate(tile: TileExtracted, ctx: Context) -> TileCalibrated:
    """Apply the coefficients that came with the tile."""
    out = calibrate_tile(ctx.fetch(tile.image), ctx.scratch / "reflectance.tif", **tile.calibration.model_dump())
    return TileCalibrated(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        reflectance=ctx.save(out, "image/tiff"),
        core=tile.core,
        halo=tile.halo,
        scene=tile.scene,
    )
