"""Counts become the reflectance that the sensor's documents define."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from calibration.reflectance import calibrate_tile, to_reflectance

SENTINEL: dict[str, Any] = {"scale": 1e-4, "offset": 0.0, "nodata": 0, "sun_elevation": None}
LANDSAT: dict[str, Any] = {"scale": 2e-5, "offset": -0.1, "nodata": 0}


def test_sentinel_counts_are_ten_thousandths() -> None:
    """Down to 1, up to bright cloud beyond 1.0."""
    counts = np.array([[1, 2500, 10000, 17536]], dtype=np.uint16)
    assert to_reflectance(counts, **SENTINEL)[0] == pytest.approx([0.0001, 0.25, 1.0, 1.7536], rel=1e-6)


@pytest.mark.parametrize("elevation", [None, 17.4, 45.0, 90.0])
@pytest.mark.parametrize("known", [0.0, 0.03, 0.25, 0.9])
def test_landsat_counts_made_from_a_known_reflectance_come_back_as_it(known: float, elevation: float | None) -> None:
    """Within half a count, with the sun's angle and without."""
    sine = 1.0 if elevation is None else math.sin(math.radians(elevation))
    counts = np.array([[round((known * sine + 0.1) / 2e-5)]], dtype=np.uint16)
    found = to_reflectance(counts, **LANDSAT, sun_elevation=elevation)
    assert found[0, 0] == pytest.approx(known, abs=1e-5 / sine + 1e-6)


def test_nodata_is_no_reflectance() -> None:
    """Zero counts would be -0.1 on Landsat, and dark water on Sentinel-2."""
    found = to_reflectance(np.array([[0, 7]], dtype=np.uint16), **LANDSAT, sun_elevation=None)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(7 * 2e-5 - 0.1)
    assert found.dtype == np.float32


@pytest.mark.parametrize("elevation", [0.0, -1.0, 91.0, math.nan])
def test_a_sun_that_cannot_light_the_scene_is_refused(elevation: float) -> None:
    """Division by its sine would give nonsense."""
    with pytest.raises(ValueError, match="sun elevation"):
        to_reflectance(np.ones((1, 1), dtype=np.uint16), **LANDSAT, sun_elevation=elevation)


def test_a_tile_keeps_its_place_its_names_and_its_bytes_on_repetition(tmp_path: Path) -> None:
    """Only values and type change."""
    profile = {"driver": "GTiff", "width": 9, "height": 5, "count": 2, "dtype": "uint16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(10, 20, 10, 10), "interleave": "band"}
    counts = np.random.default_rng(3).integers(0, 3, (2, 5, 9), dtype=np.uint16)
    with rasterio.open(tmp_path / "tile.tif", "w", **profile, **place) as target:
        target.write(counts)
        target.descriptions = ("red", "nir")
    paths = [calibrate_tile(tmp_path / "tile.tif", tmp_path / name, **SENTINEL) for name in ("a.tif", "b.tif")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with rasterio.open(paths[0]) as source:
        assert source.descriptions == ("red", "nir")
        assert source.transform == place["transform"]
        assert math.isnan(source.nodata)
        assert np.array_equal(source.read(), to_reflectance(counts, **SENTINEL), equal_nan=True)
