"""A part of the real scene, so that services are killed while many scenes are processed rather than a few."""

from dataclasses import replace
from pathlib import Path

import rasterio
from rasterio.windows import Window

from tests.support.plain_chain import Scene, demo_scene

WIDTH, HEIGHT = 768, 384  # of the 10 m bands; six tiles


def crop(folder: Path) -> Scene:
    """The upper left of every band, at its own resolution, as GeoTIFFs in `folder`."""
    scene = demo_scene()
    folder.mkdir()
    finest = min(_resolution(path) for path in scene.bands.values())
    bands = {name: _cut(path, folder / f"{name}.tif", finest) for name, path in scene.bands.items()}
    return replace(scene, bands=bands)


def _resolution(path: Path) -> float:
    with rasterio.open(path) as source:
        return float(source.transform.a)


def _cut(path: Path, out: Path, finest: float) -> Path:
    with rasterio.open(path) as source:
        share = finest / source.transform.a
        window = Window(0, 0, round(WIDTH * share), round(HEIGHT * share))
        profile = source.profile | {
            "driver": "GTiff",
            "width": window.width,
            "height": window.height,
            "transform": source.window_transform(window),
            "tiled": False,
        }
        for option in ("blockxsize", "blockysize", "QUALITY", "REVERSIBLE", "YCBCR420"):
            profile.pop(option, None)
        with rasterio.open(out, "w", **profile) as target:
            target.write(source.read(window=window))
    return out
