"""Writes a tile's share of the product: classes, indices and true colour of the core, the halo cropped off.

The halo ends here, at the last step before the tiles are laid together: all that follows is pixel by pixel.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from indices.indices import NODATA, Classes, Reflectance, classify, normalised_difference

Scaled = npt.NDArray[np.int16]

BANDS = ("class", "ndvi", "ndwi", "red", "green", "blue")
"""The product's bands; all int16, so that one file and one nodata value hold them."""

SCALE = 1e-4
"""What a count of every band but the first is worth."""

MISSING = -32768
"""The product's nodata value, in every band."""


def index_tile(reflectance: Path, mask: Path, out: Path, *, core: tuple[int, int, int, int]) -> Path:
    """Write classes, NDVI, NDWI and true colour of one tile's core as the int16 GeoTIFF ``out``.

    ``core`` is (col_off, row_off, width, height) within the tile. Pixels that the mask calls nodata are
    missing in every band, and an index is missing where it is not defined. Raises ValueError where mask and
    reflectance differ in size, or the core does not lie within them.
    """
    window = Window(*core)
    with rasterio.open(reflectance) as source, rasterio.open(mask) as flags:
        if flags.shape != source.shape:
            raise ValueError(f"a mask of {flags.shape} pixels for reflectance of {source.shape}")
        if not _within(core, source.width, source.height):
            raise ValueError(f"a core of {core} does not lie within {source.width} x {source.height} pixels")
        names = source.descriptions
        red, green, blue, nir = (
            source.read(names.index(role) + 1, window=window) for role in ("red", "green", "blue", "nir")
        )
        ndvi, ndwi = normalised_difference(nir, red), normalised_difference(green, nir)
        classes = classify(ndvi, ndwi, flags.read(1, window=window))
        profile = source.profile | {
            "count": len(BANDS),
            "dtype": "int16",
            "nodata": MISSING,
            "width": core[2],
            "height": core[3],
            "blockysize": core[3],
            "transform": source.window_transform(window),
        }
    bands = np.stack([classes, *(_to_counts(band) for band in (ndvi, ndwi, red, green, blue))])
    _write(out, bands, classes, profile)
    return out


def _to_counts(values: Reflectance) -> Scaled:
    """Counts of 1e-4, rounded; what lies beyond int16 is clipped, NaN becomes missing."""
    counts = np.clip(np.rint(values / np.float32(SCALE)), MISSING + 1, -MISSING - 1)
    return np.where(np.isnan(values), MISSING, counts).astype(np.int16)


def _write(out: Path, bands: Scaled, classes: Classes, profile: dict[str, object]) -> None:
    bands[:, classes == NODATA] = MISSING
    with rasterio.open(out, "w", **profile) as target:
        target.write(bands)
        target.descriptions = BANDS
        target.scales = (1.0, *(SCALE for _ in BANDS[1:]))


def _within(core: tuple[int, int, int, int], width: int, height: int) -> bool:
    left, top, columns, rows = core
    return left >= 0 and top >= 0 and left + columns <= width and top + rows <= height
