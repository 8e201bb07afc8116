"""The command lines that bring bands onto one grid, for GDAL's programs and for rio. It runs none of them.

Resampling is nearest neighbour, in both ways: it invents no reflectance, lets nodata keep its edge, and
picks the same source pixel in every version of GDAL, so that both ways give equal pixels. The 20 m and 60 m
bands of Sentinel-2 therefore appear as blocks of 2x2 and 6x6 pixels. A band that lies on the grid already is
not warped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

Command = tuple[str, ...]

RESAMPLING = "nearest"

# Blocks as large as a tile, band by band, uncompressed: written once, read once, and soon forgotten.
_LAYOUT = {
    "TILED": "YES",
    "BLOCKXSIZE": "256",
    "BLOCKYSIZE": "256",
    "INTERLEAVE": "BAND",
    "BIGTIFF": "IF_SAFER",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """A north-up grid: size in pixels, and the affine transform (a, b, c, d, e, f)."""

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top, in units of the CRS."""
        a, _, left, _, e, top = self.transform
        return left, top + e * self.height, left + a * self.width, top


@dataclass(frozen=True, slots=True)
class Band:
    """A band's file, and whether it lies on the grid already."""

    path: Path
    aligned: bool


def gdal_commands(bands: Sequence[Band], grid: Grid, out: Path, *, workdir: Path, nodata: int) -> list[Command]:
    """Warp what is off the grid, put all into one VRT in the order given, and write that as a GeoTIFF."""
    extent = tuple(repr(value) for value in grid.extent)
    size = (str(grid.width), str(grid.height))
    commands: list[Command] = []
    sources: list[str] = []
    for number, band in enumerate(bands):
        source = str(band.path)
        if not band.aligned:
            source = str(workdir / f"warped-{number}.tif")
            onto = ("-te", *extent, "-ts", *size, "-r", "near")
            blank = ("-srcnodata", str(nodata), "-dstnodata", str(nodata))
            commands.append(("gdalwarp", "-q", "-overwrite", *onto, *blank, str(band.path), source))
        sources.append(source)
    vrt = str(workdir / "stack.vrt")
    commands.append(("gdalbuildvrt", "-q", "-overwrite", "-separate", vrt, *sources))
    layout = _options("-co", _LAYOUT.items())
    commands.append(("gdal_translate", "-q", "-a_nodata", str(nodata), *layout, vrt, str(out)))
    return commands


def rio_commands(
    bands: Sequence[Band], like: Path, out: Path, *, workdir: Path, nodata: int, rio: str
) -> list[Command]:
    """The same with rasterio's command line: warp what is off the grid of ``like``, then stack all.

    One thread each: with several, GDAL passes over a damaged JPEG 2000 block without an error.
    """
    program = ("env", "GDAL_NUM_THREADS=1", rio)
    commands: list[Command] = []
    sources: list[str] = []
    for number, band in enumerate(bands):
        source = str(band.path)
        if not band.aligned:
            source = str(workdir / f"warped-{number}.tif")
            onto = ("--like", str(like), "--resampling", RESAMPLING)
            blank = ("--src-nodata", str(nodata), "--dst-nodata", str(nodata))
            files = (str(band.path), source)
            commands.append((*program, "warp", *files, *onto, *blank, "--overwrite", "--format", "GTiff"))
        sources.append(source)
    layout = _options("--co", _LAYOUT.items())
    commands.append((*program, "stack", *sources, str(out), "--overwrite", "--format", "GTiff", *layout))
    return commands


def _options(flag: str, options: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(part for name, value in options for part in (flag, f"{name}={value}"))
