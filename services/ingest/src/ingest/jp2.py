"""Whether a JPEG 2000 file is whole, told from its structure alone. It decodes no pixel.

OpenJPEG, read through GDAL with several threads, gives zeros or garbage for what is missing in a truncated
file and reports nothing. The structure tells the truth at the cost of a few hundred short reads: boxes must
fit the file, and the chain of tile-parts must lead from the codestream's main header to its end marker.
Layout: ISO/IEC 15444-1, annex A (codestream) and annex I (boxes).
"""

import math
import struct
from pathlib import Path
from typing import BinaryIO

_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_BARE = b"\xff\x4f\xff\x51"
_SOC, _SIZ, _SOT, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFFD9


class BrokenFileError(ValueError):
    """The file is not a whole JPEG 2000 file; the text says where it breaks."""


def is_jpeg2000(start: bytes) -> bool:
    """Whether a file that starts so (12 bytes are enough) is a JP2 file or a bare codestream."""
    return start.startswith((_SIGNATURE, _BARE))


def check_structure(path: Path) -> None:
    """Raise BrokenFileError unless ``path`` is a JP2 file or a bare codestream with nothing missing.

    Damage inside a tile's compressed data goes unseen: only a checksum or a decoder can tell.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start, end = _codestream(file, size)
        tiles = _read_main_header(file, start)
        _walk_tile_parts(file, end, tiles)


def _codestream(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the codestream starts and ends, in bytes from the file's start."""
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return 0, size
    position = 0
    while position < size:
        length, kind, header = _box(file, position, size)
        if position + length > size:
            raise BrokenFileError(f"its box {kind!r} ends at byte {position + length}, the file at {size}")
        if kind == "jp2c":
            return position + header, position + length
        position += length
    raise BrokenFileError("it holds no codestream")


def _box(file: BinaryIO, position: int, size: int) -> tuple[int, str, int]:
    """A box's length, kind and length of header; length 0 means to the end of the file."""
    file.seek(position)
    length, raw = struct.unpack(">I4s", _exactly(file, 8))
    header = 8
    if length == 1:
        length = int.from_bytes(_exactly(file, 8), "big")
        header = 16
    if length == 0:
        length = size - position
    if length < header:
        raise BrokenFileError(f"a box of {length} bytes at byte {position}")
    return length, raw.decode("latin-1"), header


def _read_main_header(file: BinaryIO, start: int) -> int:
    """Go to the first tile-part and return how many tiles there must be."""
    file.seek(start)
    if _marker(file) != _SOC:
        raise BrokenFileError("its codestream does not start with SOC")
    tiles = 0
    while (marker := _marker(file)) != _SOT:
        length = int.from_bytes(_exactly(file, 2), "big")
        if marker < 0xFF00 or length < 2:
            raise BrokenFileError(f"no marker segment where one belongs, before byte {file.tell()}")
        body = _exactly(file, length - 2)
        if marker == _SIZ:
            tiles = _count_tiles(body)
    if tiles == 0:
        raise BrokenFileError("its main header gives no size")
    file.seek(-2, 1)
    return tiles


def _count_tiles(siz: bytes) -> int:
    if len(siz) < 34:
        raise BrokenFileError("its SIZ segment is too short")
    width, height, _, _, tile_width, tile_height, left, top = struct.unpack(">8I", siz[2:34])
    if tile_width == 0 or tile_height == 0:
        raise BrokenFileError("its tiles have no size")
    columns: int = math.ceil((width - left) / tile_width)
    rows: int = math.ceil((height - top) / tile_height)
    return columns * rows


def _walk_tile_parts(file: BinaryIO, end: int, tiles: int) -> None:
    """Jump from tile-part to tile-part by their lengths; at the end stands EOC, and every tile was met."""
    seen: set[int] = set()
    while (marker := _marker(file)) == _SOT:
        begin = file.tell() - 2
        _, tile, length = struct.unpack(">HHI", _exactly(file, 8))
        seen.add(tile)
        # A last tile-part of length 0 extends to the end marker.
        following = end - 2 if length == 0 else begin + length
        if following < file.tell() or following + 2 > end:
            raise BrokenFileError(f"tile {tile} ends at byte {following}, the codestream at {end}")
        file.seek(following)
    if marker != _EOC:
        raise BrokenFileError(f"neither a tile-part nor the end at byte {file.tell() - 2}")
    if len(seen) != tiles:
        raise BrokenFileError(f"{len(seen)} of its {tiles} tiles")


def _marker(file: BinaryIO) -> int:
    return int.from_bytes(_exactly(file, 2), "big")


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise BrokenFileError(f"it ends at byte {file.tell()}, within a header")
    return data
