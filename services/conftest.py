"""What the services' tests share: a context on a store of its own, small rasters, and a third party's warning."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin

from farandole import Context
from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.runtime.context import Tools

Raster = Callable[..., Path]


def pytest_configure(config: pytest.Config) -> None:
    # rasterio 1.4 multiplies affine matrices in the way that affine 3 announces to retire.
    config.addinivalue_line("filterwarnings", "ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    """A context as the runtime would give it; `file:` URIs may name what lies in `inbox`."""
    store = LocalAssets(tmp_path / "assets")
    (tmp_path / "inbox").mkdir(exist_ok=True)
    context = Context(workflow="w", delivery="d", tools=Tools(store, Resolver(store, [tmp_path / "inbox"])))
    yield context
    context.clean()


@pytest.fixture
def raster(tmp_path: Path) -> Raster:
    """Writes `pixels` (bands, rows, columns) as the GeoTIFF `inbox/<name>`, 10 m, its bands named `names`."""
    (tmp_path / "inbox").mkdir(exist_ok=True)

    def write(name: str, pixels: npt.NDArray[Any], names: Sequence[str] = (), **changes: Any) -> Path:
        bands, height, width = pixels.shape
        profile = {"driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": pixels.dtype}
        place = {"crs": "EPSG:32633", "transform": from_origin(330000, 5822040, 10, 10)}
        with rasterio.open(tmp_path / "inbox" / name, "w", **profile | place | changes) as target:
            target.write(pixels)
            target.descriptions = tuple(names) or (None,) * bands
        return tmp_path / "inbox" / name

    return write


@pytest.fixture
def pixels_of() -> Callable[[Path], npt.NDArray[Any]]:
    """Reads all pixels of a raster."""

    def read(path: Path) -> npt.NDArray[Any]:
        with rasterio.open(path) as source:
            return np.asarray(source.read())

    return read
