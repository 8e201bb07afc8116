"""A product's item is valid STAC 1.1, tells the truth about time, and names what lies beside it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.crs import CRS
from rasterio.transform import from_origin

from catalogue.check import InvalidItem, check_item
from catalogue.item import Interval, Origin, build_item

ACQUIRED = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
NOTICE = "Contains modified Copernicus Sentinel data 2017"


def origin(acquired: datetime | Interval = ACQUIRED) -> Origin:
    return Origin(acquired, "Sentinel-2 Level-1C", NOTICE, "https://example.org/licence")


def write(path: Path, crs: str | CRS = "EPSG:32633") -> Path:
    profile = {"driver": "GTiff", "width": 1536, "height": 768, "count": 2, "dtype": "int16"}
    place = {"crs": crs, "transform": from_origin(330000, 5822040, 10, 10), "nodata": -32768}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(np.ones((2, 768, 1536), dtype=np.int16))
        target.descriptions = ("class", "ndvi")
        target.scales = (1.0, 1e-4)
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A product under some name, as an asset store would hold it, and a picture."""
    (tmp_path / "def").write_bytes(b"some picture")
    return write(tmp_path / "abc"), tmp_path / "def"


def item_of(files: tuple[Path, Path], acquired: datetime | Interval = ACQUIRED) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(check_item(build_item("scene-1", *files, origin=origin(acquired))))
    return found


def test_an_item_is_valid_without_asking_the_network_and_the_same_again(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same input, same bytes; sockets are out of order."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    first, second = (check_item(build_item("scene-1", *files, origin=origin())) for _ in range(2))
    assert first == second
    assert json.loads(first)["stac_version"] == "1.1.0"


def test_assets_lie_beside_the_item_and_carry_the_multihash_of_their_content(
    files: tuple[Path, Path],
) -> None:
    """Relative hrefs under the published names; SHA-256 as 0x12 0x20 and the digest."""
    assets = item_of(files)["assets"]
    assert assets["product"]["href"] == "./product.tif"
    assert assets["quicklook"]["href"] == "./quicklook.png"
    for key, path in zip(("product", "quicklook"), files, strict=True):
        assert assets[key]["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert assets[key]["file:size"] == path.stat().st_size
    assert [band["name"] for band in assets["product"]["bands"]] == ["class", "ndvi"]
    assert assets["product"]["bands"][1]["raster:scale"] == 1e-4
    assert assets["product"]["bands"][1]["nodata"] == -32768


def test_projection_footprint_and_licence_are_those_of_the_product(files: tuple[Path, Path]) -> None:
    """As pystac's own extension classes read them."""
    found = item_of(files)
    item = pystac.Item.from_dict(found)
    projection = ProjectionExtension.ext(item)
    assert projection.code == "EPSG:32633"
    assert projection.shape == [768, 1536]
    assert projection.bbox == [330000, 5814360, 345360, 5822040]
    assert projection.transform is not None
    assert projection.transform[:6] == [10, 0, 330000, 0, -10, 5822040]
    assert FileExtension.ext(item.assets["product"]).size == files[0].stat().st_size
    assert found["bbox"] == pytest.approx([12.494, 52.453, 12.724, 52.526], abs=1e-3)
    ring = found["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert found["properties"]["description"] == NOTICE
    assert found["properties"]["license"] == "other"
    assert [link["href"] for link in found["links"] if link["rel"] == "license"] == ["https://example.org/licence"]


def test_a_projection_without_a_code_is_told_in_full(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """WKT2 instead of an EPSG code."""
    own = CRS.from_proj4("+proj=tmerc +lat_0=0 +lon_0=13.3 +k=0.9996 +x_0=500000 +ellps=WGS84 +units=m")
    properties = item_of((write(tmp_path / "own", own), files[1]))["properties"]
    assert "Transverse Mercator" in properties["proj:wkt2"].replace("_", " ")
    assert properties.get("proj:code") is None


def test_a_known_time_is_given_in_utc(files: tuple[Path, Path]) -> None:
    """Whatever zone it was told in; and it is no interval then."""
    berlin = ACQUIRED.astimezone(timezone(timedelta(hours=1)))
    properties = item_of(files, berlin)["properties"]
    assert properties["datetime"] == "2017-02-16T10:21:01Z"
    assert "start_datetime" not in properties


def test_an_unknown_time_is_null_between_bounds_and_says_so(files: tuple[Path, Path]) -> None:
    """Nothing is taken from the clock or from a tag of the file."""
    with rasterio.open(files[0], "r+") as target:
        target.update_tags(TIFFTAG_DATETIME="2001:01:01 00:00:00")
    bounds = Interval(datetime(2013, 2, 11, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    properties = item_of(files, bounds)["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2013-02-11T00:00:00Z"
    assert properties["end_datetime"] == "2026-01-02T03:04:05Z"
    assert "acquisition time is not known" in properties["description"]


def test_missing_tiles_are_counted_and_the_first_of_them_named(files: tuple[Path, Path]) -> None:
    """Beside the attribution; a complete product says nothing of the kind."""
    item = build_item("scene-1", *files, origin=origin(), tiles=99, missing=list(range(30)))
    said = str(item.properties["description"])
    assert said.startswith(f"{NOTICE}. Incomplete: 30 of 99 tiles are missing (0, 1, ")
    assert "18, 19, …); their area is without data" in said
    assert "Incomplete" not in str(build_item("scene-1", *files, origin=origin(), tiles=99).properties)


def test_times_without_a_zone_and_intervals_that_run_backwards_are_refused(
    files: tuple[Path, Path],
) -> None:
    """Neither says when."""
    naive = ACQUIRED.replace(tzinfo=None)
    for acquired in (naive, Interval(naive, ACQUIRED), Interval(ACQUIRED, ACQUIRED - timedelta(days=1))):
        with pytest.raises(ValueError, match=r"zone|interval"):
            build_item("scene-1", *files, origin=origin(acquired))


def test_a_broken_item_is_refused_with_the_place(files: tuple[Path, Path]) -> None:
    """By the core schema, or by an extension that is used but not declared."""
    item = build_item("scene-1", *files, origin=origin())
    item.assets["product"].href = ""
    with pytest.raises(InvalidItem, match=r"assets\.product\.href"):
        check_item(item)
    item = build_item("scene-1", *files, origin=origin())
    item.datetime = None
    with pytest.raises(InvalidItem, match="datetime"):
        check_item(item)
    item = build_item("scene-1", *files, origin=origin())
    item.stac_extensions = [uri for uri in item.stac_extensions if "file" not in uri]
    with pytest.raises(InvalidItem, match="prefix file"):
        check_item(item)
    item.properties["mine:field"] = 1
    with pytest.raises(InvalidItem, match="prefix mine"):
        check_item(item)
