"""A stacked scene becomes tiles that together cover it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from farandole import Context
from tiling.events import Calibration, Origin, SceneStacked
from tiling.steps import extract
from tiling.windows import HALO

CALIBRATION = Calibration(scale=1e-4, offset=0.0, nodata=0, sun_elevation=None)
TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
PIXELS = np.random.default_rng(5).integers(1, 5000, (2, 300, 520), dtype=np.uint16)


@pytest.fixture
def stacked(ctx: Context, raster: Callable[..., Path]) -> SceneStacked:
    image = ctx.save(raster("stack.tif", PIXELS), "image/tiff")
    return SceneStacked(scene_id="s-1", image=image, bands=["red", "nir"], calibration=CALIBRATION, origin=ORIGIN)


def test_the_cores_of_all_tiles_are_the_scene(
    ctx: Context, stacked: SceneStacked, pixels_of: Callable[[Path], npt.NDArray[Any]]
) -> None:
    """Each says where its core lies in its own image, and what it was cut from."""
    tiles = extract(stacked, ctx)
    assert [tile.index for tile in tiles] == list(range(6))
    assert len({tile.tile_id for tile in tiles}) == 6
    parts = []
    for tile in tiles:
        left, top, width, height = tile.core
        parts.append(pixels_of(ctx.fetch(tile.image))[:, top : top + height, left : left + width])
        assert (tile.scene.width, tile.scene.height, tile.scene.tiles) == (520, 300, 6)
        assert (tile.halo, tile.calibration, tile.scene.origin) == (HALO, CALIBRATION, ORIGIN)
    rows = [np.concatenate(parts[start : start + 3], axis=2) for start in (0, 3)]
    assert (np.concatenate(rows, axis=1) == PIXELS).all()


def test_the_same_scene_gives_the_same_tiles(ctx: Context, stacked: SceneStacked) -> None:
    """A retry publishes what the first attempt would have."""
    assert extract(stacked, ctx) == extract(stacked, ctx)


def test_a_stack_of_other_bands_than_it_says_is_refused_for_good(ctx: Context, stacked: SceneStacked) -> None:
    """Trying again would find the same file."""
    with pytest.raises(ValueError, match="1 names for the 2 bands") as caught:
        extract(stacked.model_copy(update={"bands": ["red"]}), ctx)
    assert extract.policy.retry.is_terminal(caught.value)
