"""What the chain's tests share: the declared sensors, and the real scene once through the plain loop."""

import pytest

from ingest.sensors import Sensor, load_sensors
from tests.support.plain_chain import PlainRun, demo_scene, run_chain


def pytest_configure(config: pytest.Config) -> None:
    # rasterio 1.4 multiplies affine matrices in the way that affine 3 announces to retire.
    config.addinivalue_line("filterwarnings", "ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="session")
def sensors() -> dict[str, Sensor]:
    return load_sensors()


@pytest.fixture(scope="session")
def tiled(sensors: dict[str, Sensor], tmp_path_factory: pytest.TempPathFactory) -> PlainRun:
    """The demonstration's scene, in windows of 256 pixels."""
    return run_chain(demo_scene(), sensors["sentinel-2-l1c"], tmp_path_factory.mktemp("tiled"), tiled=True)
