"""Containers run: healthy, on a read-only root, and stopped without losing anything."""

import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from scripts.containers import Engine
from scripts.containers.images import OBSERVE, services
from tests.containers.building import Built, Python
from tests.containers.running import GRACE, Container, running, volume

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
SCENES = Path(__file__).with_name("scenes.py")
ONES = [name for name in services() if name not in (OBSERVE, "sla-watcher")]
MANY = 400
ZOMBIES = """
import glob
states = [open(path).read().rpartition(")")[2].split()[0] for path in glob.glob("/proc/[0-9]*/stat")]
print(states.count("Z"))
"""


def test_every_service_turns_healthy_and_a_stop_ends_it_well(built: Built, engine: Engine) -> None:
    """Process 1 is the service itself, so SIGTERM reaches it; it ends within its grace, with 0. On both Pythons."""
    each: list[tuple[str, Python]] = [*((service, "3.13") for service in ONES), ("masking", "3.11")]
    images = [built.image(service, python).name for service, python in each]
    with ExitStack() as stack:
        started = [
            stack.enter_context(running(engine, image, volume=stack.enter_context(volume(engine)))) for image in images
        ]
        for (service, _), container in zip(each, started, strict=True):
            container.await_health()
            assert f"farandole\0run\0{service}.steps:service" in container.exec("cat", "/proc/1/cmdline")
        for container in started:
            code, seconds = container.stop()
            assert (code, seconds < GRACE) == (0, True), container.logs()
            assert '"event": "stopped"' in container.logs()


def test_a_projector_turns_healthy_and_answers(built: Built, engine: Engine) -> None:
    """Its store in a volume; a question is a command of the same image."""
    env = {"FARANDOLE_STORE": "sqlite:////var/lib/farandole/tables.db"}
    with volume(engine) as data:
        with running(engine, built.image("ingest").name, volume=data) as ingest:
            ingest.await_health()
            assert ingest.stop()[0] == 0
        with running(engine, built.image("observe").name, volume=data, env=env) as observe:
            observe.await_health()
            assert "ingest" in observe.exec("farandole", "topology")
            code, _ = observe.stop()
            assert code == 0, observe.logs()


def test_a_stop_in_the_midst_of_work_loses_nothing(built: Built, engine: Engine) -> None:
    """Stopped and started again twice: every scene has its answer, once."""
    with volume(engine) as data, running(engine, built.image("ingest").name, volume=data) as container:
        container.await_health()
        scenes(container, "publish", str(MANY))
        for times in (1, 2):
            container.until(partial(launched, container, times))
            container.until(lambda: len(refused(container)) > 0)
            code, _ = container.stop()
            assert code == 0, container.logs()
            engine.docker("start", container.name)
        container.until(lambda: len(refused(container)) >= MANY)
        assert refused(container) == sorted(f"s{number}" for number in range(MANY))
        # Worker processes have come and gone; nothing of them is left that process 1 would have to fetch.
        assert container.exec("/opt/farandole/bin/python", "-ISc", ZOMBIES) == "0"


def launched(container: Container, times: int) -> bool:
    """Whether it has got past its start so often: from then on a signal ends it in order."""
    return container.logs().count('"event": "started"') == times


def scenes(container: Container, *arguments: str) -> str:
    """What the script said, in the container."""
    command = ["exec", "--interactive", container.name, "/opt/farandole/bin/python", "-", *arguments]
    return container.engine.docker(*command, stdin=SCENES.read_bytes())


def refused(container: Container) -> list[str]:
    """Keys of the refusals in the log."""
    found: list[str] = json.loads(scenes(container, "refused"))
    return found


def test_a_stop_while_it_starts_ends_it_at_once(built: Built, engine: Engine) -> None:
    """The system keeps signals from a process 1 that does not heed them: it would wait for the grace, and be killed."""
    with volume(engine) as data, running(engine, built.image("ingest").name, volume=data) as container:
        container.until(lambda: "farandole" in container.exec("cat", "/proc/1/cmdline"))
        code, seconds = container.stop()
        assert code in (0, 143), container.logs()
        assert seconds < GRACE / 2


def test_a_service_whose_log_is_not_to_be_had_refuses_to_start(built: Built, engine: Engine) -> None:
    """With its reason and the code that says so, not with a trace."""
    with running(engine, built.image("ingest").name, env={"FARANDOLE_LOG": "nowhere://"}) as container:
        assert container.await_end() == 78, container.logs()
        assert "Traceback" not in container.logs()


def test_the_watcher_without_a_broker_ends_with_what_to_do(built: Built, engine: Engine) -> None:
    """It is a program of another framework, and gives its own codes."""
    env = {"SLA_BROKERS": "127.0.0.1:1", "SLA_NAMESPACE": "eo", "SLA_MAX_FAILURES": "0.1"}
    with running(engine, built.image("sla-watcher").name, env=env) as container:
        assert container.await_end() == 69, container.logs()
        assert "see that SLA_BROKERS can be reached" in container.logs()


def test_an_image_of_several_services_runs_them_all(built: Built, engine: Engine) -> None:
    """And any command of farandole: with the services at hand, as `topics apply` needs them."""
    image = built.image("all").name
    with volume(engine) as data:
        with running(engine, image, volume=data) as container:
            container.await_health()
            assert all(f"{name}.steps:service" in container.exec("cat", "/proc/1/cmdline") for name in ONES)
            assert container.stop()[0] == 0, container.logs()
        with running(engine, image, "status", volume=data) as container:
            assert container.await_end() == 0, container.logs()
