"""Windows cover a scene once, and carry the halo that they promise."""

import numpy as np
import pytest

from tiling.windows import Box, plan_tiles


def test_the_demo_scene_has_eighteen_tiles() -> None:
    """1536 x 768 pixels in windows of 256."""
    tiles = plan_tiles(1536, 768)
    assert [tile.index for tile in tiles] == list(range(18))
    assert (tiles[7].row, tiles[7].column) == (1, 1)
    assert tiles[7].outer == Box(252, 252, 264, 264)
    assert tiles[7].inner == Box(4, 4, 256, 256)


@pytest.mark.parametrize(("width", "height", "size", "halo"), [(1, 1, 256, 4), (700, 300, 256, 4), (97, 64, 10, 30)])
def test_cores_cover_every_pixel_exactly_once(width: int, height: int, size: int, halo: int) -> None:
    """Whatever the scene's size, also smaller than a tile or with a halo wider than one."""
    times = np.zeros((height, width), dtype=int)
    for tile in plan_tiles(width, height, size=size, halo=halo):
        core = tile.core
        times[core.row_off : core.row_off + core.height, core.col_off : core.col_off + core.width] += 1
    assert (times == 1).all()


def test_the_halo_is_whole_inside_the_scene_and_ends_with_it() -> None:
    """Between a core and its outer edge lie `halo` pixels, or the scene's edge."""
    width, height, halo = 700, 300, 7
    for tile in plan_tiles(width, height, size=128, halo=halo):
        core, outer, inner = tile.core, tile.outer, tile.inner
        assert outer.col_off == max(0, core.col_off - halo)
        assert outer.row_off == max(0, core.row_off - halo)
        assert outer.col_off + outer.width == min(width, core.col_off + core.width + halo)
        assert outer.row_off + outer.height == min(height, core.row_off + core.height + halo)
        assert (outer.col_off + inner.col_off, outer.row_off + inner.row_off) == (core.col_off, core.row_off)


@pytest.mark.parametrize("arguments", [(0, 5, 256, 4), (5, -1, 256, 4), (5, 5, 0, 4), (5, 5, 256, -1)])
def test_what_is_no_scene_or_no_tile_is_refused(arguments: tuple[int, int, int, int]) -> None:
    """An empty plan would gather to an empty product."""
    width, height, size, halo = arguments
    with pytest.raises(ValueError, match="no tiles of"):
        plan_tiles(width, height, size=size, halo=halo)
