"""NDVI, NDWI and four classes of reflectance. Arrays in, arrays out; no file is touched.

NDVI = (nir - red) / (nir + red), Rouse et al. 1974; NDWI = (green - nir) / (green + nir), McFeeters 1996.
Elementwise, so that any tiling gives the same values.
"""

import numexpr
import numpy as np
import numpy.typing as npt

Reflectance = npt.NDArray[np.float32]
Index = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.int16]

NODATA, WATER, VEGETATION, OTHER, CLOUD = 0, 1, 2, 3, 4

WATER_FROM = 0.0
"""NDWI above this is water, ice included."""

VEGETATION_FROM = 0.3
"""NDVI above this is green vegetation; what is neither, bare soil or towns, is the other class."""


def normalised_difference(first: Reflectance, second: Reflectance) -> Index:
    """(first - second) / (first + second), clipped to [-1, 1]; NaN where the sum is not above 0."""
    ratio = numexpr.evaluate(
        "where(first + second > 0, (first - second) / (first + second), nan)",
        local_dict={"first": first, "second": second, "nan": np.float32(np.nan)},
        global_dict={},
    )
    # Calibration may yield slightly negative reflectance, and then a ratio beyond 1.
    index: Index = np.clip(ratio, -1, 1).astype(np.float32, copy=False)
    return index


def classify(ndvi: Index, ndwi: Index, mask: Mask) -> Classes:
    """Return 1 water, 2 vegetation, 3 bare or other, 4 cloud; 0 where the mask is neither 0 nor 1."""
    classes = numexpr.evaluate(
        "where(mask == 0, where(ndwi > water, 1, where(ndvi > vegetation, 2, 3)), where(mask == 1, 4, 0))",
        local_dict={
            "mask": mask,
            "ndwi": ndwi,
            "ndvi": ndvi,
            "water": np.float32(WATER_FROM),
            "vegetation": np.float32(VEGETATION_FROM),
        },
        global_dict={},
    )
    result: Classes = classes.astype(np.int16)
    return result
