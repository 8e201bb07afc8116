"""A tile's file holds exactly its window of the stack."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tiling.extract import extract_tiles
from tiling.windows import Box, Tile, plan_tiles


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three bands of 70 x 50 pixels, each pixel unlike all others."""
    pixels = np.arange(3 * 50 * 70, dtype=np.uint16).reshape(3, 50, 70)
    profile = {"driver": "GTiff", "width": 70, "height": 50, "count": 3, "dtype": "uint16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(330000, 5822040, 10, 10)}
    with rasterio.open(tmp_path / "stack.tif", "w", **profile, **place) as target:
        target.write(pixels)
    return tmp_path / "stack.tif"


def test_each_tile_holds_its_outer_window_in_its_place(stack: Path, tmp_path: Path) -> None:
    """Pixels, georeference and names of bands."""
    tiles = plan_tiles(70, 50, size=32, halo=3)
    paths = extract_tiles(stack, tiles, tmp_path, names=("red", "nir", "swir"))
    with rasterio.open(stack) as source:
        whole = source.read()
    for tile, path in zip(tiles, paths, strict=True):
        box = tile.outer
        rows, columns = (
            slice(box.row_off, box.row_off + box.height),
            slice(box.col_off, box.col_off + box.width),
        )
        with rasterio.open(path) as source:
            assert (source.read() == whole[:, rows, columns]).all()
            assert source.descriptions == ("red", "nir", "swir")
            assert source.transform.c == 330000 + 10 * box.col_off
            assert source.transform.f == 5822040 - 10 * box.row_off
            assert source.crs.to_epsg() == 32633


def test_cutting_again_gives_the_same_bytes(stack: Path, tmp_path: Path) -> None:
    """A retry must name the same content."""
    (tmp_path / "again").mkdir()
    tiles = plan_tiles(70, 50, size=32)
    first = extract_tiles(stack, tiles, tmp_path, names="abc")
    second = extract_tiles(stack, tiles, tmp_path / "again", names="abc")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_tile_beyond_the_stack_and_a_wrong_number_of_names_are_refused(stack: Path, tmp_path: Path) -> None:
    """A plan made for another scene would be read as zeros."""
    beyond = Tile(0, 0, 0, Box(60, 0, 20, 20), Box(60, 0, 20, 20))
    with pytest.raises(ValueError, match="tile 0 does not lie within"):
        extract_tiles(stack, [beyond], tmp_path, names="abc")
    with pytest.raises(ValueError, match="2 names for the 3 bands"):
        extract_tiles(stack, [], tmp_path, names="ab")
