"""What is written is a valid Cloud-Optimised GeoTIFF with the pixels of its source."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from cog.write import NotCloudOptimised, check_cog, write_cog


def write(path: Path, width: int, height: int) -> Path:
    """Two bands in strips, without overviews."""
    random = np.random.default_rng(1)
    pixels = random.choice(np.array([1, 100], dtype=np.int16), (2, height, width))
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 2, "dtype": "int16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(330000, 5822040, 10, 10), "nodata": -32768}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(pixels)
        target.descriptions = ("class", "ndvi")
        target.scales = (1.0, 1e-4)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "mosaic.tif", 1100, 700)


@pytest.mark.parametrize(
    ("width", "height", "overviews"),
    [(30, 20, []), (512, 512, []), (600, 400, [2]), (1300, 40, [2, 4]), (40, 513, [2])],
)
def test_a_raster_of_any_size_becomes_a_valid_cog(
    tmp_path: Path, width: int, height: int, overviews: list[int]
) -> None:
    """Also where one side only is longer than a block."""
    out = write_cog(write(tmp_path / "mosaic.tif", width, height), tmp_path / "product.tif")
    with rasterio.open(out) as product:
        assert product.overviews(1) == overviews


def test_a_cog_is_valid_and_keeps_pixels_grid_names_scales_and_nodata(source: Path, tmp_path: Path) -> None:
    """With overviews down to one block, taken by nearest neighbour and so without new values."""
    out = write_cog(source, tmp_path / "product.tif")
    check_cog(out)
    with rasterio.open(source) as before, rasterio.open(out) as after:
        assert (before.read() == after.read()).all()
        for attribute in ("transform", "crs", "descriptions", "scales", "nodata", "dtypes"):
            assert getattr(before, attribute) == getattr(after, attribute)
        assert after.overviews(1) == [2, 4]
        assert after.block_shapes == [(512, 512), (512, 512)]
    with rasterio.open(out, overview_level=0) as overview:
        assert overview.shape == (350, 550)
        assert set(np.unique(overview.read())) == {1, 100}


def test_writing_again_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """A retry must name the same content."""
    first, second = (write_cog(source, tmp_path / name) for name in ("a.tif", "b.tif"))
    assert first.read_bytes() == second.read_bytes()


def test_an_ordinary_geotiff_is_told_from_a_cog(source: Path) -> None:
    """Validation is not a formality; its reason is passed on."""
    with pytest.raises(NotCloudOptimised, match="tiled"):
        check_cog(source)
