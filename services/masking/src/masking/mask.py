"""Marks cloud and cirrus. A plain heuristic: fixed thresholds and a little morphology.

It follows the outline of ESA's Level-1C cloud mask: opaque cloud is bright in blue and, unlike snow and ice,
bright in short-wave infrared; cirrus is bright at 1375 nm, where water vapour hides the ground; an opening
takes out lone pixels (roofs), a dilation covers the fringes. The thresholds are our own, for scenes of middle
latitudes. It misses thin cloud, cloud shadow, and low cloud over snow, and takes bright sand for cloud; who
needs better takes a trained mask.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from scipy import ndimage

CLEAR, CLOUDED, NODATA = 0, 1, 255

Reflectance = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds in reflectance, radii in pixels of square neighbourhoods."""

    blue: float = 0.18
    swir: float = 0.15
    cirrus: float = 0.012
    opening: int = 1
    dilation: int = 2

    @property
    def reach(self) -> int:
        """How many pixels away a pixel can still change the mask: a tile's halo must be at least that."""
        return 2 * self.opening + self.dilation


def find_clouds(blue: Reflectance, swir: Reflectance, cirrus: Reflectance, *, rules: Rules) -> Flags:
    """Return which pixels are taken for cloud; NaN is none, and neither is what lies outside the raster."""
    opaque = (blue > rules.blue) & (swir > rules.swir)
    return clean(opaque | (cirrus > rules.cirrus), opening=rules.opening, dilation=rules.dilation)


def clean(flags: Flags, *, opening: int, dilation: int) -> Flags:
    """Open by a square of radius ``opening``, then dilate by one of radius ``dilation``."""
    # On squares a rank filter runs along one axis, then the other: several times faster than binary_opening.
    eroded = ndimage.minimum_filter(flags, size=2 * opening + 1, mode="constant", cval=0)
    grown: Flags = ndimage.maximum_filter(eroded, size=2 * (opening + dilation) + 1, mode="constant", cval=0)
    return grown


def mask_tile(tile: Path, out: Path, *, halo: int, rules: Rules | None = None) -> Path:
    """Write the mask of a calibrated ``tile`` as the uint8 GeoTIFF ``out``: 0 clear, 1 cloud, 255 nodata.

    Nodata is where any band is. ``halo`` is what the tile was cut out with; raises ValueError where that is
    less than ``rules`` reach, for the mask would then depend on the tiling, and where a band is missing.
    """
    rules = rules or Rules()
    if halo < rules.reach:
        raise ValueError(f"a halo of {halo} pixels is less than the mask's reach of {rules.reach}")
    with rasterio.open(tile) as source:
        bands: Reflectance = source.read()
        names = source.descriptions
        profile = source.profile | {"count": 1, "dtype": "uint8", "nodata": NODATA}
    blue, swir, cirrus = (bands[names.index(role)] for role in ("blue", "swir", "cirrus"))
    mask = np.where(find_clouds(blue, swir, cirrus, rules=rules), CLOUDED, CLEAR).astype(np.uint8)
    mask[np.isnan(bands).any(axis=0)] = NODATA
    with rasterio.open(out, "w", **profile) as target:
        target.write(mask, 1)
    return out
