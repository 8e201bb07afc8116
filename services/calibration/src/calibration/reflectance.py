"""Turns digital numbers into top-of-atmosphere reflectance. What the coefficients are, others tell.

reflectance = (scale * DN + offset) / sin(sun elevation)

Sentinel-2 Level-1C products before baseline 04.00 have scale 1/10000, offset 0 and the sun's angle applied
already; Landsat-8 Level-1 has 2e-5 and -0.1, with the sun's angle still to apply (USGS, Landsat 8 Data Users
Handbook, section 5). Where the sun's elevation is not known the division is left out, and Landsat's
reflectance is too low by that factor.
"""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

Counts = npt.NDArray[np.integer]
Reflectance = npt.NDArray[np.float32]


def to_reflectance(
    counts: Counts, *, scale: float, offset: float, nodata: int, sun_elevation: float | None
) -> Reflectance:
    """Return float32 reflectance (1.0 = 100 %) of the same shape; NaN where the count is ``nodata``.

    ``sun_elevation`` is in degrees above the horizon, None to leave the sun's angle out. Raises ValueError
    where it is not within (0, 90]. Elementwise, so that any tiling gives the same values.
    """
    if sun_elevation is not None and not 0 < sun_elevation <= 90:
        raise ValueError(f"a sun elevation of {sun_elevation} degrees is not within (0, 90]")
    sine = 1.0 if sun_elevation is None else math.sin(math.radians(sun_elevation))
    reflectance = counts.astype(np.float32)
    reflectance *= np.float32(scale / sine)
    reflectance += np.float32(offset / sine)
    reflectance[counts == nodata] = np.nan
    return reflectance


def calibrate_tile(
    tile: Path, out: Path, *, scale: float, offset: float, nodata: int, sun_elevation: float | None
) -> Path:
    """Write the reflectance of every band of ``tile`` as the float32 GeoTIFF ``out``, nodata NaN."""
    with rasterio.open(tile) as source:
        profile = source.profile | {"dtype": "float32", "nodata": math.nan, "interleave": "band"}
        counts = source.read()
        names = source.descriptions
    reflectance = to_reflectance(counts, scale=scale, offset=offset, nodata=nodata, sun_elevation=sun_elevation)
    with rasterio.open(out, "w", **profile) as target:
        target.write(reflectance)
        target.descriptions = names
    return out
