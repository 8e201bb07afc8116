"""Six bands come onto the red band's grid, and both ways of doing it give the same pixels."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from stacking.commands import Grid
from stacking.stack import (
    GDAL_PROGRAMS,
    Programs,
    StackError,
    choose_programs,
    find_rio,
    grid_of,
    stack_bands,
    stack_with,
)

needs_gdal = pytest.mark.skipif(
    not all(shutil.which(program) for program in GDAL_PROGRAMS), reason="GDAL's programs are not installed"
)
# Each call of rio takes a second to start.
WAYS = [pytest.param("gdal", marks=needs_gdal), pytest.param("rio", marks=pytest.mark.slow)]


def run(program: str, *arguments: str) -> None:
    subprocess.run([program, *arguments], check=True, capture_output=True)


def write(path: Path, resolution: int, *, seed: int, origin: tuple[float, float] = (330000, 5822040)) -> Path:
    """A JPEG 2000 band of random counts, 960 x 480 m, with a patch of nodata."""
    size = {"width": 960 // resolution, "height": 480 // resolution}
    counts = np.random.default_rng(seed).integers(1, 5000, tuple(size.values())[::-1], dtype=np.uint16)
    counts[:3, :2] = 0
    place = {"crs": "EPSG:32633", "transform": from_origin(*origin, resolution, resolution)}
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", **size, **place}
    with rasterio.open(path.with_suffix(".plain"), "w", **profile) as target:
        target.write(counts, 1)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "64", "BLOCKYSIZE": "64"}
    rasterio.shutil.copy(path.with_suffix(".plain"), path, driver="JP2OpenJPEG", **options)
    return path


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Blue and red at 10 m, short-wave infrared at 20 m, cirrus at 60 m."""
    folder = tmp_path_factory.mktemp("bands")
    resolutions = {"blue": 10, "red": 10, "swir": 20, "cirrus": 60}
    return [
        write(folder / f"{name}.jp2", resolution, seed=seed)
        for seed, (name, resolution) in enumerate(resolutions.items())
    ]


def counts_of(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    with rasterio.open(path) as source:
        counts: np.ndarray[tuple[int, ...], np.dtype[np.uint16]] = source.read()
    return counts


@pytest.mark.parametrize("way", WAYS)
def test_each_pixel_of_the_stack_is_the_bands_pixel_that_covers_it(
    bands: list[Path], tmp_path: Path, way: Programs
) -> None:
    """Coarser bands become blocks of equal pixels, in the order given, on the red grid."""
    out = tmp_path / "stack.tif"
    grid = stack_with(way, bands, bands[1], out, workdir=tmp_path, nodata=0, run=run)
    assert grid == Grid(96, 48, (10.0, 0.0, 330000.0, 0.0, -10.0, 5822040.0)) == grid_of(out)
    stack = counts_of(out)
    for number, (path, factor) in enumerate(zip(bands, (1, 1, 2, 6), strict=True)):
        expected = counts_of(path)[0].repeat(factor, axis=0).repeat(factor, axis=1)
        assert (stack[number] == expected).all()
    with rasterio.open(out) as source:
        assert source.crs.to_epsg() == 32633


@needs_gdal
@pytest.mark.slow
def test_both_ways_give_equal_pixels_also_where_a_band_lies_aside(bands: list[Path], tmp_path: Path) -> None:
    """A shifted coarse band is cut by the red extent, and nodata fills what it does not reach."""
    aside = write(tmp_path / "aside.jp2", 20, seed=9, origin=(330100, 5822000))
    stacks = []
    ways: tuple[Programs, ...] = ("gdal", "rio")
    for way in ways:
        work = tmp_path / way
        work.mkdir()
        inputs = [bands[1], aside]
        stack_with(way, inputs, bands[1], work / "s.tif", workdir=work, nodata=0, run=run)
        stacks.append(counts_of(work / "s.tif"))
    assert (stacks[0] == stacks[1]).all()
    assert (stacks[0][1, :, :10] == 0).all()
    assert stacks[0][1, 20:, 20:].any()


@pytest.mark.parametrize("way", WAYS)
def test_stacking_again_elsewhere_gives_the_same_bytes(bands: list[Path], tmp_path: Path, way: Programs) -> None:
    """A retry in another scratch folder must name the same content."""
    contents = []
    for name in ("one", "two"):
        work = tmp_path / name
        work.mkdir()
        stack_with(way, bands[1:], bands[1], work / "s.tif", workdir=work, nodata=0, run=run)
        contents.append((work / "s.tif").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_truncated_band_ends_in_an_error_and_never_in_zeros(bands: list[Path], tmp_path: Path, way: Programs) -> None:
    """Should one come as far as here, the program must fail."""
    whole = bands[0].read_bytes()
    (tmp_path / "cut.jp2").write_bytes(whole[: len(whole) * 2 // 3])
    inputs = [tmp_path / "cut.jp2", bands[1]]
    with pytest.raises(subprocess.CalledProcessError):
        stack_with(way, inputs, bands[1], tmp_path / "s.tif", workdir=tmp_path, nodata=0, run=run)


def test_the_programs_in_use_are_those_that_are_installed(
    bands: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL's where all three are there; else rio, also when it stands beside Python only."""
    seen: list[str] = []

    def spy(program: str, *arguments: str) -> None:
        seen.append(program)
        run(program, *arguments)

    if choose_programs() == "gdal":
        stack_bands(bands[:2], bands[1], tmp_path / "g.tif", workdir=tmp_path, nodata=0, run=spy)
        assert seen == ["gdalbuildvrt", "gdal_translate"]
    seen.clear()
    (tmp_path / "bin").mkdir()
    env = shutil.which("env")
    assert env is not None
    (tmp_path / "bin" / "env").symlink_to(env)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert choose_programs() == "rio"
    assert Path(find_rio()).is_absolute()
    stack_bands(bands[:2], bands[1], tmp_path / "r.tif", workdir=tmp_path, nodata=0, run=spy)
    assert seen == ["env"]


def test_programs_that_end_well_without_a_proper_stack_are_found_out(bands: list[Path], tmp_path: Path) -> None:
    """Nothing written, or something of another size."""
    out = tmp_path / "s.tif"
    with pytest.raises(StackError, match="wrote no stack"):
        stack_bands(bands, bands[1], out, workdir=tmp_path, nodata=0, run=lambda *_: None)
    rasterio.shutil.copy(bands[2], out, driver="GTiff")
    with pytest.raises(StackError, match="grid is"):
        stack_bands(bands, bands[1], out, workdir=tmp_path, nodata=0, run=lambda *_: None)
    rasterio.shutil.copy(bands[1], out, driver="GTiff")
    with pytest.raises(StackError, match="1 bands instead of 4"):
        stack_bands(bands, bands[1], out, workdir=tmp_path, nodata=0, run=lambda *_: None)
