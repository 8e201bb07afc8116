"""Writes a raster as a Cloud-Optimised GeoTIFF and has it validated. It changes no pixel."""

import math
from pathlib import Path

import rasterio
from rio_cogeo.cogeo import cog_translate, cog_validate
from rio_cogeo.profiles import cog_profiles

_BLOCK = 512


class NotCloudOptimised(Exception):
    """What was written is no valid Cloud-Optimised GeoTIFF; the text says why."""


def write_cog(source: Path, out: Path) -> Path:
    """Write ``source`` as the Cloud-Optimised GeoTIFF ``out``, names and scales of its bands kept.

    Deflate with a horizontal predictor, blocks of 512 pixels, band by band, so that who wants the classes
    reads the classes only; overviews by nearest neighbour, because a mean of classes is none. Raises
    NotCloudOptimised unless the result passes rio-cogeo's strict validation.
    """
    # Against level 6 a third of the time for 8 % more bytes.
    options = {"predictor": 2, "zlevel": 1, "interleave": "band", "bigtiff": "if_safer"}
    profile = {**cog_profiles["deflate"], **options}
    levels = count_overviews(source)
    cog_translate(source, out, profile, overview_level=levels, overview_resampling="nearest", quiet=True)
    check_cog(out)
    return out


def count_overviews(source: Path) -> int:
    """How many halvings bring a raster's longer side down to one block.

    rio-cogeo alone goes by the shorter side, and then warns of what it wrote itself.
    """
    with rasterio.open(source) as raster:
        longer: int = max(raster.width, raster.height)
    return max(0, math.ceil(math.log2(longer / _BLOCK)))


def check_cog(path: Path) -> None:
    """Raise NotCloudOptimised, with every error and warning found, unless ``path`` is one."""
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    if not valid:
        raise NotCloudOptimised("; ".join([*errors, *warnings]) or "it is not valid")
