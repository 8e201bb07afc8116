"""Where a Kafka is looked for, in which order, and what is said where there is none."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.kafka import Cluster, KafkaFailed, NoKafka, artifacts, kafka_cluster
from tests.kafka.session import REQUIRE, session_kafka, without_kafka

ROOT = Path(__file__).resolve().parents[2]
_NOBODY = "127.0.0.1:9"
_MAVEN = """#!/bin/sh
echo run >>"$COUNT"
for word in "$@"; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
sleep 0.3
touch "$folder/kafka_2.13-4.jar"
echo 'no route to the repository'
exit "$CODE"
"""


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Kafka is named, no Docker engine answers, and there is no program at all."""
    for name in ("FARANDOLE_TEST_KAFKA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{_NOBODY}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def engine() -> Iterator[tuple[str, list[bytes]]]:
    """An address that answers every request as a broken Docker engine, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.slow
@pytest.mark.usefixtures("nothing")
def test_a_named_kafka_beats_all(kafka: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used as it is; neither Docker nor Java is looked for."""
    monkeypatch.setenv("FARANDOLE_TEST_KAFKA", kafka.bootstrap)
    with kafka_cluster() as cluster:
        assert cluster == Cluster(kafka.bootstrap, "given")


@pytest.mark.slow
@pytest.mark.usefixtures("nothing")
def test_a_named_kafka_with_fewer_nodes_than_asked_for_is_refused(
    kafka: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that needs replicas must not pass on a cluster that has none."""
    monkeypatch.setenv("FARANDOLE_TEST_KAFKA", kafka.bootstrap.partition(",")[0])
    monkeypatch.setattr("scripts.kafka.cluster._GIVEN_TIMEOUT", 2.0)
    with pytest.raises(KafkaFailed, match="did not name 99 nodes"), kafka_cluster(99):
        pass


@pytest.mark.slow
def test_a_named_kafka_that_does_not_answer_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names one wants that one tested."""
    monkeypatch.setenv("FARANDOLE_TEST_KAFKA", _NOBODY)
    monkeypatch.setattr("scripts.kafka.cluster._GIVEN_TIMEOUT", 2.0)
    with pytest.raises(KafkaFailed, match="FARANDOLE_TEST_KAFKA is set, but"), kafka_cluster():
        pass


@pytest.mark.usefixtures("nothing")
def test_where_there_is_no_kafka_the_error_names_all_three_in_order_and_the_remedy() -> None:
    """One error says what was tried and what to install."""
    with pytest.raises(NoKafka) as caught, kafka_cluster():
        pass
    lines = [line for line in str(caught.value).splitlines() if line.startswith("- ")]
    assert [line.split()[1] for line in lines] == ["given:", "docker:", "java:"]
    assert "apt-get install default-jre-headless maven" in str(caught.value)


@pytest.mark.usefixtures("nothing")
def test_docker_is_asked_before_java_and_its_failure_does_not_end_the_search(
    engine: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken engine is asked, told of, and passed over."""
    address, asked = engine
    monkeypatch.setenv("DOCKER_HOST", address)
    with (
        pytest.raises(NoKafka, match=r"docker: no Docker engine answers .*500[^\n]*\n- java: no java"),
        kafka_cluster(),
    ):
        pass
    assert asked


@pytest.mark.usefixtures("nothing")
def test_a_java_that_is_too_old_is_refused_with_its_version(tmp_path: Path) -> None:
    """Kafka's brokers need Java 17; an older one would fail much later."""
    _program(tmp_path / "java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    with pytest.raises(NoKafka, match=r"Java 17 or newer is needed.*11\.0\.2"):
        artifacts.find_java()


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in Maven's place and an empty cache; the file counts its runs."""
    _program(tmp_path / "bin" / "mvn", _MAVEN)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COUNT", str(tmp_path / "runs"))
    monkeypatch.setenv("CODE", "0")
    return tmp_path / "runs"


def test_processes_that_need_the_jars_at_once_fetch_them_once(maven: Path) -> None:
    """Parallel workers on a fresh machine wait for the first, and all get the same folder."""
    script = "from scripts.kafka.artifacts import find_jars; print(find_jars())"
    command = [sys.executable, "-c", script]
    workers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = {worker.communicate()[0].strip() for worker in workers}
    assert maven.read_text().split() == ["run"]
    (folder,) = found
    assert [path.name for path in Path(folder).glob("*.jar")] == ["kafka_2.13-4.jar"]


def test_a_fetch_that_fails_says_why_and_leaves_no_half_of_a_cache(
    maven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call tries again, and does not take what is there for all."""
    monkeypatch.setenv("CODE", "1")
    with pytest.raises(NoKafka, match="no route to the repository"):
        artifacts.find_jars()
    assert not list((maven.parent / "cache").rglob("*.jar"))
    monkeypatch.setenv("CODE", "0")
    assert list(artifacts.find_jars().glob("kafka_*.jar"))


@pytest.mark.parametrize("name", ["CI", REQUIRE])
def test_without_kafka_tests_skip_aloud_but_fail_where_it_is_required(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that must not be partial does not pass by skipping."""
    for each in ("CI", REQUIRE):
        monkeypatch.delenv(each, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"NOT TESTED[^\0]*install Java"):
        without_kafka(NoKafka("install Java"))
    monkeypatch.setenv(name, "1")
    with pytest.raises(pytest.fail.Exception, match="install Java"):
        without_kafka(NoKafka("install Java"))


@pytest.mark.slow
def test_the_worker_that_started_the_kafka_of_a_run_ends_it_only_when_the_others_have_left(
    kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers get the same one, for as long as any of them needs it."""
    monkeypatch.setenv("FARANDOLE_TEST_KAFKA", kafka.bootstrap)
    owner, user = session_kafka(tmp_path), session_kafka(tmp_path)
    first = owner.__enter__()
    monkeypatch.delenv("FARANDOLE_TEST_KAFKA")  # whoever looked for one of its own would not get this one
    assert user.__enter__() == first
    leaving = threading.Thread(target=owner.__exit__, args=(None, None, None))
    leaving.start()
    leaving.join(0.5)
    assert leaving.is_alive()
    user.__exit__(None, None, None)
    leaving.join(10)
    assert not leaving.is_alive()


@pytest.mark.slow
def test_what_a_killed_worker_left_written_is_not_taken_for_a_kafka(
    kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Kafka ended with it, so the next worker looks for one itself."""
    monkeypatch.setenv("FARANDOLE_TEST_KAFKA", kafka.bootstrap)
    (tmp_path / "kafka.json").write_text(f'["{_NOBODY}", "java"]')
    with session_kafka(tmp_path) as cluster:
        assert cluster.bootstrap == kafka.bootstrap


@pytest.mark.slow
def test_a_kafka_that_ended_before_its_run_is_said_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whatever failed for want of it would hide why."""
    monkeypatch.delenv("FARANDOLE_TEST_KAFKA", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{_NOBODY}")
    with pytest.raises(KafkaFailed, match="ended by itself; its log said"):
        _run_whose_kafka_is_killed(tmp_path)


def _run_whose_kafka_is_killed(folder: Path) -> None:
    before = _brokers()
    with session_kafka(folder):
        (mine,) = _brokers() - before
        ending = [mine, *mine.parents()[:1]]  # its keeper tells of it, then ends
        mine.kill()
        _, left = psutil.wait_procs(ending, 20)
        assert not left


def _brokers() -> set[psutil.Process]:
    return {each for each in psutil.Process().children(recursive=True) if each.name() == "java"}


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
