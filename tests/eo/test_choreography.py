"""The ten services together, on the memory engine: what the plain chain makes, they make, whatever befalls them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio

from catalogue.events import ProductCatalogued
from catalogue.item import ITEM, PRODUCT, QUICKLOOK, Interval
from catalogue.steps import CatalogueSettings
from cog.write import check_cog
from farandole.client import Published
from farandole.testing import Faults, Rehearsal
from indices.product import MISSING
from ingest.events import SceneReceived, SceneRejected
from ingest.sensors import Sensor
from masking.mask import mask_tile
from tests.support import earth
from tests.support.landsat import TILES, check_surfaces, write_landsat
from tests.support.plain_chain import PlainRun, Scene, demo_scene, run_chain

pytestmark = pytest.mark.slow

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
FILES = (PRODUCT, QUICKLOOK, ITEM)


@dataclass(frozen=True)
class Stage:
    """A rehearsal of all services, and where their products stand."""

    rehearsal: Rehearsal
    shelf: Path

    def perform(self, event: SceneReceived, *, id: str | None = None) -> Published:
        """Publish, and run until nothing moves any more."""
        published = self.rehearsal.publish(event, id=id)
        self.rehearsal.settle()
        return published


def stage(folder: Path, inputs: Path, *, seed: int = 0, faults: Faults | None = None) -> Stage:
    """Not begun yet; `file:` URIs may name what lies below `inputs`."""
    shelf = folder / "products"
    rehearsal = Rehearsal(
        *earth.services(),
        seed=seed,
        faults=faults,
        tools=earth.tools(folder, [inputs]),
        replaced={"CatalogueSettings": CatalogueSettings(shelf=shelf)},
    )
    return Stage(rehearsal, shelf)


@dataclass(frozen=True)
class Performed:
    """The real scene, once through the chain."""

    stage: Stage
    published: Published


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performed]:
    """Sentinel-2, west of Berlin."""
    scene, folder = demo_scene(), tmp_path_factory.mktemp("real")
    performance = stage(folder, scene.bands["B04"].parent)
    with performance.rehearsal:
        yield Performed(performance, performance.perform(earth.received(scene)))


@pytest.fixture(scope="module")
def landsat(sensors: dict[str, Sensor], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A small synthetic scene of known reflectance, without a date."""
    folder = tmp_path_factory.mktemp("landsat")
    bands = write_landsat(folder, sensors["landsat-8-l1"], 38.5)
    return Scene("LC08", bands, Interval(sensors["landsat-8-l1"].not_before(), RECEIVED), 38.5)


@pytest.fixture(scope="module")
def landsat_plain(sensors: dict[str, Sensor], landsat: Scene, tmp_path_factory: pytest.TempPathFactory) -> PlainRun:
    return run_chain(landsat, sensors["landsat-8-l1"], tmp_path_factory.mktemp("plain"), tiled=True)


def inputs_of(scene: Scene) -> Path:
    return next(iter(scene.bands.values())).parent


def landsat_received(scene: Scene, **changes: Any) -> SceneReceived:
    return earth.received(scene, "landsat-8-l1", at=RECEIVED).model_copy(update=changes)


def pixels_of(path: Path) -> npt.NDArray[np.int16]:
    with rasterio.open(path) as source:
        pixels: npt.NDArray[np.int16] = source.read()
    return pixels


def description(folder: Path) -> str:
    return str(json.loads((folder / ITEM).read_text())["properties"]["description"])


def totals(found: Counter[tuple[str, str, str]]) -> Counter[tuple[str, str]]:
    """By step and fact; each delivery must have ended once."""
    assert set(found.values()) == {1}
    return Counter((step, fact) for step, _, fact in found)


def test_ten_services_make_the_very_product_of_one_plain_loop(real: Performed, tiled: PlainRun) -> None:
    """0 differing pixels; picture and item are the same bytes, too."""
    folder = real.stage.shelf / "T33UUU_20170216T102101"
    assert (pixels_of(folder / PRODUCT) != pixels_of(tiled.product)).sum() == 0
    for name in FILES:
        assert (folder / name).read_bytes() == (tiled.folder / name).read_bytes()
    check_cog(folder / PRODUCT)
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_every_delivery_of_a_scene_ends_exactly_once_and_nothing_is_left(real: Performed) -> None:
    """18 tiles; counted from the journal's facts, and so does the fold see it."""
    rehearsal = real.stage.rehearsal
    assert totals(earth.endings(rehearsal.facts())) == earth.expected_endings(tiles=18)
    state = rehearsal.status(real.published)
    assert (state.status, state.left, state.moves) == ("complete", (), False)
    assert len(rehearsal.events("tile.indexed")) == 18
    assert [event.missing for event in rehearsal.events(ProductCatalogued)] == [[]]


def test_events_name_content_and_never_a_place(real: Performed) -> None:
    """But for the one that came from outside, no event holds a path; none is larger than a few kilobytes."""
    found = real.stage.rehearsal.history().events
    published = [one for topic, records in found.items() if topic != "scene.received" for one in records]
    assert len(published) > 70
    for one in published:
        text = (one.record.value or b"").decode()
        assert "file:" not in text
        assert str(real.stage.shelf.parent) not in text
        assert len(text) < 4096


def test_the_same_scene_again_is_a_workflow_of_its_own_with_the_same_product(landsat: Scene, tmp_path: Path) -> None:
    """Another id starts another dance; the same id starts none."""
    performance = stage(tmp_path, inputs_of(landsat))
    with performance.rehearsal as r:
        first = performance.perform(landsat_received(landsat), id="one")
        folder = (performance.shelf / "LC08").resolve()
        second = performance.perform(landsat_received(landsat), id="two")
        assert performance.perform(landsat_received(landsat), id="one").place == first.place
        assert first.workflow != second.workflow
        assert {r.status(done).status for done in (first, second)} == {"complete"}
        once = earth.expected_endings(TILES)
        assert totals(earth.endings(r.facts())) == once + once
        assert (performance.shelf / "LC08").resolve() == folder


def test_landsat_8_without_a_date_keeps_its_reflectance_and_makes_up_no_time(
    landsat: Scene, landsat_plain: PlainRun, tmp_path: Path
) -> None:
    """From counts of known reflectance to a product of it, dated by bounds."""
    performance = stage(tmp_path, inputs_of(landsat))
    with performance.rehearsal:
        performance.perform(landsat_received(landsat))
    folder = performance.shelf / "LC08"
    check_surfaces(pixels_of(folder / PRODUCT))
    assert (pixels_of(folder / PRODUCT) != pixels_of(landsat_plain.product)).sum() == 0
    properties = json.loads((folder / ITEM).read_text())["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2013-02-11T00:00:00Z"
    assert properties["end_datetime"] == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_crashes_duplicates_and_delays_change_no_pixel(
    landsat: Scene, landsat_plain: PlainRun, tmp_path: Path, seed: int
) -> None:
    """The real work, not a stub of it, while services die and come back."""
    performance = stage(tmp_path, inputs_of(landsat), seed=seed, faults=Faults())
    with performance.rehearsal as r:
        published = performance.perform(landsat_received(landsat))
        assert r.status(published).status == "complete"
        assert totals(earth.endings(f for f in r.facts() if f.fact != "retrying")) == earth.expected_endings(TILES)
    for name in FILES:
        assert (performance.shelf / "LC08" / name).read_bytes() == (landsat_plain.folder / name).read_bytes()


# -- refusals -------------------------------------------------------------------------------------------------


def cut_in_half(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def blank(path: Path) -> None:
    with rasterio.open(path, "r+") as target:
        target.write(np.zeros((1, *target.shape), dtype=target.dtypes[0]))


def move_to_another_zone(path: Path) -> None:
    with rasterio.open(path, "r+") as target:
        target.crs = "EPSG:32632"


SPOILT = {
    "band B5: cannot be read": cut_in_half,
    "band B5: is zero everywhere": blank,
    "band B5: mixed projections: EPSG:32632 here, EPSG:32633 in B4": move_to_another_zone,
}


@pytest.mark.parametrize("reason", SPOILT)
def test_a_spoilt_band_ends_the_scene_with_the_reason(sensors: dict[str, Sensor], tmp_path: Path, reason: str) -> None:
    """A refusal is an event: the workflow is complete, nothing went further, and nobody was alarmed."""
    (tmp_path / "in").mkdir()
    bands = write_landsat(tmp_path / "in", sensors["landsat-8-l1"], None)
    SPOILT[reason](bands["B5"])
    check_rejected(landsat_received(Scene("LC08", bands, RECEIVED)), tmp_path, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sensor": "landsat-7"}, "sensor 'landsat-7' is not declared"),
        ({"sun_elevation": -4.0}, "a sun elevation of -4.0 degrees is not within (0, 90]"),
        ({"received": None}, "neither the time of acquisition nor that of receipt is known"),
        ({"sha256": {"B4": "0" * 64}}, "band B4: has sha256"),
        ({"bands": {}}, "band B2: is missing"),
    ],
)
def test_a_scene_that_cannot_be_what_it_says_ends_with_the_reason(
    landsat: Scene, tmp_path: Path, changes: Mapping[str, Any], reason: str
) -> None:
    """Whatever of it is wrong."""
    check_rejected(landsat_received(landsat, **changes), tmp_path, reason, inputs=inputs_of(landsat))


def check_rejected(event: SceneReceived, folder: Path, reason: str, *, inputs: Path | None = None) -> None:
    performance = stage(folder, inputs or folder / "in")
    with performance.rehearsal as r:
        published = performance.perform(event)
        (rejected,) = r.events(SceneRejected)
        assert rejected.reason.startswith(reason)
        assert rejected.scene_id == event.scene_id
        assert totals(earth.endings(r.facts())) == Counter({("ingest/validate", "completed"): 1})
        state = r.status(published)
        assert (state.status, state.left) == ("complete", ())
    assert not performance.shelf.exists()


def test_a_uri_that_may_not_be_read_is_a_dead_letter_at_once(landsat: Scene, tmp_path: Path) -> None:
    """No retry would help, and the event of a scene that was refused would hide it."""
    performance = stage(tmp_path, inputs_of(landsat))
    bands = {name: path.as_uri() for name, path in landsat.bands.items()} | {"B5": "file:///etc/passwd"}
    with performance.rehearsal as r:
        published = performance.perform(landsat_received(landsat, bands=bands))
        assert r.status(published).status == "dead"
        (letter,) = r.dead_letters()
        assert (letter.step, letter.reason, letter.attempt) == ("ingest/validate", "terminal", 1)
        assert "/etc/passwd" in letter.error
        assert totals(earth.endings(r.facts())) == Counter({("ingest/validate", "dead"): 1})


# -- a tile that fails ----------------------------------------------------------------------------------------


@dataclass
class Failing:
    """Masks every tile but one, until it is mended."""

    image: bytes = b""
    mended: bool = False

    def __call__(self, tile: Path, out: Path, *, halo: int) -> Path:
        content = tile.read_bytes()
        self.image = self.image or content
        if content == self.image and not self.mended:
            raise ValueError("this tile cannot be masked")
        return mask_tile(tile, out, halo=halo)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """The first tile that comes is the one that fails."""
    fault = Failing()
    monkeypatch.setattr("masking.steps.mask_tile", fault)
    return fault


def test_a_tile_that_is_set_aside_holds_its_scene_which_a_redrive_completes(
    landsat: Scene, landsat_plain: PlainRun, tmp_path: Path, failing: Failing
) -> None:
    """The scene waits, naming the tile; then its product is that of a run without a fault."""
    performance = stage(tmp_path, inputs_of(landsat))
    with performance.rehearsal as r:
        published = performance.perform(landsat_received(landsat))
        state = r.status(published)
        assert (state.status, state.moves) == ("dead", False)
        (group,) = [left for left in state.left if left.kind == "group"]
        assert (group.step, group.missing) == ("mosaic/merge", 1)
        assert [end.step for end in group.members[0].ends] == ["masking/mask"]
        assert not performance.shelf.exists()
        failing.mended = True
        r.redrive()
        r.settle()
        assert r.status(published).status == "complete"
    for name in FILES:
        assert (performance.shelf / "LC08" / name).read_bytes() == (landsat_plain.folder / name).read_bytes()


def test_a_tile_that_is_let_go_leaves_a_gap_that_product_and_item_tell_of(
    landsat: Scene, landsat_plain: PlainRun, tmp_path: Path, failing: Failing
) -> None:
    """A missing tile never passes for success: its area is without data, and the item names it."""
    performance = stage(tmp_path, inputs_of(landsat))
    with performance.rehearsal as r:
        published = performance.perform(landsat_received(landsat))
        assert failing.image
        r.discard()
        r.settle()
        assert r.status(published).status == "complete"
        (catalogued,) = r.events(ProductCatalogued)
    (gap,) = catalogued.missing
    folder = performance.shelf / "LC08"
    assert f"1 of 6 tiles are missing ({gap})" in description(folder)
    assert "missing" not in description(landsat_plain.folder)
    found, whole = pixels_of(folder / PRODUCT), pixels_of(landsat_plain.product)
    top, left = (gap // 3) * 256, (gap % 3) * 256
    assert (found[:, top : top + 256, left : left + 256] == MISSING).all()
    found[:, top : top + 256, left : left + 256] = whole[:, top : top + 256, left : left + 256]
    assert (found != whole).sum() == 0
