"""From the setting `assets` to a store; the only place that knows every kind of store."""

import importlib
import importlib.util
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from farandole.assets.access import read_access
from farandole.assets.address import Address, read_address
from farandole.assets.copies import Copies
from farandole.assets.local import LocalAssets
from farandole.events.errors import ConfigError
from farandole.log.ports import AssetStore

CACHE_SIZE = 10 * 1024**3  # bytes


class Whereabouts(NamedTuple):
    """Where assets lie. `cache`: the folder of local copies of what lies elsewhere, `cache_size` bytes at most.

    An empty `cache` is one folder for each user, below the system's for temporary files.
    """

    assets: str
    cache: str = ""
    cache_size: int = CACHE_SIZE


def open_assets(where: Whereabouts) -> AssetStore:
    """The store; nothing is asked of it yet.

    Raises ConfigError naming the remedy: for what can hold no assets, for access that is said in vain or in part, and
    where what a bucket needs is not installed.
    """
    address = read_address(where.assets)
    read_access(address)
    if isinstance(address, Address):
        return _objects(address, where)
    if os.path.lexists(address) and not address.is_dir():
        raise ConfigError(f"assets {address}: no folder; name another (--assets)")
    return LocalAssets(address)


def _objects(address: Address, where: Whereabouts) -> AssetStore:
    if importlib.util.find_spec("obstore") is None:
        raise ConfigError(
            f"assets: {address.scheme}: needs obstore, which is not installed; pip install 'farandole[objects]'"
        )
    bucket = importlib.import_module("farandole.assets.bucket")  # an extra
    copies = Copies(Path(where.cache) if where.cache else _own_folder(), where.cache_size)
    store: AssetStore = importlib.import_module("farandole.assets.objects").ObjectAssets(bucket.Bucket(address), copies)
    return store


def _own_folder() -> Path:
    """Below a folder in which everybody may write, so it has to be ours alone."""
    folder = Path(tempfile.gettempdir()) / f"farandole-assets-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ConfigError(f"asset_cache: {folder} is not this user's alone; name another folder")
    return folder
