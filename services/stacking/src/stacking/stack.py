"""Brings a scene's bands onto the red band's grid, in one GeoTIFF, through external programs.

It reads headers only. Who runs the programs, kills them in time and turns an exit code into an error is told
by the caller's ``run``.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import rasterio

from stacking.commands import Band, Command, Grid, gdal_commands, rio_commands

Run = Callable[..., object]
"""Called as ``run(program, *arguments)``; must raise where the program's exit code is not 0."""

Programs = Literal["gdal", "rio"]

GDAL_PROGRAMS = ("gdalwarp", "gdalbuildvrt", "gdal_translate")


class StackError(Exception):
    """No stack came out: the programs are missing, or what they wrote is not what was asked for."""


def choose_programs() -> Programs:
    """GDAL's own programs where all of them are installed (about four times as fast), else rio."""
    return "gdal" if all(shutil.which(program) for program in GDAL_PROGRAMS) else "rio"


def find_rio() -> str:
    """Where rasterio's command line is: on the path, or beside this Python. Raises StackError if nowhere."""
    beside = Path(sys.executable).with_name("rio")
    found = shutil.which("rio") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise StackError("neither GDAL's programs nor rio are installed")
    return found


def stack_bands(bands: Sequence[Path], like: Path, out: Path, *, workdir: Path, nodata: int, run: Run) -> Grid:
    """Write ``bands``, in that order, onto the grid of ``like`` as the GeoTIFF ``out``; return that grid.

    ``workdir`` takes what is needed on the way. GDAL's programs and rio give the same pixels; only the former
    note ``nodata`` in the file. Raises StackError, or what ``run`` raises.
    """
    return stack_with(choose_programs(), bands, like, out, workdir=workdir, nodata=nodata, run=run)


def stack_with(  # noqa: PLR0913  # the choice, beside what stack_bands takes
    programs: Programs, bands: Sequence[Path], like: Path, out: Path, *, workdir: Path, nodata: int, run: Run
) -> Grid:
    """Do what ``stack_bands`` does, with the programs given."""
    grid = grid_of(like)
    parts = [Band(path, aligned=grid_of(path) == grid) for path in bands]
    commands: list[Command]
    if programs == "gdal":
        commands = gdal_commands(parts, grid, out, workdir=workdir, nodata=nodata)
    else:
        commands = rio_commands(parts, like, out, workdir=workdir, nodata=nodata, rio=find_rio())
    for command in commands:
        run(*command)
    _check(out, grid, len(bands))
    return grid


def grid_of(path: Path) -> Grid:
    """The grid of a raster, from its header."""
    with rasterio.open(path) as source:
        a, b, c, d, e, f = source.transform[:6]
        return Grid(source.width, source.height, (a, b, c, d, e, f))


def _check(out: Path, grid: Grid, count: int) -> None:
    if not out.is_file():
        raise StackError("the programs ended well, but wrote no stack")
    if grid_of(out) != grid:
        raise StackError(f"the stack's grid is {grid_of(out)} instead of {grid}")
    with rasterio.open(out) as source:
        if source.count != count:
            raise StackError(f"the stack holds {source.count} bands instead of {count}")
