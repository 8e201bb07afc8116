"""A scene is accepted with its facts, or refused with a reason that names the band."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from ingest.sensors import Sensor, load_sensors
from ingest.validation import RejectedScene, validate_scene

Pixels = npt.NDArray[Any]

NAMES = ("B02", "B03", "B04", "B08", "B11", "B10")


@pytest.fixture
def sensor() -> Sensor:
    return load_sensors()["sentinel-2-l1c"]


@pytest.fixture
def scene(tmp_path: Path) -> dict[str, Path]:
    return {name: write(tmp_path / f"{name}.tif", seed=seed) for seed, name in enumerate(NAMES)}


def write(path: Path, *, seed: int = 0, pixels: Pixels | None = None, **changes: Any) -> Path:
    """A GeoTIFF of random counts, 96x64 pixels of 10 m, unless `changes` say otherwise."""
    if pixels is None:
        pixels = np.random.default_rng(seed).integers(1, 5000, (64, 96), dtype=np.uint16)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "count": 1,
        "dtype": pixels.dtype,
        "crs": "EPSG:32633",
        "transform": from_origin(330000, 5822040, 10, 10),
    }
    with rasterio.open(path, "w", **profile | changes) as target:
        for band in range(1, target.count + 1):
            target.write(pixels, band)
    return path


def as_jpeg2000(path: Path, **changes: Any) -> Path:
    """The same raster as a JPEG 2000 of several tiles."""
    plain = write(path.with_suffix(".plain.tif"), **changes)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "32", "BLOCKYSIZE": "32"}
    rasterio.shutil.copy(plain, path, driver="JP2OpenJPEG", **options)
    return path


def reason(scene: dict[str, Path], sensor: Sensor, sha256: dict[str, str] | None = None) -> str:
    with pytest.raises(RejectedScene) as caught:
        validate_scene(scene, sensor, sha256=sha256)
    return caught.value.reason


def test_an_accepted_scene_yields_the_facts_of_each_band_in_stacking_order(
    scene: dict[str, Path], sensor: Sensor
) -> None:
    """Role, name, checksum and grid are those of the file."""
    facts = validate_scene(scene, sensor)
    assert [band.role for band in facts] == ["blue", "green", "red", "nir", "swir", "cirrus"]
    assert [band.name for band in facts] == list(NAMES)
    for band in facts:
        assert band.sha256 == hashlib.sha256(scene[band.name].read_bytes()).hexdigest()
        assert (band.width, band.height, band.dtype) == (96, 64, "uint16")
        assert band.crs == "EPSG:32633"
        assert band.resolution == (10.0, 10.0)
        assert band.transform == (10.0, 0.0, 330000.0, 0.0, -10.0, 5822040.0)


def test_bands_that_the_chain_does_not_need_are_not_looked_at(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path
) -> None:
    """A broken further band does not spoil a scene."""
    assert validate_scene(scene | {"B01": tmp_path / "absent"}, sensor)


def test_coarser_bands_of_the_same_extent_are_accepted(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """The 60 m cirrus band may reach past the red band, and keeps its own resolution."""
    pixels = np.full((11, 16), 9, dtype=np.uint16)
    scene["B10"] = write(tmp_path / "coarse.tif", pixels=pixels, transform=from_origin(330000, 5822040, 60, 60))
    assert validate_scene(scene, sensor)[-1].resolution == (60.0, 60.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_band_is_refused_by_its_name(
    scene: dict[str, Path], sensor: Sensor, name: str, tmp_path: Path
) -> None:
    """Whether it was never named, its file is not there, or the file is empty."""
    absent = {key: path for key, path in scene.items() if key != name}
    assert reason(absent, sensor).startswith(f"band {name}: is missing; Sentinel-2 Level-1C")
    assert reason(absent | {name: tmp_path / "none"}, sensor) == f"band {name}: its file does not exist"
    (tmp_path / "empty").write_bytes(b"")
    assert reason(absent | {name: tmp_path / "empty"}, sensor) == f"band {name}: is an empty file"


def test_the_format_is_told_by_content_and_never_by_suffix(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path
) -> None:
    """GeoTIFF named .jp2, JPEG 2000 named .tif, and both without any suffix are read alike."""
    scene["B02"] = write(tmp_path / "real-tiff.jp2", seed=1)
    as_jpeg2000(tmp_path / "x.jp2", seed=2).rename(tmp_path / "real-jp2.tif")
    scene["B03"] = tmp_path / "real-jp2.tif"
    as_jpeg2000(tmp_path / "y.jp2", seed=3).rename(tmp_path / "bare")
    scene["B04"] = tmp_path / "bare"
    assert len(validate_scene(scene, sensor)) == 6


def test_what_is_no_raster_is_refused(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """Text under a raster's name is told from a raster."""
    scene["B04"] = tmp_path / "B04.jp2"
    scene["B04"].write_text("not found\n")
    assert reason(scene, sensor) == "band B04: is neither JPEG 2000 nor GeoTIFF"


def test_a_format_that_refers_to_other_files_is_refused(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """A VRT would have any file of the machine read in the scene's name."""
    with rasterio.open(scene["B04"]) as source:
        rasterio.shutil.copy(source, tmp_path / "B04.vrt", driver="VRT")
    scene["B04"] = tmp_path / "B04.vrt"
    assert reason(scene, sensor) == "band B04: is neither JPEG 2000 nor GeoTIFF"


@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.9, 0.999])
def test_a_truncated_jpeg2000_is_refused_wherever_it_was_cut(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path, share: float
) -> None:
    """The library would read what is missing as zeros, without an exception."""
    whole = as_jpeg2000(tmp_path / "whole.jp2", seed=7).read_bytes()
    scene["B08"] = tmp_path / "cut.jp2"
    scene["B08"].write_bytes(whole[: int(len(whole) * share)])
    assert reason(scene, sensor).startswith("band B08: ")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_geotiff_is_refused_wherever_it_was_cut(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path, share: float
) -> None:
    """Its directory stands first and looks whole: only the pixels tell."""
    whole = write(tmp_path / "whole.tif", seed=7, compress="deflate", blockysize=8).read_bytes()
    scene["B11"] = tmp_path / "cut.tif"
    scene["B11"].write_bytes(whole[: int(len(whole) * share)])
    assert reason(scene, sensor).startswith("band B11: cannot be read")


@pytest.mark.parametrize("write_as", [write, as_jpeg2000])
def test_an_all_zero_band_is_refused_and_a_single_pixel_saves_it(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path, write_as: Callable[..., Path]
) -> None:
    """The lone pixel stands in the last block, where no sampling would look."""
    pixels = np.zeros((64, 96), dtype=np.uint16)
    scene["B10"] = write_as(tmp_path / "zero.jp2", pixels=pixels)
    assert reason(scene, sensor) == "band B10: is zero everywhere"
    pixels[-1, -1] = 1
    scene["B10"] = write_as(tmp_path / "one.jp2", pixels=pixels)
    assert validate_scene(scene, sensor)


def test_a_file_that_is_not_what_its_sender_told_is_refused(scene: dict[str, Path], sensor: Sensor) -> None:
    """The right checksum, in either case, is accepted."""
    digest = hashlib.sha256(scene["B02"].read_bytes()).hexdigest()
    assert validate_scene(scene, sensor, sha256={"B02": digest.upper()})
    assert reason(scene, sensor, sha256={"B02": "0" * 64}).startswith(f"band B02: has sha256 {digest}")


def test_mixed_projections_are_refused(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """The reason names both projections."""
    scene["B08"] = write(tmp_path / "other.tif", crs="EPSG:32632")
    assert reason(scene, sensor) == "band B08: mixed projections: EPSG:32632 here, EPSG:32633 in B04"


def test_a_band_that_lies_elsewhere_is_refused(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """Otherwise the product would be nodata, and pass for one."""
    scene["B08"] = write(tmp_path / "far.tif", transform=from_origin(430000, 5822040, 10, 10))
    assert reason(scene, sensor).startswith("band B08: does not cover B04")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"crs": None}, "has no coordinate reference system"),
        ({"transform": rasterio.Affine(10, 0, 0, 0, 10, 0)}, "is not north-up"),
        ({"transform": rasterio.Affine(10, 1, 0, 1, -10, 0)}, "is not north-up"),
        ({"count": 2}, "holds 2 bands instead of one"),
    ],
)
def test_a_band_without_a_proper_grid_is_refused(
    scene: dict[str, Path], sensor: Sensor, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    """No projection, a rotated or flipped grid, several bands in one file."""
    scene["B03"] = write(tmp_path / "odd.tif", **changes)
    assert problem in reason(scene, sensor)


def test_another_data_type_is_refused(scene: dict[str, Path], sensor: Sensor, tmp_path: Path) -> None:
    """Reflectance as float is some other product."""
    scene["B03"] = write(tmp_path / "float.tif", pixels=np.ones((64, 96), dtype=np.float32))
    assert reason(scene, sensor).startswith("band B03: is float32; Sentinel-2")


def test_a_refusal_survives_the_way_out_of_a_worker_process() -> None:
    """A step that runs in a process must hand its refusal over whole."""
    refusal = pickle.loads(pickle.dumps(RejectedScene("B02", "is zero everywhere")))
    assert refusal.reason == "band B02: is zero everywhere"
