"""Which windows cover a scene, and how much of its neighbours each one carries. It reads no raster.

**The halo.** A tile is processed alone, yet must come out as if the scene had been processed whole. Of all
steps between cutting and laying together only the cloud mask looks at neighbours: an opening by a square of
radius r followed by a dilation by a square of radius d decides a pixel from pixels at most ``2 * r + d``
away (erosion and dilation of the opening reach r each, the dilation d). With r = 1 and d = 2 that makes 4.
The mask refuses a tile whose halo is narrower than its reach, so the two cannot drift apart unseen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SIZE = 256
HALO = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels, offsets counted from the upper left."""

    col_off: int
    row_off: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: ``core`` is what it answers for, ``outer`` what it is cut out with, both in scene pixels.

    ``inner`` is the core in pixels of the tile's own raster. Cores cover the scene without overlap; the halo
    ends where the scene does.
    """

    index: int
    row: int
    column: int
    core: Box
    outer: Box

    @property
    def inner(self) -> Box:
        """Where the core lies within the raster that was cut out."""
        return Box(
            self.core.col_off - self.outer.col_off,
            self.core.row_off - self.outer.row_off,
            self.core.width,
            self.core.height,
        )


def plan_tiles(width: int, height: int, *, size: int = SIZE, halo: int = HALO) -> list[Tile]:
    """Cover ``width`` x ``height`` pixels, row by row; those at the right and lower edge may be smaller.

    Raises ValueError for a scene, a size or a halo that is none.
    """
    if width < 1 or height < 1 or size < 1 or halo < 0:
        raise ValueError(f"no tiles of {size} pixels with a halo of {halo} cover {width} x {height}")
    tiles: list[Tile] = []
    for row, (top, rows) in enumerate(_spans(height, size)):
        for column, (left, columns) in enumerate(_spans(width, size)):
            core = Box(left, top, columns, rows)
            outer = _grow(core, halo, width, height)
            tiles.append(Tile(len(tiles), row, column, core, outer))
    return tiles


def _spans(length: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(size, length - start)) for start in range(0, length, size))


def _grow(core: Box, halo: int, width: int, height: int) -> Box:
    left, top = max(0, core.col_off - halo), max(0, core.row_off - halo)
    right = min(width, core.col_off + core.width + halo)
    bottom = min(height, core.row_off + core.height + halo)
    return Box(left, top, right - left, bottom - top)
