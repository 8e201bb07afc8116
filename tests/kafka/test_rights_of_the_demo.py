"""The ten services of the demonstration, each as a user with exactly its rights, make a product of a scene."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from farandole.cli.services import load_services
from farandole.client import AsyncClient
from farandole.config import Loaded, load
from farandole.log.care import Right
from farandole.runtime.declare import Service
from farandole.runtime.rights import rights, rights_of_administrator, rights_of_observer
from scripts.demo.scene import TYPE, find_scene
from scripts.kafka import NoKafka
from tests.cli.project import end, environment
from tests.kafka.entitled import Entitled, entitled_kafka, login
from tests.kafka.session import without_kafka

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIMIT = 240.0  # seconds that one run may take on a busy machine
SPACE = "demo"


@pytest.fixture(scope="module")
def entitled() -> Iterator[Entitled]:
    """With no users."""
    try:
        with entitled_kafka() as broker:
            yield broker
    except NoKafka as error:
        without_kafka(error)


@pytest.fixture
def demo() -> Loaded:
    """The demonstration's own settings."""
    return load({}, file=ROOT / "farandole.toml")


def _entitle(broker: Entitled, services: Mapping[str, Service]) -> None:
    publisher = [*rights_of_observer(), Right("topic", TYPE, False, ("WRITE",))]
    given = {service.name: rights(service) for service in services.values()}
    given |= {"keeper": rights_of_administrator(), "publisher": publisher}
    broker.make_users(given)
    for user, of in given.items():
        broker.give(user, of, SPACE)


@contextmanager
def _serving(services: Mapping[str, Service], env: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Each in a process; none of them is refused anything."""
    with ExitStack() as stack:
        processes = []
        for target, service in services.items():
            said = stack.enter_context((folder / f"{service.name}.err").open("w"))
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "farandole", "run", target],
                    cwd=folder, env={**env, **login(service.name)}, stdout=said, stderr=said, text=True,
                    start_new_session=True,
                )
            )  # fmt: skip
        try:
            yield
            assert [process.poll() for process in processes] == [None] * len(processes)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                end(process)
            told = [path.read_text() for path in folder.glob("*.err")]
            assert not [text for text in told if "AUTHORIZATION" in text]


async def test_the_demonstration_works_with_exactly_its_rights(
    entitled: Entitled, demo: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Topics are made beforehand; the scene is published by somebody who may publish scenes, and nothing else."""
    services, scene = dict(load_services(demo.config.up.services, demo)), find_scene()
    _entitle(entitled, services)
    url = entitled.url(SPACE)
    env = environment() | {
        "FARANDOLE_CONFIG": str(ROOT / "farandole.toml"),
        "FARANDOLE_LOG": url,
        "FARANDOLE_ASSETS": str(tmp_path / "assets"),
        "FARANDOLE_ROOTS": str(scene.folder),
        "FARANDOLE_SCRATCH": str(tmp_path),
        "CATALOGUE_SHELF": str(tmp_path / "products"),
    }
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "farandole", "topics", "apply", "--yes"],
        cwd=tmp_path, env=env | login("keeper"), capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    for name, text in login("publisher").items():
        monkeypatch.setenv(name, text)
    with _serving(services, env, tmp_path):
        async with AsyncClient(url) as client:
            async with asyncio.timeout(LIMIT):
                while len((await client.observe()).manifests) < len(services):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.2)
            flow = (await client.publish(TYPE, scene.data)).workflow
            assert (await client.wait(flow, timeout=LIMIT)).status == "complete"
    assert (tmp_path / "products" / scene.scene_id / "product.tif").is_file()
