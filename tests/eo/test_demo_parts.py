"""The parts of the demonstration that need no service: how it counts, what it finds, and when a product is none."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from catalogue.check import check_item
from catalogue.item import ITEM, PRODUCT, QUICKLOOK, Origin, build_item
from cog.write import write_cog
from farandole.fold import StepCount
from ingest.events import SceneReceived
from scripts.demo.check import problems
from scripts.demo.scene import find_scene
from scripts.demo.view import Pace, Row, row_of, told
from tests.support.plain_chain import demo_scene


def count(
    *, waiting: int = 0, retrying: int = 0, dead: int = 0, held: int = 0, completed: int = 0, gathering: int = 0
) -> StepCount:
    return StepCount(waiting, retrying, 0, dead, held, completed, 0, 0, gathering, completed, 0.0, 0.0)


def test_the_scene_of_the_demonstration_is_the_one_that_tests_know() -> None:
    """Found without importing the package that holds it; its event is one that ingest accepts."""
    found, known = find_scene(), demo_scene()
    event = SceneReceived(**found.data)
    assert (event.scene_id, event.acquired) == (known.scene_id, known.acquired)
    assert event.bands == {name: path.resolve().as_uri() for name, path in known.bands.items()}
    assert all(Path(uri.removeprefix("file://")).is_relative_to(found.folder) for uri in event.bands.values())


def test_a_step_runs_as_much_of_what_it_owes_as_it_takes_at_once() -> None:
    """The rest waits, and so does what is to be tried again."""
    assert row_of("s", count(waiting=18), Pace(4)) == Row("s", waiting=14, running=4, done=0, failed=0)
    assert row_of("s", count(waiting=2, retrying=1, completed=5, dead=1), Pace(4)) == Row("s", 1, 2, 5, 1)


def test_a_group_that_gathers_is_one_delivery_that_waits_until_all_its_members_came() -> None:
    """From the first member on its way to the last; then it runs, then it is done."""
    gathers = Pace(2, gathers=True)
    on_the_way = [count(waiting=1), count(waiting=3, held=1, gathering=1), count(held=17, gathering=1)]
    assert [row_of("s", found, gathers) for found in on_the_way] == [Row("s", 1, 0, 0, 0)] * 3
    assert row_of("s", count(waiting=1, held=18), gathers) == Row("s", 0, 1, 0, 0)
    assert row_of("s", count(completed=1, held=18), gathers) == Row("s", 0, 0, 1, 0)


def test_a_line_of_progress_names_only_what_is_left_or_failed() -> None:
    """It must stay readable with many steps."""
    rows = [Row("a/b", 0, 0, 3, 0), Row("c/d", 2, 1, 4, 0), Row("e/f", 0, 0, 0, 1)]
    assert told(rows) == "7 done; c/d 2 waiting, 1 running; e/f 1 failed"


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder as the catalogue would make it."""
    pixels = np.random.default_rng(8).integers(1, 4, (2, 600, 700), dtype=np.int16)
    place = {"crs": "EPSG:32633", "transform": from_origin(330000, 5822040, 10, 10), "nodata": -32768}
    profile = {"driver": "GTiff", "width": 700, "height": 600, "count": 2, "dtype": "int16"}
    with rasterio.open(tmp_path / "plain.tif", "w", **profile, **place) as target:
        target.write(pixels)
        target.descriptions = ("class", "ndvi")
    folder = tmp_path / "product"
    folder.mkdir()
    write_cog(tmp_path / "plain.tif", folder / PRODUCT)
    Image.new("RGB", (7, 6)).save(folder / QUICKLOOK)
    origin = Origin(demo_scene().acquired, "s", "a", "https://example.org")
    text = check_item(build_item("s-1", folder / PRODUCT, folder / QUICKLOOK, origin=origin))
    (folder / ITEM).write_text(text)
    return folder


def test_a_whole_product_has_no_problems(product: Path) -> None:
    """As the catalogue makes it."""
    assert list(problems(product)) == []


def test_a_missing_file_is_named(product: Path) -> None:
    """Nothing else can be said then."""
    (product / ITEM).unlink()
    assert list(problems(product)) == ["item.json: not there"]


def test_a_geotiff_that_is_not_cloud_optimised_is_found_out(product: Path) -> None:
    """By the file itself, and because it is not the one that the item describes."""
    (product.parent / "plain.tif").replace(product / PRODUCT)
    found = list(problems(product))
    assert any(problem.startswith("product.tif: ") and "overviews" in problem for problem in found)
    assert "item.json: the checksum of asset product is not that of ./product.tif" in found


def test_a_broken_picture_is_found_out(product: Path) -> None:
    """Cut short, as by a full disk."""
    whole = (product / QUICKLOOK).read_bytes()
    (product / QUICKLOOK).write_bytes(whole[:40])
    assert any(problem.startswith("quicklook.png: ") for problem in problems(product))


@pytest.mark.parametrize("break_it", ["{", "[]", "{}", "without a time"])
def test_an_item_that_is_no_valid_stac_is_found_out(product: Path, break_it: str) -> None:
    """No JSON, another thing, nothing, or one field short."""
    item = json.loads((product / ITEM).read_text())
    del item["properties"]["datetime"]
    (product / ITEM).write_text(json.dumps(item) if break_it == "without a time" else break_it)
    assert any(problem.startswith("item.json: ") for problem in problems(product))
