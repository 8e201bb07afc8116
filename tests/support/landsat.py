"""A synthetic Landsat-8 scene of known reflectance: four stripes of surfaces, and a corner without data."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin

from indices.indices import CLOUD, OTHER, VEGETATION, WATER
from indices.product import MISSING
from ingest.sensors import ROLES, Sensor

# Reflectance of blue, green, red, nir, swir and cirrus, and the class that it must end in.
SURFACES = {
    WATER: (0.08, 0.07, 0.05, 0.02, 0.01, 0.001),
    VEGETATION: (0.04, 0.08, 0.05, 0.45, 0.20, 0.001),
    OTHER: (0.10, 0.13, 0.17, 0.24, 0.30, 0.002),
    CLOUD: (0.55, 0.56, 0.58, 0.60, 0.50, 0.030),
}
SIDE = 150
TILES = 6
"""Into how many tiles the scene is cut."""


def write_landsat(folder: Path, sensor: Sensor, elevation: float | None) -> dict[str, Path]:
    """One GeoTIFF a band, as the USGS delivers it: counts = (reflectance * sin(elevation) + 0.1) / 2e-5."""
    sine = 1.0 if elevation is None else math.sin(math.radians(elevation))
    paths: dict[str, Path] = {}
    for number, role in enumerate(ROLES):
        stripes = np.repeat([surface[number] for surface in SURFACES.values()], SIDE)
        counts = np.rint((stripes * sine + 0.1) / 2e-5).astype(np.uint16)
        pixels = np.broadcast_to(counts, (400, counts.size)).copy()
        pixels[:20, :20] = 0
        paths[sensor.bands[role]] = folder / f"{sensor.bands[role]}.TIF"
        profile: dict[str, Any] = {"driver": "GTiff", "width": counts.size, "height": 400, "count": 1}
        place = {"crs": "EPSG:32633", "transform": from_origin(330000, 5822040, 30, 30), "dtype": "uint16"}
        with rasterio.open(paths[sensor.bands[role]], "w", **profile, **place) as target:
            target.write(pixels, 1)
    return paths


def check_surfaces(product: npt.NDArray[np.int16]) -> None:
    """Every stripe of the product has the class and the reflectance that it was made from; the corner has none."""
    assert (product[:, :20, :20] == MISSING).all()
    for stripe, (surface, known) in enumerate(SURFACES.items()):
        # Away from the stripe's edges, which the dilation of the cloud may cover.
        part = product[:, 30:, stripe * SIDE + 8 : (stripe + 1) * SIDE - 8].reshape(6, -1)
        blue, green, red, nir = known[:4]
        indices = ((nir - red) / (nir + red), (green - nir) / (green + nir))
        assert (part[0] == surface).all()
        for found, wanted in zip(part[1:3], indices, strict=True):
            assert found / 1e4 == pytest.approx(wanted, abs=2e-3)
        for found, wanted in zip(part[3:], (red, green, blue), strict=True):
            assert found / 1e4 == pytest.approx(wanted, abs=1e-4)
