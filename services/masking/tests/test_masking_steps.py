"""A calibrated tile gets a mask beside its reflectance."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from farandole import Context
from masking.events import Origin, Scene, TileCalibrated
from masking.mask import CLEAR, CLOUDED, NODATA
from masking.steps import mask

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
SCENE = Scene(width=24, height=24, transform=(10, 0, 330000, 0, -10, 5822040), tiles=1, origin=ORIGIN)


@pytest.fixture
def tile(ctx: Context, raster: Callable[..., Path]) -> TileCalibrated:
    """Clear ground with a bright square, and a corner without data."""
    pixels = np.full((3, 24, 24), 0.001, dtype=np.float32)
    pixels[:, 10:14, 10:14] = 0.5
    pixels[0, 0, 0] = np.nan
    image = raster("tile.tif", pixels, ["blue", "swir", "cirrus"], nodata=np.nan)
    return TileCalibrated(
        scene_id="s-1",
        tile_id="s-1/0",
        index=0,
        reflectance=ctx.save(image, "image/tiff"),
        core=(4, 4, 16, 16),
        halo=4,
        scene=SCENE,
    )


def test_cloud_and_its_fringe_are_marked_and_the_reflectance_handed_on(
    ctx: Context, tile: TileCalibrated, pixels_of: Callable[[Path], npt.NDArray[Any]]
) -> None:
    """Two pixels around the square, and no data where a band has none."""
    done = mask(tile, ctx)
    expected = np.full((24, 24), CLEAR)
    expected[8:16, 8:16] = CLOUDED
    expected[0, 0] = NODATA
    assert (pixels_of(ctx.fetch(done.mask))[0] == expected).all()
    kept = ("scene_id", "tile_id", "index", "core", "reflectance", "scene")
    assert all(getattr(done, name) == getattr(tile, name) for name in kept)


def test_a_tile_with_too_narrow_a_halo_is_refused_for_good(ctx: Context, tile: TileCalibrated) -> None:
    """Its mask would depend on how the scene was cut."""
    with pytest.raises(ValueError, match="reach") as caught:
        mask(tile.model_copy(update={"halo": 3}), ctx)
    assert mask.policy.retry.is_terminal(caught.value)
