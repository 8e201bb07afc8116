"""Decides whether a scene's bands can be processed, and says what they are. It changes no file.

Every reason for a refusal names the band and what is wrong with it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from ingest.jp2 import BrokenFileError, check_structure, is_jpeg2000
from ingest.sensors import ROLES, Role, Sensor

_JPEG2000 = "JP2OpenJPEG"

# Either byte order, classic and BigTIFF.
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_SLAB_PIXELS = 4_000_000


class RejectedScene(Exception):
    """The scene cannot be processed, and trying again would not help."""

    def __init__(self, band: str, problem: str) -> None:
        super().__init__(band, problem)
        self.band = band
        self.problem = problem

    @property
    def reason(self) -> str:
        """One sentence for people: the band, and what is wrong with it."""
        return f"band {self.band}: {self.problem}"

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class BandFacts:
    """What one band is. ``resolution`` is in units of the CRS; ``transform`` is (a, b, c, d, e, f)."""

    role: Role
    name: str
    sha256: str
    dtype: str
    width: int
    height: int
    resolution: tuple[float, float]
    crs: str
    transform: tuple[float, float, float, float, float, float]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top, in units of the CRS."""
        a, _, left, _, e, top = self.transform
        return left, top + e * self.height, left + a * self.width, top


def needed_bands(sensor: Sensor) -> dict[Role, str]:
    """The band that plays each role, in stacking order; other bands of a scene are not looked at."""
    return {role: sensor.bands[role] for role in ROLES}


def validate_scene(
    bands: Mapping[str, Path], sensor: Sensor, *, sha256: Mapping[str, str] | None = None
) -> tuple[BandFacts, ...]:
    """Return the facts of every needed band, in stacking order, or raise RejectedScene.

    ``bands`` gives the local file of each band by the sensor's name of it; ``sha256`` the hex digest that
    a band must have, where its sender told one. Guaranteed of what is returned: each file is a whole
    single-band JPEG 2000 or GeoTIFF (told by its content, whatever its name), of the sensor's data type,
    north-up in the one projection that all share, not zero everywhere, and covers the red band.

    Damage inside a JPEG 2000 tile that leaves the structure intact is found only if ``sha256`` is given.
    """
    needed = needed_bands(sensor)
    for role, name in needed.items():
        if name not in bands:
            raise RejectedScene(name, f"is missing; {sensor.title} needs it as {role}")
    expected = sha256 or {}
    facts = tuple(_inspect(role, name, bands[name], sensor, expected.get(name)) for role, name in needed.items())
    _compare(facts)
    return facts


def _inspect(role: Role, name: str, path: Path, sensor: Sensor, expected: str | None) -> BandFacts:
    if not path.is_file() or path.stat().st_size == 0:
        raise RejectedScene(name, "is an empty file" if path.is_file() else "its file does not exist")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and digest != expected.lower():
        raise RejectedScene(name, f"has sha256 {digest}, but its sender told {expected.lower()}")
    try:
        with rasterio.open(path, driver=_driver(name, path)) as source:
            _check_header(name, source, sensor)
            _check_pixels(name, source, path)
            return _facts(role, name, digest, source)
    except RasterioError as error:
        raise RejectedScene(name, f"cannot be read: {error}") from error


def _driver(name: str, path: Path) -> str:
    """The GDAL driver for a file, told from its first bytes.

    Only formats that hold their own pixels: a VRT, say, names further files or addresses to be read.
    """
    with path.open("rb") as file:
        start = file.read(12)
    if is_jpeg2000(start):
        return _JPEG2000
    if start.startswith(_TIFF):
        return "GTiff"
    raise RejectedScene(name, "is neither JPEG 2000 nor GeoTIFF")


def _check_header(name: str, source: DatasetReader, sensor: Sensor) -> None:
    transform = source.transform
    if source.count != 1:
        raise RejectedScene(name, f"holds {source.count} bands instead of one")
    if source.dtypes[0] != sensor.dtype:
        raise RejectedScene(name, f"is {source.dtypes[0]}; {sensor.title} has {sensor.dtype}")
    if source.crs is None:
        raise RejectedScene(name, "has no coordinate reference system")
    if transform.b != 0 or transform.d != 0 or transform.a <= 0 or transform.e >= 0:
        raise RejectedScene(name, "is not north-up: its grid is rotated, flipped or missing")


def _check_pixels(name: str, source: DatasetReader, path: Path) -> None:
    if source.driver == _JPEG2000:
        try:
            check_structure(path)
        except BrokenFileError as error:
            raise RejectedScene(name, f"is truncated or damaged: {error}") from error
        empty = _jpeg2000_is_empty(source)
    else:
        empty = _geotiff_is_empty(source)
    if empty:
        raise RejectedScene(name, "is zero everywhere")


def _jpeg2000_is_empty(source: DatasetReader) -> bool:
    # Read block by block: it ends at the first sign of life, and only so does a damaged block raise.
    return not any(source.read(1, window=window).any() for _, window in source.block_windows(1))


def _geotiff_is_empty(source: DatasetReader) -> bool:
    # Read to the end, whatever was found: only the reading tells that a GeoTIFF is truncated.
    rows = max(1, _SLAB_PIXELS // source.width)
    slabs = [(top, min(top + rows, source.height)) for top in range(0, source.height, rows)]
    alive = [bool(source.read(1, window=(slab, (0, source.width))).any()) for slab in slabs]
    return not any(alive)


def _facts(role: Role, name: str, digest: str, source: DatasetReader) -> BandFacts:
    a, b, c, d, e, f = source.transform[:6]
    return BandFacts(
        role=role,
        name=name,
        sha256=digest,
        dtype=source.dtypes[0],
        width=source.width,
        height=source.height,
        resolution=(a, -e),
        crs=source.crs.to_string(),
        transform=(a, b, c, d, e, f),
    )


def _compare(facts: tuple[BandFacts, ...]) -> None:
    """The bands must share one projection, and each must cover the red one but for a pixel of its own."""
    red = next(band for band in facts if band.role == "red")
    for band in facts:
        if band.crs != red.crs:
            raise RejectedScene(band.name, f"mixed projections: {band.crs} here, {red.crs} in {red.name}")
        if not _covers(band, red):
            raise RejectedScene(band.name, f"does not cover {red.name}: {band.bounds} against {red.bounds}")


def _covers(band: BandFacts, other: BandFacts) -> bool:
    left, bottom, right, top = band.bounds
    width, height = band.resolution
    return (
        left - width <= other.bounds[0]
        and bottom - height <= other.bounds[1]
        and right + width >= other.bounds[2]
        and top + height >= other.bounds[3]
    )
