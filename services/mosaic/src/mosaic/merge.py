"""Lays the tiles of a scene together again. It changes no pixel, and invents none for a missing tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.merge import merge

_CHUNK_MEGABYTES = 256


@dataclass(frozen=True, slots=True)
class SceneGrid:
    """The grid of the whole scene, north-up: size in pixels, and the affine transform (a, b, c, d, e, f)."""

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top, in units of the CRS."""
        a, _, left, _, e, top = self.transform
        return left, top + e * self.height, left + a * self.width, top


def merge_tiles(
    tiles: Mapping[int, Path], grid: SceneGrid, out: Path, *, count: int, missing: Sequence[int] = ()
) -> Path:
    """Write the tiles, given by index, as one GeoTIFF on the scene's grid.

    The scene was cut into ``count`` tiles. Those listed in ``missing`` are known not to come: their area
    stays nodata. Raises ValueError unless each of the ``count`` indices is either given or listed, and at
    least one is given: a tile that is simply not there must not pass for one without data.
    """
    absent = sorted(set(range(count)) - set(tiles) - set(missing))
    if absent or len(tiles) + len(missing) != count:
        raise ValueError(f"{len(tiles)} tiles and {len(missing)} missing ones are not {count}; no word of {absent}")
    if not tiles:
        raise ValueError(f"none of the {count} tiles is there")
    paths = [tiles[index] for index in sorted(tiles)]
    with rasterio.open(paths[0]) as first:
        profile = _profile(first.profile, grid)
        descriptions, scales = first.descriptions, first.scales
    with rasterio.open(out, "w", **profile) as target:
        target.descriptions = descriptions
        target.scales = scales
        resolution = (grid.transform[0], -grid.transform[4])
        merge(paths, bounds=grid.bounds, res=resolution, dst_path=target, mem_limit=_CHUNK_MEGABYTES)
    return out


def _profile(tile: Mapping[str, object], grid: SceneGrid) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": tile["count"],
        "dtype": tile["dtype"],
        "nodata": tile["nodata"],
        "crs": tile["crs"],
        "transform": rasterio.Affine(*grid.transform),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
