"""The mask finds what its rules say, and does not depend on where a scene was cut."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from masking.mask import Rules, clean, find_clouds, mask_tile

RULES = Rules()
Bands = npt.NDArray[np.float32]


def full(value: float, shape: tuple[int, int] = (20, 20)) -> Bands:
    return np.full(shape, value, dtype=np.float32)


def square(value: float, *, inside: slice = slice(8, 12)) -> Bands:
    bands = full(0.01)
    bands[inside, inside] = value
    return bands


def test_cloud_is_bright_in_blue_and_in_short_wave_infrared() -> None:
    """Snow and ice, dark in short-wave infrared, and bright soil, dark in blue, are none."""
    cloud = find_clouds(square(0.3), square(0.3), full(0.001), rules=RULES)
    assert cloud[8:12, 8:12].all()
    assert not find_clouds(square(0.5), full(0.05), full(0.001), rules=RULES).any()
    assert not find_clouds(full(0.1), square(0.4), full(0.001), rules=RULES).any()


def test_cirrus_is_found_where_nothing_else_shows() -> None:
    """The band at 1375 nm alone decides."""
    cirrus = find_clouds(full(0.1), full(0.1), square(0.02), rules=RULES)
    assert cirrus[8:12, 8:12].all()


def test_lone_bright_pixels_are_dropped_and_fringes_are_covered() -> None:
    """Opening by a square of 3, then two pixels more on every side."""
    flags = np.zeros((20, 20), dtype=bool)
    flags[3, 3] = flags[5, 9] = flags[5, 10] = True
    assert not clean(flags, opening=1, dilation=2).any()
    flags[10:13, 10:13] = True
    grown = clean(flags, opening=1, dilation=2)
    assert grown[8:15, 8:15].all()
    assert grown.sum() == 49


@pytest.mark.parametrize(("opening", "dilation"), [(0, 0), (1, 0), (0, 2), (1, 2), (2, 3)])
def test_the_filters_equal_binary_opening_and_dilation(opening: int, dilation: int) -> None:
    """The fast way is the textbook's, at the edges too."""
    flags = np.random.default_rng(5).random((40, 50)) < 0.8
    expected = flags
    for radius, operation in ((opening, ndimage.binary_opening), (dilation, ndimage.binary_dilation)):
        if radius:
            expected = operation(expected, np.ones((2 * radius + 1, 2 * radius + 1)))
    assert (clean(flags, opening=opening, dilation=dilation) == expected).all()


@pytest.mark.parametrize(("opening", "dilation"), [(1, 2), (1, 0), (0, 3), (2, 1)])
def test_the_reach_is_enough_for_any_tile_and_one_pixel_less_is_not(opening: int, dilation: int) -> None:
    """Cut anywhere with a halo of the reach, the core equals that of the whole; the bound is tight."""
    reach = Rules(opening=opening, dilation=dilation).reach
    random = np.random.default_rng(8)
    misses = 0
    for _ in range(200):
        flags = random.random((30, 30)) < random.uniform(0.01, 0.95)
        whole = clean(flags, opening=opening, dilation=dilation)[12:20, 12:20]
        for halo in (reach, reach - 1):
            part = clean(flags[12 - halo : 20 + halo, 12 - halo : 20 + halo], opening=opening, dilation=dilation)
            same = (part[halo : halo + 8, halo : halo + 8] == whole).all()
            assert same or halo < reach
            misses += not same
    assert misses > 0


def write(path: Path, bands: Bands, names: tuple[str, ...]) -> Path:
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": count, "dtype": "float32"}
    place = {"crs": "EPSG:32633", "transform": from_origin(10, 20, 10, 10), "nodata": np.nan}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(bands)
        target.descriptions = names
    return path


def test_a_tiles_mask_finds_bands_by_name_and_marks_nodata(tmp_path: Path) -> None:
    """0 clear, 1 cloud, 255 where any band has no value, and the same bytes again."""
    bands = np.stack([full(0.001), square(0.3), full(0.1), square(0.3)])
    bands[2, 0, 0] = np.nan
    tile = write(tmp_path / "tile.tif", bands, ("cirrus", "swir", "red", "blue"))
    first, second = (mask_tile(tile, tmp_path / name, halo=4) for name in ("a.tif", "b.tif"))
    assert first.read_bytes() == second.read_bytes()
    with rasterio.open(first) as source:
        mask = source.read(1)
        assert (source.nodata, source.dtypes[0], source.transform.c) == (255, "uint8", 10)
    assert mask[0, 0] == 255
    assert (mask[6:14, 6:14] == 1).all()
    assert set(np.unique(mask)) == {0, 1, 255}


def test_a_tile_with_too_narrow_a_halo_is_refused(tmp_path: Path) -> None:
    """Its mask would depend on the tiling."""
    tile = write(tmp_path / "tile.tif", np.stack([full(0.1)] * 3), ("blue", "swir", "cirrus"))
    with pytest.raises(ValueError, match="a halo of 3 pixels is less than the mask's reach of 4"):
        mask_tile(tile, tmp_path / "mask.tif", halo=3)
    with pytest.raises(ValueError, match="reach of 5"):
        mask_tile(tile, tmp_path / "mask.tif", halo=4, rules=Rules(dilation=3))
