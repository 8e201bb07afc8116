"""Sensors are declared, not coded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.sensors import ROLES, load_sensors

EXTRA = """
[my-drone]
title = "A drone"
dtype = "uint16"
nodata = 65535
scale = 0.001
offset = 0.0
sun_normalised = true
operational_since = 2024-05-01
attribution = "© somebody"
licence_url = "https://example.org/licence"
bands = {cirrus = "f", swir = "e", nir = "d", red = "c", green = "b", blue = "a"}
"""


def test_every_packaged_sensor_has_a_band_for_each_role_in_stacking_order() -> None:
    """Stacking and all that follows rely on the order."""
    for sensor in load_sensors().values():
        assert tuple(sensor.bands) == ROLES


def test_calibration_is_that_of_the_sensors_own_documents() -> None:
    """Sentinel-2 is normalised by the sun already, Landsat-8 is not."""
    sensors = load_sensors()
    old, new = sensors["sentinel-2-l1c"], sensors["sentinel-2-l1c-0400"]
    assert old.calibration(30.0).model_dump() == {
        "scale": 1e-4,
        "offset": 0.0,
        "nodata": 0,
        "sun_elevation": None,
    }
    assert new.calibration(None).offset == pytest.approx(-1000 * 1e-4)
    landsat = sensors["landsat-8-l1"].calibration(30.0)
    assert (landsat.scale, landsat.offset, landsat.sun_elevation) == (2e-5, -0.1, 30.0)
    assert sensors["landsat-8-l1"].calibration(None).sun_elevation is None


@pytest.mark.parametrize("elevation", [0.0, -3.0, 90.5, float("nan")])
def test_a_sun_that_cannot_light_the_scene_is_refused(elevation: float) -> None:
    """Division by its sine would give nonsense."""
    with pytest.raises(ValueError, match="sun elevation"):
        load_sensors()["landsat-8-l1"].calibration(elevation)


def test_the_attribution_names_the_year_only_where_it_is_known() -> None:
    """No year is made up."""
    sensor = load_sensors()["sentinel-2-l1c"]
    acquired = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
    assert sensor.attribution_for(acquired) == "Contains modified Copernicus Sentinel data 2017"
    assert sensor.attribution_for(None) == "Contains modified Copernicus Sentinel data"
    assert sensor.not_before() == datetime(2015, 6, 23, tzinfo=UTC)


def test_a_users_file_adds_a_sensor_and_the_order_of_its_bands_does_not_matter(tmp_path: Path) -> None:
    """A new sensor needs no code."""
    (tmp_path / "mine.toml").write_text(EXTRA)
    sensors = load_sensors(tmp_path / "mine.toml")
    assert {"my-drone", "sentinel-2-l1c", "landsat-8-l1"} <= set(sensors)
    assert next(iter(sensors["my-drone"].bands.items())) == ("blue", "a")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('cirrus = "f", ', "", "no band for cirrus"),
        ('cirrus = "f"', 'cirrus = "a"', "one band plays two roles"),
        ("scale = 0.001", "scale = 0", "greater than 0"),
        ("offset = 0.0", "ofset = 0.0", "ofset"),
        ("© somebody", "© {name}", "no other field in braces"),
        ("© somebody", "© {", "attribution"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_place(tmp_path: Path, old: str, new: str, what: str) -> None:
    """The error names the sensor and the field."""
    (tmp_path / "mine.toml").write_text(EXTRA.replace(old, new))
    with pytest.raises(ValueError, match=what) as caught:
        load_sensors(tmp_path / "mine.toml")
    assert "my-drone" in str(caught.value)
