"""Puts a product's files where people look for them, all at once. It looks into none of them.

A product's folder is a link to a version of it: ``<scene_id> -> .versions/<scene_id>-<digest>``. A version is
complete before it gets its name, and swapping a link is atomic, so a reader sees the old product or the new
one and never half of either. The same files again, or two writers of them at once, end in the same state.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

_SCENE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def place_product(shelf: Path, scene_id: str, files: Mapping[str, Path]) -> Path:
    """Copy ``files`` (name → path) to ``shelf/<scene_id>``, durably and atomically, and return that folder.

    An earlier version stays under ``.versions``, but no longer under the scene's name. Raises ValueError for
    a scene id that is no plain file name, and OSError where the disk will not have it.
    """
    if not _SCENE_ID.fullmatch(scene_id):
        raise ValueError(f"{scene_id!r} cannot name a folder")
    versions = shelf / ".versions"
    versions.mkdir(parents=True, exist_ok=True)
    version = versions / f"{scene_id}-{_digest(files)}"
    if not version.is_dir():
        _write_version(version, files)
    _point(shelf / scene_id, version)
    return shelf / scene_id


def _digest(files: Mapping[str, Path]) -> str:
    whole = hashlib.sha256()
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return whole.hexdigest()[:16]


def _write_version(version: Path, files: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory(dir=version.parent, prefix=".incoming-") as incoming:
        draft = Path(incoming) / "product"
        draft.mkdir()
        for name, path in files.items():
            shutil.copyfile(path, draft / name)
            _sync(draft / name)
        _sync(draft)
        try:
            draft.rename(version)
        except OSError:
            # Somebody else was first; by its name, it holds the same.
            if not version.is_dir():
                raise
    _sync(version.parent)


def _point(link: Path, version: Path) -> None:
    """Make ``link`` lead to ``version``, whatever it led to before."""
    with tempfile.TemporaryDirectory(dir=version.parent, prefix=".link-") as folder:
        fresh = Path(folder) / "link"
        fresh.symlink_to(version.relative_to(link.parent))
        fresh.replace(link)
    _sync(link.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
