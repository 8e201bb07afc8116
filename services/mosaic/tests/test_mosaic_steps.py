"""The tiles of a scene become one mosaic; what did not come is said."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio.transform import from_origin

from farandole import Context
from mosaic.events import Origin, Scene, TileIndexed
from mosaic.steps import merge

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
SCENE = Scene(width=60, height=20, transform=(10, 0, 330000, 0, -10, 5822040), tiles=3, origin=ORIGIN)
PIXELS = np.random.default_rng(6).integers(-9000, 9000, (2, 20, 60), dtype=np.int16)
MISSING = -32768

Read = Callable[[Path], npt.NDArray[Any]]


@pytest.fixture
def tiles(ctx: Context, raster: Callable[..., Path]) -> list[TileIndexed]:
    """Three tiles beside each other."""
    found = []
    for index, left in enumerate((0, 20, 40)):
        place = {"transform": from_origin(330000 + 10 * left, 5822040, 10, 10), "nodata": MISSING}
        path = raster(f"{index}.tif", PIXELS[:, :, left : left + 20], ["class", "ndvi"], **place)
        image = ctx.save(path, "image/tiff")
        found.append(TileIndexed(scene_id="s-1", tile_id=f"s-1/{index}", index=index, image=image, scene=SCENE))
    return found


def test_all_tiles_together_are_the_scene(ctx: Context, tiles: list[TileIndexed], pixels_of: Read) -> None:
    """Nothing is missing, and nothing is said to be."""
    done = merge(tiles, ctx)
    assert (pixels_of(ctx.fetch(done.image)) == PIXELS).all()
    assert (done.scene_id, done.tiles, done.missing, done.origin) == ("s-1", 3, [], ORIGIN)


def test_a_tile_that_did_not_come_is_named_and_left_without_data(
    ctx: Context, tiles: list[TileIndexed], pixels_of: Read
) -> None:
    """It must not pass for ground without anything on it."""
    ctx.absent = [1]
    done = merge([tiles[0], tiles[2]], ctx)
    assert done.missing == [1]
    found = pixels_of(ctx.fetch(done.image))
    assert (found[:, :, 20:40] == MISSING).all()
    assert (found[:, :, :20] == PIXELS[:, :, :20]).all()
    assert (found[:, :, 40:] == PIXELS[:, :, 40:]).all()


def test_a_tile_of_which_there_is_no_word_is_refused_for_good(ctx: Context, tiles: list[TileIndexed]) -> None:
    """And so is a scene of which no tile came: there is nothing to lay together."""
    with pytest.raises(ValueError, match="no word of") as caught:
        merge(tiles[:2], ctx)
    assert merge.policy.retry.is_terminal(caught.value)
    ctx.absent = [0, 1, 2]
    with pytest.raises(ValueError, match="none of the 3 tiles"):
        merge([], ctx)
