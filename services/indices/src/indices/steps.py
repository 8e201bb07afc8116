"""The service: a masked tile becomes its share of the product."""

from collections.abc import Iterator

import numexpr

from farandole import Context, Resources, Retry, Service
from indices.events import TileIndexed, TileMasked
from indices.product import index_tile

service = Service("indices", version="0.1.0", resources=Resources(cpu="1", memory="256Mi"))


@service.resource
def numexpr_threads() -> Iterator[int]:
    """One thread an evaluation: a tile is small, and the step's own threads fill the cores already."""
    before = numexpr.set_num_threads(1)
    yield 1
    numexpr.set_num_threads(before)


@service.step(retry=Retry(attempts=4, terminal=(ValueError,)))
def index(tile: TileMasked, ctx: Context, numexpr_threads: int) -> TileIndexed:
    """Compute indices and classes of the tile's core; the halo ends here."""
    reflectance, mask = ctx.fetch(tile.reflectance), ctx.fetch(tile.mask)
    out = index_tile(reflectance, mask, ctx.scratch / "indexed.tif", core=tile.core)
    return TileIndexed(
        scene_id=tile.scene_id,
        tile_id=tile.tile_id,
        index=tile.index,
        image=ctx.save(out, "image/tiff"),
        scene=tile.scene,
    )
