"""The service: a mosaic becomes a Cloud-Optimised GeoTIFF."""

from cog.events import CogWritten, SceneMosaicked
from cog.write import NotCloudOptimised, write_cog
from farandole import Context, Resources, Retry, Service

service = Service("cog", version="0.1.0", resources=Resources(cpu="1", memory="512Mi"))

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@service.step(concurrency=2, retry=Retry(attempts=4, terminal=(NotCloudOptimised,)))
def write(mosaic: SceneMosaicked, ctx: Context) -> CogWritten:
    """Write it, and have it validated."""
    out = write_cog(ctx.fetch(mosaic.image), ctx.scratch / "product.tif")
    return CogWritten(
        scene_id=mosaic.scene_id,
        product=ctx.save(out, COG),
        tiles=mosaic.tiles,
        missing=mosaic.missing,
        origin=mosaic.origin,
    )
