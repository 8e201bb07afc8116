"""The chain of plain functions on the real scene, and on one whose reflectance is known."""

import json
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from PIL import Image
from rasterio.features import rasterize

from catalogue.item import CLASSES, ITEM, PRODUCT, QUICKLOOK, Interval
from cog.write import check_cog
from indices.indices import CLOUD, NODATA, OTHER, VEGETATION, WATER
from indices.product import BANDS
from ingest.sensors import ROLES, Sensor
from ingest.validation import RejectedScene, validate_scene
from masking.mask import Rules
from quicklook.render import COLOURS
from stacking.stack import GDAL_PROGRAMS, Programs, stack_with
from tests.support.landsat import TILES, check_surfaces, write_landsat
from tests.support.plain_chain import PlainRun, Scene, demo_scene, run_chain, run_program
from tiling.windows import HALO

pytestmark = pytest.mark.slow

POLYGONS = "gis_osm_landuse-water_a_free_1_area-10000-to-500000.gpkg"

Pixels = npt.NDArray[np.int16]


@pytest.fixture(scope="module")
def untiled(sensors: dict[str, Sensor], tmp_path_factory: pytest.TempPathFactory) -> PlainRun:
    """The same in a single window over everything."""
    return run_chain(demo_scene(), sensors["sentinel-2-l1c"], tmp_path_factory.mktemp("untiled"), tiled=False)


def bands_of(path: Path) -> Pixels:
    with rasterio.open(path) as source:
        pixels: Pixels = source.read()
    return pixels


def test_tiling_changes_no_pixel_of_the_product(tiled: PlainRun, untiled: PlainRun) -> None:
    """18 windows against one: 0 differing pixels in every band, and all four classes occur."""
    assert (tiled.tiles, untiled.tiles) == (18, 1)
    parts, whole = bands_of(tiled.product), bands_of(untiled.product)
    assert parts.shape == whole.shape == (6, 768, 1536)
    assert (parts != whole).sum() == 0
    assert set(np.unique(parts[0])) == {WATER, VEGETATION, OTHER, CLOUD}


def test_the_same_scene_gives_the_same_bytes_tiled_or_not(tiled: PlainRun, untiled: PlainRun) -> None:
    """Product, picture and item: no time, path or order of work is left in them."""
    for name in (PRODUCT, QUICKLOOK, ITEM):
        assert (tiled.folder / name).read_bytes() == (untiled.folder / name).read_bytes()


def test_the_product_is_what_its_item_says(tiled: PlainRun) -> None:
    """A valid COG and picture beside a valid item, dated by the scene."""
    assert {path.name for path in tiled.folder.iterdir()} == {PRODUCT, QUICKLOOK, ITEM}
    check_cog(tiled.product)
    item = json.loads((tiled.folder / ITEM).read_text())
    assert item["properties"]["datetime"] == "2017-02-16T10:21:01Z"
    assert item["properties"]["description"] == "Contains modified Copernicus Sentinel data 2017"
    assert [band["name"] for band in item["assets"]["product"]["bands"]] == list(BANDS)
    with Image.open(tiled.folder / QUICKLOOK) as picture:
        assert picture.size == (2 * 768 + 8, 384)


def test_the_services_agree_on_what_they_cannot_import_from_each_other() -> None:
    """The codes of classes, and a halo that is as wide as the mask reaches."""
    assert f"{WATER} water, {VEGETATION} vegetation, {OTHER} bare or other, {CLOUD} cloud" == CLASSES
    assert sorted(COLOURS) == [NODATA, WATER, VEGETATION, OTHER, CLOUD]
    assert Rules().reach == HALO


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_real_band_is_refused_by_name(sensors: dict[str, Sensor], tmp_path: Path, share: float) -> None:
    """Rasterio reads such a file as zeros and noise, without any exception."""
    scene = demo_scene()
    whole = scene.bands["B08"].read_bytes()
    (tmp_path / "B08.jp2").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RejectedScene, match=r"band B08: is truncated or damaged"):
        validate_scene({**scene.bands, "B08": tmp_path / "B08.jp2"}, sensors["sentinel-2-l1c"])


def test_a_halo_narrower_than_the_mask_reaches_is_refused(sensors: dict[str, Sensor], tmp_path: Path) -> None:
    """Instead of giving a product that depends on its tiling."""
    with pytest.raises(ValueError, match="reach"):
        run_chain(demo_scene(), sensors["sentinel-2-l1c"], tmp_path, tiled=True, halo=HALO - 1)


def test_water_is_found_where_openstreetmap_has_it_and_not_elsewhere(tiled: PlainRun) -> None:
    """At least 80 % of its water pixels are water here; of its fields, woods and houses at most 10 % are."""
    folder = demo_scene().bands["B04"].parents[1]
    classes = bands_of(tiled.product)[0]
    with rasterio.open(tiled.product) as source:
        lakes = burn(folder / POLYGONS, ["water"], source.transform, source.shape)
        land = burn(folder / POLYGONS, ["farm", "forest", "residential"], source.transform, source.shape)
    assert lakes.sum() > 10_000
    assert (classes[lakes] == WATER).mean() >= 0.80
    assert (classes[land & ~lakes] == WATER).mean() <= 0.10


def test_gdals_programs_and_rio_stack_the_scene_to_equal_pixels(sensors: dict[str, Sensor], tmp_path: Path) -> None:
    """Nearest neighbour on nested grids leaves nothing to differ about."""
    if not all(shutil.which(program) for program in GDAL_PROGRAMS):
        pytest.skip("GDAL's programs are not installed")
    scene, sensor = demo_scene(), sensors["sentinel-2-l1c"]
    inputs = [scene.bands[sensor.bands[role]] for role in ROLES]
    ways: tuple[Programs, ...] = ("gdal", "rio")
    stacks: list[Pixels] = []
    for way in ways:
        work, out = tmp_path / way, tmp_path / f"{way}.tif"
        work.mkdir()
        red = scene.bands[sensor.bands["red"]]
        stack_with(way, inputs, red, out, workdir=work, nodata=0, run=run_program)
        stacks.append(bands_of(out))
    assert stacks[0].shape == (6, 768, 1536)
    assert (stacks[0] != stacks[1]).sum() == 0


@pytest.mark.parametrize("elevation", [38.5, None])
def test_landsat_8_without_a_date_gives_back_the_reflectance_it_was_made_from(
    sensors: dict[str, Sensor], tmp_path: Path, elevation: float | None
) -> None:
    """Four stripes of known surfaces, with and without the sun's elevation, and a corner without data."""
    received = datetime(2026, 1, 2, tzinfo=UTC)
    bounds = Interval(sensors["landsat-8-l1"].not_before(), received)
    scene = Scene("LC08", write_landsat(tmp_path, sensors["landsat-8-l1"], elevation), bounds, elevation)
    run = run_chain(scene, sensors["landsat-8-l1"], tmp_path / "out", tiled=True)
    assert run.tiles == TILES
    check_surfaces(bands_of(run.product))
    properties = json.loads((run.folder / ITEM).read_text())["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2013-02-11T00:00:00Z"
    assert properties["end_datetime"] == "2026-01-02T00:00:00Z"


def burn(
    package: Path, classes: list[str], transform: rasterio.Affine, shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which pixels lie in OpenStreetMap's polygons of these classes (© OpenStreetMap contributors)."""
    polygons = list(read_polygons(package, classes))
    burnt: npt.NDArray[np.uint8] = rasterize(polygons, out_shape=shape, transform=transform, dtype="uint8")
    return burnt.astype(bool)


def read_polygons(package: Path, classes: list[str]) -> Iterator[dict[str, Any]]:
    """GeoJSON geometries of a GeoPackage: each a header (OGC 12-128, 2.1.3), then well-known binary."""
    with sqlite3.connect(f"file:{package}?mode=ro&immutable=1", uri=True) as database:
        (table,) = database.execute("SELECT table_name FROM gpkg_contents").fetchone()
        marks = ",".join("?" * len(classes))
        rows = database.execute(f'SELECT geom FROM "{table}" WHERE fclass IN ({marks})', classes).fetchall()
    database.close()
    for (blob,) in rows:
        envelope = (0, 32, 48, 48, 64)[(blob[3] >> 1) & 7]
        yield parse_geometry(blob, 8 + envelope)[0]


def parse_geometry(blob: bytes, at: int) -> tuple[dict[str, Any], int]:
    """One polygon or multipolygon of well-known binary, and where it ends."""
    order = "<" if blob[at] == 1 else ">"
    kind, count = struct.unpack_from(f"{order}II", blob, at + 1)
    at += 9
    parts: list[Any] = []
    for _ in range(count):
        if kind == 6:
            polygon, at = parse_geometry(blob, at)
            parts.append(polygon["coordinates"])
            continue
        assert kind == 3
        (points,) = struct.unpack_from(f"{order}I", blob, at)
        flat = struct.unpack_from(f"{order}{2 * points}d", blob, at + 4)
        parts.append(list(zip(flat[::2], flat[1::2], strict=True)))
        at += 4 + 16 * points
    return {"type": "MultiPolygon" if kind == 6 else "Polygon", "coordinates": parts}, at
