"""The service: all tiles of a scene become one mosaic."""

from farandole import Context, Resources, Retry, Service
from mosaic.events import SceneMosaicked, TileIndexed
from mosaic.merge import SceneGrid, merge_tiles

service = Service("mosaic", version="0.1.0", resources=Resources(cpu="500m", memory="512Mi"))


@service.step(concurrency=2, retry=Retry(attempts=4, terminal=(ValueError,)))
def merge(tiles: list[TileIndexed], ctx: Context) -> SceneMosaicked:
    """Lay the tiles together; one that did not come is named, and its area left without data."""
    if not tiles:
        raise ValueError(f"none of the {len(ctx.absent)} tiles of the scene came")
    first = tiles[0]
    scene = first.scene
    out = merge_tiles(
        {tile.index: ctx.fetch(tile.image) for tile in tiles},
        SceneGrid(scene.width, scene.height, scene.transform),
        ctx.scratch / "mosaic.tif",
        count=scene.tiles,
        missing=ctx.absent,
    )
    return SceneMosaicked(
        scene_id=first.scene_id,
        image=ctx.save(out, "image/tiff"),
        tiles=scene.tiles,
        missing=list(ctx.absent),
        origin=scene.origin,
    )
