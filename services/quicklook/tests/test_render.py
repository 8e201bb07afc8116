"""A quicklook shows true colour on the left and classes on the right."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from quicklook.render import COLOURS, GAP, render_quicklook

BANDS = ("class", "ndvi", "red", "green", "blue")
MISSING = -32768


def write(path: Path, width: int, height: int) -> Path:
    """Five vertical stripes of classes 0 to 4; reflectance 0.3, 0.15 and 0 in red, green and blue."""
    classes = np.broadcast_to(np.arange(width) * 5 // width, (height, width)).astype(np.int16)
    pixels = np.zeros((5, height, width), dtype=np.int16)
    pixels[0], pixels[2], pixels[3] = classes, 3000, 1500
    pixels[:, classes == 0] = MISSING
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 5, "dtype": "int16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(0, 0, 10, 10), "nodata": MISSING}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(pixels)
        target.descriptions = BANDS
        target.scales = (1.0, 1e-4, 1e-4, 1e-4, 1e-4)
    return path


def test_both_halves_show_what_the_mosaic_holds(tmp_path: Path) -> None:
    """Colour by reflectance, each class in its own colour, nodata black in both."""
    size = render_quicklook(write(tmp_path / "m.tif", 50, 20), tmp_path / "q.png")
    assert size == (50 + GAP + 50, 20)
    with Image.open(tmp_path / "q.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", size)
        for stripe in range(5):
            middle = 10 * stripe + 5
            assert picture.getpixel((50 + GAP + middle, 10)) == COLOURS[stripe]
            assert picture.getpixel((middle, 10)) == ((0, 0, 0) if stripe == 0 else (255, 128, 0))


@pytest.mark.parametrize(("width", "height", "half"), [(100, 40, (50, 20)), (101, 40, (51, 20)), (40, 130, (14, 44))])
def test_a_large_mosaic_is_thinned_by_a_whole_number(
    tmp_path: Path, width: int, height: int, half: tuple[int, int]
) -> None:
    """Neither half is longer than asked for, and classes stay classes."""
    mosaic = write(tmp_path / "m.tif", width, height)
    size = render_quicklook(mosaic, tmp_path / "q.png", max_side=51 if width > height else 44)
    assert size == (2 * half[0] + GAP, half[1])
    with Image.open(tmp_path / "q.png") as picture:
        right = picture.crop((half[0] + GAP, 0, *size))
        colours = right.getcolors()
    assert colours is not None
    assert {colour for _, colour in colours} == set(COLOURS.values())


def test_rendering_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """A retry must name the same content."""
    mosaic = write(tmp_path / "m.tif", 60, 30)
    for name in ("a.png", "b.png"):
        render_quicklook(mosaic, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
