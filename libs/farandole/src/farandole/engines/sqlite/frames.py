"""Frames: what one commit wrote to one partition, as one blob; by column, so that reading needs no Python per record.

A frame is a msgpack array (keys, values, names, cells, shapes). Where all records have the same header names in
the same order, `shapes` is null and cell i belongs to name i: one value that all share, or a list with one a
record. Else `shapes` lists for each record the indices of its names, and cell i is the list of values of record
i. Names are UTF-8, lone surrogates passed through.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import count, repeat
from sys import intern

import msgspec

from farandole.events.codec import Headers
from farandole.events.errors import LogFormatError
from farandole.log.record import NewRecord, Record

Cell = bytes | list[bytes | None] | None


class _Frame(msgspec.Struct, array_like=True, gc=False):
    keys: list[bytes | None]
    values: list[bytes | None]
    names: list[bytes]
    cells: list[Cell]
    shapes: list[list[int]] | None = None


class _Written(msgspec.Struct, array_like=True, gc=False):
    """The same as it is written: from the tuples that transposing gives, without copying them."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    names: Sequence[bytes]
    cells: Sequence[object]
    shapes: Sequence[Sequence[int]] | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Frame)
_pairs_decoder = msgspec.msgpack.Decoder(list[tuple[bytes, bytes | None]])
_BYTES = frozenset((bytes, type(None)))
# A NamedTuple's own constructor is a Python function; this is the C one below it.
_record = partial(tuple.__new__, Record)


def encode(records: Sequence[NewRecord]) -> bytes:
    """The frame of one or more records. Raises TypeError where a key, value or header is not bytes."""
    if len(records) == 1:  # most commits of a dance that is not in a hurry: nothing to compare
        _, value, key, pairs, _ = records[0]
        _check_bytes((value, key, *[cell for _, cell in pairs]))
        names = [_name(name) for name, _ in pairs]
        return _encoder.encode(_Written((key,), (value,), names, [cell for _, cell in pairs]))
    _, values, keys, headers, _ = zip(*records, strict=True)
    _check_bytes(values)
    _check_bytes(keys)
    columns = _columns(headers)
    if columns is None:
        names, cells, shapes = _ragged(headers)
        return _encoder.encode(_Written(keys, values, names, cells, shapes))
    return _encoder.encode(_Written(keys, values, [_name(n) for n, _ in columns], [c for _, c in columns]))


def decode(body: bytes, topic: str, partition: int, base: int, time: float) -> list[Record]:
    """The records of a frame whose first offset is `base`. Raises LogFormatError where it is damaged."""
    try:
        frame = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise LogFormatError(f"topic {topic!r}, partition {partition}: the frame at offset {base} is damaged "
                             f"({error}); restore a backup") from error  # fmt: skip
    headers: Iterable[Headers] = _uniform_headers(frame) if frame.shapes is None else _ragged_headers(frame)
    fields = zip(repeat(topic), repeat(partition), count(base), repeat(time), frame.keys, frame.values, headers)
    return list(map(_record, fields))


def encode_headers(headers: Headers) -> bytes | None:
    """The headers of a single record. Raises TypeError where one is not bytes."""
    if not headers:
        return None
    _check_bytes([value for _, value in headers])
    return _encoder.encode([(_name(name), value) for name, value in headers])


def decode_headers(body: bytes | None) -> Headers:
    """What `encode_headers` wrote. Raises LogFormatError where it is damaged."""
    if body is None:
        return ()
    try:
        return tuple((_text(name), value) for name, value in _pairs_decoder.decode(body))
    except msgspec.DecodeError as error:
        raise LogFormatError(f"the headers of a record are damaged ({error}); restore a backup") from error


def _columns(headers: Sequence[Headers]) -> list[tuple[str, object]] | None:
    """Name and cell per position, or None where the records do not have the same names in the same order."""
    columns: list[tuple[str, object]] = []
    size = len(headers)
    if len(set(map(len, headers))) != 1:
        return None
    for pairs in zip(*headers, strict=True):
        name, value = pairs[0]
        if pairs[0] == pairs[-1] and pairs.count(pairs[0]) == size:
            _check_bytes((value,))
            columns.append((name, value))
            continue
        names, values = zip(*pairs, strict=True)
        if names.count(name) != size:
            return None
        _check_bytes(values)
        columns.append((name, values))
    return columns


def _ragged(headers: Sequence[Headers]) -> tuple[list[bytes], list[object], list[list[int]]]:
    index: dict[str, int] = {}
    shapes = [[index.setdefault(name, len(index)) for name, _ in pairs] for pairs in headers]
    cells: list[object] = []
    for pairs in headers:
        values = [value for _, value in pairs]
        _check_bytes(values)
        cells.append(values)
    return [_name(name) for name in index], cells, shapes


def _uniform_headers(frame: _Frame) -> Iterable[Headers]:
    if not frame.names:
        return repeat(())
    pairs: list[Iterator[tuple[str, bytes | None]]] = []
    for raw, cell in zip(frame.names, frame.cells, strict=True):
        name = _text(raw)
        pairs.append(zip(repeat(name), cell) if isinstance(cell, list) else repeat((name, cell)))
    return zip(*pairs)  # noqa: B905 - columns that are all alike never end


def _ragged_headers(frame: _Frame) -> Iterator[Headers]:
    names = [_text(raw) for raw in frame.names]
    for shape, values in zip(frame.shapes or (), frame.cells, strict=True):
        cells = values if isinstance(values, list) else []
        yield tuple(zip([names[i] for i in shape], cells, strict=True))


def _check_bytes(values: Sequence[object]) -> None:
    if not _BYTES.issuperset(map(type, values)):
        wrong = next(type(value) for value in values if type(value) not in _BYTES)
        raise TypeError(f"keys, values and header values are bytes or None, not {wrong.__name__}")


@lru_cache(maxsize=1024)  # a dance has few names, and they stand in every frame
def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=1024)
def _text(name: bytes) -> str:
    return intern(name.decode("utf-8", "surrogatepass"))
