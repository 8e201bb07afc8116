"""Cuts tiles out of a stacked scene. It changes no pixel."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tiling.windows import Box, Tile


def extract_tiles(stack: Path, tiles: Iterable[Tile], out_dir: Path, *, names: Sequence[str]) -> list[Path]:
    """Write each tile's outer window as a GeoTIFF of its own, and return the paths in the order of ``tiles``.

    ``names`` are the roles of the stack's bands; later steps find a band by its name, not by its place.
    Georeference and counts are those of the stack. Raises ValueError where names and bands differ in number,
    or a tile does not lie within the stack.
    """
    with rasterio.open(stack) as source:
        if len(names) != source.count:
            raise ValueError(f"{len(names)} names for the {source.count} bands of the stack")
        return [_extract(source, tile, out_dir / f"tile-{tile.index:05}.tif", names) for tile in tiles]


def _extract(source: DatasetReader, tile: Tile, out: Path, names: Sequence[str]) -> Path:
    box = tile.outer
    if not _within(box, source.width, source.height):
        raise ValueError(f"tile {tile.index} does not lie within the stack")
    window = Window(box.col_off, box.row_off, box.width, box.height)
    profile = {
        "driver": "GTiff",
        "width": box.width,
        "height": box.height,
        "count": source.count,
        "dtype": source.dtypes[0],
        "crs": source.crs,
        "transform": source.window_transform(window),
        "interleave": "band",
        "blockysize": box.height,
    }
    with rasterio.open(out, "w", **profile) as target:
        target.write(source.read(window=window))
        target.descriptions = tuple(names)
    return out


def _within(box: Box, width: int, height: int) -> bool:
    inside = box.col_off >= 0 and box.row_off >= 0
    return inside and box.col_off + box.width <= width and box.row_off + box.height <= height
