"""The service: a stacked scene becomes tiles with a halo."""

from pathlib import Path

import rasterio

from farandole import Context, Resources, Retry, Service
from tiling.events import Scene, SceneStacked, TileExtracted
from tiling.extract import extract_tiles
from tiling.windows import HALO, Tile, plan_tiles

service = Service("tiling", version="0.1.0", resources=Resources(cpu="500m", memory="256Mi"))


@service.step(concurrency=2, retry=Retry(attempts=4, terminal=(ValueError,)))
def extract(stacked: SceneStacked, ctx: Context) -> list[TileExtracted]:
    """Cut windows that cover the scene; all of them are published together, or none."""
    stack = ctx.fetch(stacked.image)
    width, height, transform = _grid(stack)
    tiles = plan_tiles(width, height)
    paths = extract_tiles(stack, tiles, ctx.scratch, names=stacked.bands)
    scene = Scene(width=width, height=height, transform=transform, tiles=len(tiles), origin=stacked.origin)
    return [_extracted(stacked, scene, tile, path, ctx) for tile, path in zip(tiles, paths, strict=True)]


def _grid(stack: Path) -> tuple[int, int, tuple[float, float, float, float, float, float]]:
    with rasterio.open(stack) as source:
        a, b, c, d, e, f = source.transform[:6]
        return source.width, source.height, (a, b, c, d, e, f)


def _extracted(stacked: SceneStacked, scene: Scene, tile: Tile, path: Path, ctx: Context) -> TileExtracted:
    inner = tile.inner
    return TileExtracted(
        scene_id=stacked.scene_id,
        tile_id=f"{stacked.scene_id}/{tile.index}",
        index=tile.index,
        image=ctx.save(path, "image/tiff"),
        core=(inner.col_off, inner.row_off, inner.width, inner.height),
        halo=HALO,
        calibration=stacked.calibration,
        scene=scene,
    )
