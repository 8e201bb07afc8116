"""Indices follow their formulas, and classes follow indices and mask."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin

from indices.indices import CLOUD, NODATA, OTHER, VEGETATION, WATER, classify, normalised_difference
from indices.product import BANDS, MISSING, index_tile

ROLES = ("blue", "green", "red", "nir")
Bands = npt.NDArray[np.float32]


def row(*values: float) -> Bands:
    return np.array([values], dtype=np.float32)


def test_a_normalised_difference_is_that_of_the_formula() -> None:
    """Vegetation, balance, water."""
    found = normalised_difference(row(0.4, 0.2, 0.05), row(0.1, 0.2, 0.15))
    assert found[0] == pytest.approx([0.6, 0.0, -0.5], abs=1e-6)
    assert found.dtype == np.float32


def test_an_index_that_is_not_defined_is_no_number_and_none_leaves_its_range() -> None:
    """No light at all, negative sums, missing values; and no warning is raised on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = normalised_difference(row(0.0, -0.2, np.nan, 0.3), row(0.0, 0.1, 0.2, -0.1))
    assert np.isnan(found[0, :3]).all()
    assert found[0, 3] == 1.0


def test_the_mask_goes_before_water_and_water_before_vegetation() -> None:
    """Each class once, and nodata where the mask says so."""
    ndvi, ndwi = row(0.9, 0.9, 0.9, 0.1, 0.9, np.nan), row(0.5, 0.5, -0.5, -0.1, 0.5, np.nan)
    mask = np.array([[1, 0, 0, 0, 255, 0]], dtype=np.uint8)
    assert classify(ndvi, ndwi, mask)[0].tolist() == [CLOUD, WATER, VEGETATION, OTHER, NODATA, OTHER]


def write(path: Path, bands: npt.NDArray[np.generic], names: tuple[str | None, ...]) -> Path:
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": count, "dtype": bands.dtype}
    place = {"crs": "EPSG:32633", "transform": from_origin(1000, 2000, 10, 10)}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(bands)
        target.descriptions = names
    return path


@pytest.fixture
def tile(tmp_path: Path) -> tuple[Path, Path]:
    """Reflectance and mask of 12 x 10 pixels."""
    random = np.random.default_rng(2)
    reflectance = random.uniform(0.01, 0.5, (4, 10, 12)).astype(np.float32)
    mask = np.zeros((1, 10, 12), dtype=np.uint8)
    mask[0, 4, 5], mask[0, 4, 6] = 1, 255
    return (
        write(tmp_path / "toa.tif", reflectance, ROLES),
        write(tmp_path / "mask.tif", mask, (None,)),
    )


def test_a_tiles_product_is_its_core_without_the_halo(tile: tuple[Path, Path], tmp_path: Path) -> None:
    """Place, names, scales and values are those of the core's pixels; the same bytes again."""
    paths = [index_tile(*tile, tmp_path / name, core=(2, 3, 8, 6)) for name in ("a.tif", "b.tif")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with rasterio.open(tile[0]) as source:
        blue, green, red, nir = source.read()[:, 3:9, 2:10]
    with rasterio.open(paths[0]) as source:
        assert (source.width, source.height, source.nodata) == (8, 6, MISSING)
        assert source.descriptions == BANDS
        assert source.scales == (1.0, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4)
        assert (source.transform.c, source.transform.f) == (1020, 1970)
        bands = source.read().astype(float)
    assert bands[0, 1, 3] == CLOUD
    assert (bands[:, 1, 4] == MISSING).all()
    valid = bands[0] != MISSING
    expected = [(nir - red) / (nir + red), (green - nir) / (green + nir), red, green, blue]
    for found, wanted in zip(bands[1:], expected, strict=True):
        assert found[valid] == pytest.approx(wanted[valid] * 1e4, abs=0.51)
    assert (bands[0][valid & (bands[2] > 0) & (bands[0] != CLOUD)] == WATER).all()


def test_reflectance_beyond_the_counts_is_clipped_and_never_taken_for_missing(
    tile: tuple[Path, Path], tmp_path: Path
) -> None:
    """Neither a glint of 9.0 nor -9.0 wraps around."""
    bands = np.full((4, 10, 12), 0.1, dtype=np.float32)
    bands[2, 0, 0], bands[2, 0, 1] = 9.0, -9.0
    bright = write(tmp_path / "bright.tif", bands, ROLES)
    with rasterio.open(index_tile(bright, tile[1], tmp_path / "out.tif", core=(0, 0, 12, 10))) as source:
        red, ndvi = source.read(4), source.read(2)
    assert (red[0, 0], red[0, 1]) == (32767, -32767)
    assert ndvi[0, 1] == MISSING


def test_a_core_beyond_the_tile_and_a_foreign_mask_are_refused(tile: tuple[Path, Path], tmp_path: Path) -> None:
    """Both would be read as something, and be wrong."""
    with pytest.raises(ValueError, match="does not lie within 12 x 10"):
        index_tile(*tile, tmp_path / "out.tif", core=(5, 0, 8, 8))
    small = write(tmp_path / "small.tif", np.zeros((1, 5, 5), dtype=np.uint8), (None,))
    with pytest.raises(ValueError, match="a mask of"):
        index_tile(tile[0], small, tmp_path / "out.tif", core=(0, 0, 5, 5))
