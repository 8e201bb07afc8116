"""Renders a mosaic for the eye: true colour beside classes, as one PNG. It measures nothing."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.io import DatasetReader

Pixels = npt.NDArray[np.uint8]

MAX_SIDE = 1024
"""The longer side of each half is at most that many pixels."""

WHITE_AT = 0.3
"""Reflectance shown as white. Fixed, so that quicklooks of different scenes can be compared."""

GAP = 8

COLOURS = {
    0: (0, 0, 0),
    1: (38, 110, 196),
    2: (74, 153, 72),
    3: (203, 182, 139),
    4: (236, 236, 240),
}
"""Class → red, green, blue: nodata, water, vegetation, bare or other, cloud."""


def render_quicklook(mosaic: Path, out: Path, *, max_side: int = MAX_SIDE) -> tuple[int, int]:
    """Write true colour (left) and classes (right) as the PNG ``out``; return its width and height in pixels.

    Both halves are thinned by the same whole number, so that neither is longer than ``max_side``; nodata is
    black. Raises ValueError where a band is missing.
    """
    with rasterio.open(mosaic) as source:
        step = math.ceil(max(source.width, source.height) / max_side)
        shape = math.ceil(source.height / step), math.ceil(source.width / step)
        colour, classes = _true_colour(source, shape), _class_colours(source, shape)
    gap = np.zeros((shape[0], GAP, 3), dtype=np.uint8)
    picture = Image.fromarray(np.concatenate([colour, gap, classes], axis=1))
    picture.save(out, format="PNG", compress_level=6)
    return picture.size


def _true_colour(source: DatasetReader, shape: tuple[int, int]) -> Pixels:
    indexes = [source.descriptions.index(name) + 1 for name in ("red", "green", "blue")]
    counts = source.read(indexes, out_shape=(3, *shape), resampling=Resampling.average, masked=True)
    scale = source.scales[indexes[0] - 1]
    shades = np.clip(counts.filled(0) * (255 * scale / WHITE_AT), 0, 255)
    pixels: Pixels = np.rint(shades).astype(np.uint8).transpose(1, 2, 0)
    return pixels


def _class_colours(source: DatasetReader, shape: tuple[int, int]) -> Pixels:
    classes = source.read(source.descriptions.index("class") + 1, out_shape=shape, masked=True).filled(0)
    table = np.array([COLOURS[value] for value in sorted(COLOURS)], dtype=np.uint8)
    pixels: Pixels = table[classes]
    return pixels
