"""The structure of a JPEG 2000 file tells whether it is whole."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from ingest.jp2 import BrokenFileError, check_structure


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A JP2 of six tiles."""
    folder = tmp_path_factory.mktemp("jp2")
    pixels = np.random.default_rng(1).integers(1, 4000, (64, 96), dtype=np.uint16)
    profile = {"driver": "GTiff", "width": 96, "height": 64, "count": 1, "dtype": "uint16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(0, 0, 10, 10)}
    with rasterio.open(folder / "plain.tif", "w", **profile, **place) as target:
        target.write(pixels, 1)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "32", "BLOCKYSIZE": "32"}
    rasterio.shutil.copy(folder / "plain.tif", folder / "whole.jp2", driver="JP2OpenJPEG", **options)
    return (folder / "whole.jp2").read_bytes()


def flaw(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "some.jp2"
    path.write_bytes(data)
    with pytest.raises(BrokenFileError) as caught:
        check_structure(path)
    return str(caught.value)


def test_a_whole_file_and_its_bare_codestream_pass(tmp_path: Path, whole: bytes) -> None:
    """Boxes around the codestream are optional to the decoder, so they are to us."""
    (tmp_path / "whole.jp2").write_bytes(whole)
    check_structure(tmp_path / "whole.jp2")
    (tmp_path / "bare.j2k").write_bytes(whole[whole.index(b"\xff\x4f\xff\x51") :])
    check_structure(tmp_path / "bare.j2k")


def test_no_prefix_of_a_whole_file_passes(tmp_path: Path, whole: bytes) -> None:
    """Every length from nothing to one byte short, in steps that hit headers and data."""
    for length in {*range(300), *range(300, len(whole), 97), len(whole) - 2, len(whole) - 1}:
        assert flaw(tmp_path, whole[:length])


def test_a_bare_codestream_cut_at_a_tile_boundary_is_found(tmp_path: Path, whole: bytes) -> None:
    """Even if an end marker is put there: the tiles are counted."""
    bare = whole[whole.index(b"\xff\x4f\xff\x51") :]
    last = bare.rindex(b"\xff\x90\x00\x0a")
    assert "tile 4 ends at byte" in flaw(tmp_path, bare[:last])
    assert flaw(tmp_path, bare[:last] + b"\xff\xd9") == "5 of its 6 tiles"


def test_an_overwritten_tile_header_is_found(tmp_path: Path, whole: bytes) -> None:
    """The chain of tile-parts leads into nothing."""
    second = whole.index(b"\xff\x90\x00\x0a", whole.index(b"\xff\x90\x00\x0a") + 1)
    assert "neither a tile-part nor the end" in flaw(tmp_path, whole[:second] + bytes(64) + whole[second + 64 :])


def test_lengths_that_would_run_backwards_end_the_walk(tmp_path: Path, whole: bytes) -> None:
    """A hostile length neither loops nor seeks behind itself."""
    first = whole.index(b"\xff\x90\x00\x0a")
    tiny = whole[: first + 6] + (3).to_bytes(4, "big") + whole[first + 10 :]
    assert "ends at byte" in flaw(tmp_path, tiny)
    box = whole.index(b"jp2h") - 4
    assert flaw(tmp_path, whole[:box] + (2).to_bytes(4, "big") + whole[box + 4 :]) == (
        f"a box of 2 bytes at byte {box}"
    )
