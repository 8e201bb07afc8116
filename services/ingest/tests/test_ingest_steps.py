"""A received scene ends validated, or rejected with a reason; what may not be read at all is an error."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio.shutil
from pydantic import ValidationError

from farandole import Context
from farandole.events.errors import AssetMissing, AssetRefused
from ingest.events import SceneReceived, SceneRejected, SceneValidated
from ingest.sensors import ROLES, load_sensors
from ingest.steps import IngestSettings, sensors, validate

SENSORS = load_sensors()
NAMES = SENSORS["sentinel-2-l1c"].bands
ACQUIRED = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)

Raster = Callable[..., Path]
Bands = dict[str, Path]


def counts(seed: int = 0) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(1, 5000, (1, 64, 96), dtype=np.uint16)


@pytest.fixture
def bands(raster: Raster) -> Bands:
    """The six bands of a small Sentinel-2 scene; cirrus is a JPEG 2000, whatever its name says."""
    paths = {name: raster(f"{name}.tif", counts(seed)) for seed, name in enumerate(NAMES.values())}
    cirrus = paths[NAMES["cirrus"]]
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "32", "BLOCKYSIZE": "32"}
    rasterio.shutil.copy(cirrus, cirrus.with_suffix(".jp2"), driver="JP2OpenJPEG", **options)
    cirrus.with_suffix(".jp2").replace(cirrus)
    return paths


def received(bands: Bands, **changes: Any) -> SceneReceived:
    uris = {name: path.as_uri() for name, path in bands.items()}
    told: dict[str, Any] = {"scene_id": "S2A-1", "sensor": "sentinel-2-l1c", "bands": uris, "acquired": ACQUIRED}
    return SceneReceived(**told | changes)


def reason(scene: SceneReceived, ctx: Context) -> str:
    outcome = validate(scene, ctx, SENSORS)
    assert isinstance(outcome, SceneRejected)
    assert outcome.scene_id == scene.scene_id
    return outcome.reason


def test_a_whole_scene_is_validated_with_all_that_later_steps_need(bands: Bands, ctx: Context) -> None:
    """Each band as an asset of its true type, in stacking order; calibration and origin of the sensor."""
    outcome = validate(received(bands), ctx, SENSORS)
    assert isinstance(outcome, SceneValidated)
    assert [band.role for band in outcome.bands] == list(ROLES)
    for band in outcome.bands:
        assert ctx.fetch(band.image).read_bytes() == bands[NAMES[band.role]].read_bytes()
        assert band.image.media_type == ("image/jp2" if band.role == "cirrus" else "image/tiff")
    assert (outcome.calibration.scale, outcome.calibration.nodata) == (1e-4, 0)
    assert outcome.origin.acquired == ACQUIRED
    assert outcome.origin.attribution == "Contains modified Copernicus Sentinel data 2017"


def test_a_band_may_come_as_an_asset(bands: Bands, ctx: Context) -> None:
    """It is the same scene then."""
    scene = received(bands)
    uris = {name: ctx.save(path).uri for name, path in bands.items()}
    assert validate(scene.model_copy(update={"bands": uris}), ctx, SENSORS) == validate(scene, ctx, SENSORS)


def test_a_scene_without_a_date_carries_the_bounds_of_its_time(bands: Bands, ctx: Context) -> None:
    """From the sensor's first day to the receipt, and no year in the attribution."""
    times = {"acquired": None, "received": datetime(2026, 1, 2, tzinfo=UTC)}
    outcome = validate(received(bands, **times), ctx, SENSORS)
    assert isinstance(outcome, SceneValidated)
    origin = outcome.origin
    assert (origin.acquired, origin.not_after) == (None, datetime(2026, 1, 2, tzinfo=UTC))
    assert origin.not_before == datetime(2015, 6, 23, tzinfo=UTC)
    assert origin.attribution == "Contains modified Copernicus Sentinel data"


def test_a_truncated_band_is_rejected_by_name(bands: Bands, ctx: Context) -> None:
    """GDAL would read zeros, without an error."""
    whole = bands["B10"].read_bytes()
    bands["B10"].write_bytes(whole[: len(whole) // 2])
    assert "band B10: is truncated or damaged" in reason(received(bands), ctx)


def test_a_band_of_zeros_is_rejected_by_name(bands: Bands, ctx: Context, raster: Raster) -> None:
    """It says nothing."""
    bands["B08"] = raster("zeros.tif", counts() * 0)
    assert reason(received(bands), ctx) == "band B08: is zero everywhere"


def test_mixed_projections_are_rejected_by_name(bands: Bands, ctx: Context, raster: Raster) -> None:
    """Their pixels do not lie where the others' do."""
    bands["B03"] = raster("other.tif", counts(), crs="EPSG:32632")
    assert "band B03: mixed projections: EPSG:32632 here, EPSG:32633 in B04" in reason(received(bands), ctx)


def test_a_missing_band_is_rejected_by_name_and_role(bands: Bands, ctx: Context) -> None:
    """A band that nobody needs may be missing, or be anything."""
    bands["B01"] = bands["B02"].with_name("of no interest")
    assert isinstance(validate(received(bands), ctx, SENSORS), SceneValidated)
    del bands["B11"]
    assert "band B11: is missing; " in reason(received(bands), ctx)


def test_other_bytes_than_the_sender_told_are_rejected(bands: Bands, ctx: Context) -> None:
    """By SHA-256, in whatever case it is written."""
    digest = hashlib.sha256(bands["B04"].read_bytes()).hexdigest().upper()
    assert isinstance(validate(received(bands, sha256={"B04": digest}), ctx, SENSORS), SceneValidated)
    assert "band B04: has sha256" in reason(received(bands, sha256={"B04": "0" * 64}), ctx)


def test_an_unknown_sensor_is_rejected_naming_those_that_are_known(bands: Bands, ctx: Context) -> None:
    """And so is a sun below the horizon, and a time that nothing bounds."""
    assert "'sentinel-9' is not declared; those are: landsat-8-l1, sent" in reason(
        received(bands, sensor="sentinel-9"), ctx
    )
    landsat = received(bands, sensor="landsat-8-l1", sun_elevation=-3.0)
    assert reason(landsat, ctx) == "a sun elevation of -3.0 degrees is not within (0, 90]"
    assert "neither the time of acquisition nor" in reason(received(bands, acquired=None), ctx)
    early = {"acquired": None, "received": datetime(2001, 1, 1, tzinfo=UTC)}
    assert "operates since 2015-06-23" in reason(received(bands, **early), ctx)


def test_a_uri_that_may_not_be_read_is_an_error_and_no_rejection(bands: Bands, ctx: Context) -> None:
    """Refused for good; a file that is not there yet is looked for again."""
    scene = received(bands)
    with pytest.raises(AssetRefused):
        validate(scene.model_copy(update={"bands": scene.bands | {"B02": "file:///etc/passwd"}}), ctx, SENSORS)
    bands["B02"].unlink()
    with pytest.raises(AssetMissing):
        validate(scene, ctx, SENSORS)


@pytest.mark.parametrize("scene_id", ["", "..", ".hidden", "a/b", "a\n", "a b", "x" * 201])
def test_a_scene_id_that_cannot_name_a_folder_is_no_event(bands: Bands, scene_id: str) -> None:
    """Found when the event is read, long before a folder is made."""
    with pytest.raises(ValidationError, match="scene_id"):
        received(bands, scene_id=scene_id)


def test_a_time_without_a_zone_is_no_event(bands: Bands) -> None:
    """It does not say when."""
    with pytest.raises(ValidationError, match="acquired"):
        received(bands, acquired="2017-02-16T10:21:01")


def test_a_file_may_declare_further_sensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INGEST_SENSORS names it; the packaged ones stay."""
    packaged = Path(load_sensors.__code__.co_filename).with_name("sensors.toml").read_text()
    own = packaged[packaged.index("[landsat-8-l1]") :].replace("landsat-8-l1", "landsat-9-l1")
    (tmp_path / "own.toml").write_text(own)
    monkeypatch.setenv("INGEST_SENSORS", str(tmp_path / "own.toml"))
    (found,) = sensors(IngestSettings())
    assert {"landsat-9-l1", "landsat-8-l1", "sentinel-2-l1c"} <= set(found)
