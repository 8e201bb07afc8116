"""Tiles laid together are the scene; a missing one is a hole, and is never passed over."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin

import mosaic.merge
from mosaic.merge import SceneGrid, merge_tiles

GRID = SceneGrid(70, 50, (10.0, 0.0, 330000.0, 0.0, -10.0, 5822040.0))
MISSING = -32768
SIZE = 32


def scene() -> npt.NDArray[np.int16]:
    return np.random.default_rng(4).integers(-9000, 9000, (2, GRID.height, GRID.width), dtype=np.int16)


def spans() -> list[tuple[slice, slice]]:
    """Rows and columns of each tile, in the order of their indices."""
    return [
        (slice(top, min(top + SIZE, GRID.height)), slice(left, min(left + SIZE, GRID.width)))
        for top in range(0, GRID.height, SIZE)
        for left in range(0, GRID.width, SIZE)
    ]


@pytest.fixture
def tiles(tmp_path: Path) -> dict[int, Path]:
    """The scene, cut into six."""
    paths: dict[int, Path] = {}
    for index, (rows, columns) in enumerate(spans()):
        pixels = scene()[:, rows, columns]
        place = from_origin(330000 + 10 * columns.start, 5822040 - 10 * rows.start, 10, 10)
        size = {"width": pixels.shape[2], "height": pixels.shape[1], "count": 2, "dtype": "int16"}
        paths[index] = tmp_path / f"{index}.tif"
        profile = {"driver": "GTiff", "crs": "EPSG:32633", "transform": place, "nodata": MISSING}
        with rasterio.open(paths[index], "w", **size, **profile) as target:
            target.write(pixels)
            target.descriptions = ("class", "ndvi")
            target.scales = (1.0, 1e-4)
    return paths


def pixels_of(path: Path) -> npt.NDArray[np.int16]:
    with rasterio.open(path) as source:
        pixels: npt.NDArray[np.int16] = source.read()
    return pixels


def test_all_tiles_together_are_the_scene_whatever_their_order(tiles: dict[int, Path], tmp_path: Path) -> None:
    """Pixels, grid, names, scales and nodata; the same bytes in any order of arrival."""
    first = merge_tiles(tiles, GRID, tmp_path / "a.tif", count=6)
    turned = dict(reversed(tiles.items()))
    second = merge_tiles(turned, GRID, tmp_path / "b.tif", count=6)
    assert first.read_bytes() == second.read_bytes()
    assert (pixels_of(first) == scene()).all()
    with rasterio.open(first) as source:
        assert source.transform[:6] == GRID.transform
        assert source.descriptions == ("class", "ndvi")
        assert (source.scales, source.nodata) == ((1.0, 1e-4), MISSING)
        assert source.crs.to_epsg() == 32633


def test_merging_in_chunks_gives_the_same_pixels(
    tiles: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scene larger than the memory allowed comes out alike."""
    monkeypatch.setattr(mosaic.merge, "_CHUNK_MEGABYTES", 0.002)
    assert (pixels_of(merge_tiles(tiles, GRID, tmp_path / "a.tif", count=6)) == scene()).all()


@pytest.mark.parametrize("missing", [[0], [4], [1, 2, 5]])
def test_a_missing_tile_is_a_hole_of_nodata_and_changes_nothing_else(
    tiles: dict[int, Path], tmp_path: Path, missing: list[int]
) -> None:
    """Also the first one, from which nothing of the scene's extent may be taken."""
    expected = scene()
    for index in missing:
        rows, columns = spans()[index]
        expected[:, rows, columns] = MISSING
        del tiles[index]
    merged = merge_tiles(tiles, GRID, tmp_path / "a.tif", count=6, missing=missing)
    assert (pixels_of(merged) == expected).all()


def test_a_tile_that_is_neither_there_nor_listed_as_missing_is_refused(tiles: dict[int, Path], tmp_path: Path) -> None:
    """Nor one that is both, or beyond the count, or none at all."""
    del tiles[3]
    with pytest.raises(ValueError, match=r"no word of \[3\]"):
        merge_tiles(tiles, GRID, tmp_path / "a.tif", count=6)
    with pytest.raises(ValueError, match="are not 6"):
        merge_tiles(tiles, GRID, tmp_path / "a.tif", count=6, missing=[3, 2])
    with pytest.raises(ValueError, match="are not 3"):
        merge_tiles(tiles, GRID, tmp_path / "a.tif", count=3)
    with pytest.raises(ValueError, match="none of the 2 tiles"):
        merge_tiles({}, GRID, tmp_path / "a.tif", count=2, missing=[0, 1])
