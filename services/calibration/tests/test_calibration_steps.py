"""A tile of counts becomes a tile of reflectance, and keeps its place in the scene."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from calibration.events import Calibration, Origin, Scene, TileExtracted
from calibration.steps import calibrate
from farandole import Context

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
SCENE = Scene(width=12, height=10, transform=(10, 0, 330000, 0, -10, 5822040), tiles=1, origin=ORIGIN)


@pytest.fixture
def tile(ctx: Context, raster: Callable[..., Path]) -> TileExtracted:
    pixels = np.array([[[0, 5000], [10000, 20000]]], dtype=np.uint16)
    return TileExtracted(
        scene_id="s-1",
        tile_id="s-1/0",
        index=0,
        image=ctx.save(raster("tile.tif", pixels, ["red"]), "image/tiff"),
        core=(0, 0, 2, 2),
        halo=4,
        calibration=Calibration(scale=2e-5, offset=-0.1, nodata=0, sun_elevation=30.0),
        scene=SCENE,
    )


def test_the_coefficients_that_came_with_the_tile_are_applied(
    ctx: Context, tile: TileExtracted, pixels_of: Callable[[Path], npt.NDArray[Any]]
) -> None:
    """(2e-5 * DN - 0.1) / sin 30°; NaN where there is no data; all else is handed on."""
    done = calibrate(tile, ctx)
    found = pixels_of(ctx.fetch(done.reflectance))[0]
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert found[1].tolist() == pytest.approx([0.2, 0.6], abs=1e-6)
    kept = ("scene_id", "tile_id", "index", "core", "halo", "scene")
    assert all(getattr(done, name) == getattr(tile, name) for name in kept)


def test_a_sun_below_the_horizon_is_refused_for_good(ctx: Context, tile: TileExtracted) -> None:
    """It would turn the sign of every reflectance."""
    night = tile.calibration.model_copy(update={"sun_elevation": -5.0})
    with pytest.raises(ValueError, match="not within") as caught:
        calibrate(tile.model_copy(update={"calibration": night}), ctx)
    assert calibrate.policy.retry.is_terminal(caught.value)
