"""The service: a validated scene's bands become one GeoTIFF."""

from functools import partial

from farandole import Context, Resources, Retry, Service
from stacking.events import SceneStacked, SceneValidated
from stacking.stack import StackError, stack_bands

PROGRAM_TIMEOUT = 600.0
"""Seconds that one external program may take."""

service = Service("stacking", version="0.1.0", resources=Resources(cpu="1", memory="512Mi"))


# In a thread: the work is done by programs, which have processes and timeouts of their own.
@service.step(runs="thread", concurrency=2, retry=Retry(attempts=4, delay="2s", terminal=(StackError,)))
def stack(scene: SceneValidated, ctx: Context) -> SceneStacked:
    """Warp what is off the red band's grid, and put all bands into one file."""
    paths = {band.role: ctx.fetch(band.image) for band in scene.bands}
    if "red" not in paths:
        raise StackError("the scene has no red band, whose grid is the scene's")
    out = ctx.scratch / "stack.tif"
    stack_bands(
        list(paths.values()),
        paths["red"],
        out,
        workdir=ctx.scratch,
        nodata=scene.calibration.nodata,
        run=partial(ctx.run, timeout=PROGRAM_TIMEOUT),
    )
    return SceneStacked(
        scene_id=scene.scene_id,
        image=ctx.save(out, "image/tiff"),
        bands=list(paths),
        calibration=scene.calibration,
        origin=scene.origin,
    )
