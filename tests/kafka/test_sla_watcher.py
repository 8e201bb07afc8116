"""A program of another framework joins: what the SLA watcher tells is true, whatever becomes of it, and harms nobody.

It runs as processes of its own environment. What it ought to tell is worked out here anew, from the journal.
"""

import asyncio
import fcntl
import json
import math
import os
import signal
import subprocess
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from farandole.client import AsyncClient
from scripts.kafka import Cluster
from tests.kafka.serving import awaited, records_of, serving
from tests.kafka.session import REQUIRE
from tests.kafka.watched import alarm, watched

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WINDOW = 3  # seconds
MOST_FAILURES, MOST_P95 = 0.2, 0.2
PACE = 0.05  # seconds between two pieces of work
SOON = 90.0  # seconds in which everything is told of, a dead member's session of 10 s included
NEAR = 0.02  # a p95 this near to the limit may count as either; the watcher's is right within 1 %


WATCHED, ALARM = {"tests.kafka.watched:watched": watched}, {"tests.kafka.watched:alarm": alarm}
Key = tuple[str, int]  # step, and beginning of the window


class Figures(NamedTuple):
    """What happened in a window."""

    total: int
    failures: int
    p95: float | None


class Told(NamedTuple):
    """One record of `sla.breached`."""

    id: str
    key: bytes
    value: bytes

    @property
    def window(self) -> Key:
        data = json.loads(self.value)
        return data["step"], int(datetime.fromisoformat(data["window_start"]).timestamp())


def without_watcher(why: str) -> NoReturn:
    """Skip, saying why; fail where Kafka's half has to be tested."""
    if os.environ.get("CI") or os.environ.get(REQUIRE) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(f"\n{'=' * 30} THE SLA WATCHER IS NOT TESTED {'=' * 30}\n{why}")


@pytest.fixture(scope="session")
def python() -> str:
    """The Python of the watcher's environment, which is made where it is missing, by one worker."""
    with (ROOT / "services/sla-watcher/pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            ["sh", "scripts/sla-watcher.sh"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
    if made.returncode:
        without_watcher(f"its environment can't be made: {made.stderr[-2000:]}")
    return str(ROOT / ".venv-sla/bin/python")


class Scene:
    """A log of its own, and watchers of it."""

    def __init__(self, kafka: Cluster, python: str, folder: Path) -> None:
        self.namespace = f"s{uuid.uuid4().hex[:8]}"
        self.bootstrap = kafka.bootstrap
        self.url = f"kafka://{kafka.bootstrap}/{self.namespace}?lease=3"
        self.group = f"{self.namespace}.sla-watcher-{WINDOW}s"
        self._python, self._folder = python, folder
        self.sent = 0

    def run(self, change: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """A watcher with other settings, to its end."""
        command = [self._python, "-m", "sla_watcher"]
        env = {**self._env(), **change}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def _env(self) -> dict[str, str]:
        limits = self._folder / "limits.toml"
        limits.write_text(f"[default]\nfailures = {MOST_FAILURES}\np95 = {MOST_P95}\n")
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
            "SLA_BROKERS": self.bootstrap,
            "SLA_NAMESPACE": self.namespace,
            "SLA_WINDOW": str(WINDOW),
            "SLA_SLACK": "1",
            "SLA_LIMITS": str(limits),
            "SLA_DATA": str(self._folder / "data"),
        }

    @contextmanager
    def watcher(self) -> Iterator["subprocess.Popen[bytes]"]:
        """A watcher, until the block ends; it may be killed before."""
        command = [self._python, "-m", "sla_watcher"]
        with (self._folder / "watcher.log").open("ab") as output:
            process = subprocess.Popen(command, env=self._env(), stdout=output, stderr=output)
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    async def work(self, client: AsyncClient, count: int) -> None:
        """Publish so much work, at the pace."""
        for number in range(self.sent, self.sent + count):
            data = {"key": f"k{number}", "number": number}
            await client.publish("work.meant", data, id=f"w{number}", source="test")
            await asyncio.sleep(PACE)
        self.sent += count

    async def completed(self, client: AsyncClient) -> None:
        """Wait until all work that was published is complete. Raises TimeoutError."""
        async with asyncio.timeout(SOON):
            while True:
                states = [s.status for s in await client.workflows()]
                if states.count("complete") >= self.sent:
                    return
                await asyncio.sleep(0.5)

    async def told(self) -> list[Told]:
        """What was told so far, by a plain consumer of committed records."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            places = [TopicPartition(*place) for place in await asyncio.to_thread(self._places, "sla.breached")]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[Told] = []
            while places and any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [Told(dict(r.headers)["ce_id"].decode(), r.key, r.value) for r in records]
            return found
        finally:
            await consumer.stop()

    def _places(self, name: str) -> list[tuple[str, int]]:
        topic = f"{self.namespace}.{name}"
        topics = AdminClient({"bootstrap.servers": self.bootstrap}).list_topics(timeout=10).topics
        return [(topic, number) for number in topics[topic].partitions] if topic in topics else []

    async def happened(self) -> dict[Key, Figures]:
        """Every window of every step, from the journal."""
        windows: dict[Key, list[tuple[bool, float]]] = defaultdict(list)
        for record in await records_of(self.url, "farandole.journal"):
            start = math.floor(record.time / WINDOW) * WINDOW
            for fact in json.loads(record.value or b"[]"):
                if fact["fact"] in ("completed", "retrying", "dead"):
                    step = f"{fact['service']}/{fact['step']}"
                    failed = fact["fact"] != "completed"
                    windows[step, start].append((failed, fact["finished"] - fact["started"]))
        return {key: figures(ended) for key, ended in windows.items()}

    async def all_told(self, *, once_more: Sequence[Told] = ()) -> list[Told]:
        """Wait until every window that broke a limit is told of, more often than in `once_more`."""
        former = Counter(told.window for told in once_more)
        missing: set[Key] = set()
        try:
            async with asyncio.timeout(SOON):
                while True:
                    owed = {key for key, it in (await self.happened()).items() if breaks(it, 1 + NEAR)}
                    missing = owed - set(Counter(told.window for told in await self.told()) - former)
                    if owed and not missing:
                        return await self.told()
                    await asyncio.sleep(1)
        except TimeoutError:
            output = (self._folder / "watcher.log").read_text(errors="replace")[-4000:]
            pytest.fail(f"never told of {sorted(missing)}; the watcher said:\n{output}")

    def forget(self) -> None:
        """Take everything from a watcher that is not running: its positions and what its tables stand on."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(self.group)]
        assert len(names) == 3
        for future in (*admin.delete_topics(names).values(), *admin.delete_consumer_groups([self.group]).values()):
            future.result(30)


def figures(ended: list[tuple[bool, float]]) -> Figures:
    """By counting, and for the p95 by nearest rank."""
    seconds = sorted(duration for _, duration in ended)
    return Figures(len(ended), sum(failed for failed, _ in ended), seconds[math.ceil(0.95 * len(seconds)) - 1])


def breaks(it: Figures, margin: float) -> bool:
    """Whether a limit is broken, the p95's by a factor of `margin`."""
    return it.failures / it.total > MOST_FAILURES or (it.p95 or 0.0) > MOST_P95 * margin


def check(told: list[Told], happened: dict[Key, Figures]) -> None:
    """All that is told is true; whoever tells a window again says the same, under the same id."""
    said: dict[Key, set[Told]] = defaultdict(set)
    for one in told:
        said[one.window].add(one)
        it, data = happened[one.window], json.loads(one.value)
        assert (data["count"], data["failures"]) == (it.total, it.failures), one
        assert data["p95_seconds"] == pytest.approx(it.p95, rel=0.0102)
        assert breaks(it, 1 - NEAR), one
        assert one.key.decode() == data["step"]
    assert {len(different) for different in said.values()} == {1}
    assert len({one.id for one in told}) == len(said)


@pytest.fixture
def scene(kafka: Cluster, python: str, tmp_path: Path) -> Scene:
    return Scene(kafka, python, tmp_path)


async def test_slow_and_failing_work_is_told_of_with_its_figures_and_a_service_hears_it(scene: Scene) -> None:
    """Of the steps that break a limit, and of no other; it waits for the journal, so it may start before services."""
    with scene.watcher():
        await asyncio.sleep(3)
        async with serving(scene.url, WATCHED | ALARM), AsyncClient(scene.url) as client:
            await scene.work(client, 120)
            await scene.completed(client)
            told = await scene.all_told()
            check(told, await scene.happened())
            heard = await awaited(scene.url, "alarm.rung", len({one.id for one in told}), within=SOON)
    broken = {"watched/slow": ["p95"], "watched/shaky": ["failures"]}
    assert {one.window[0] for one in told} >= set(broken)
    rung = [json.loads(record.value or b"") for record in heard]
    assert all(why in one["why"] for one in rung for why in broken.get(one["step"], []))


def facts(producer: Producer, topic: str, step: str, count: int) -> None:
    """Attempts that failed, as a service would write them, within the producer's transaction; on their way."""
    now = time.time()
    about = {"fact": "retrying", "workflow": "w", "service": "foreign", "step": step}
    fact = about | {"started": now, "finished": now + 0.05}
    headers: dict[str, str | bytes | None] = {
        "ce_specversion": "1.0",
        "ce_id": step,
        "ce_source": "foreign",
        "ce_type": "farandole.facts.v1",
    }
    producer.produce(topic, json.dumps([fact] * count), partition=0, headers=headers)
    producer.flush()


async def test_aborted_facts_are_never_told_of_and_those_of_an_open_transaction_are_waited_for(scene: Scene) -> None:
    """They count in the window in which they were written, however late they are committed."""
    producer = Producer({"bootstrap.servers": scene.bootstrap, "transactional.id": scene.namespace})
    async with serving(scene.url, WATCHED):
        with scene.watcher():
            topic = f"{scene.namespace}.farandole.journal"
            await asyncio.to_thread(producer.init_transactions)
            producer.begin_transaction()
            facts(producer, topic, "aborted", 5)
            producer.abort_transaction()
            producer.begin_transaction()
            facts(producer, topic, "first", 3)
            producer.commit_transaction()
            assert {one.window[0] for one in await scene.all_told()} == {"foreign/first"}
            producer.begin_transaction()
            facts(producer, topic, "held", 4)
            await asyncio.sleep(3 * WINDOW)
            facts(producer, topic, "held", 1)
            assert {one.window[0] for one in await scene.told()} == {"foreign/first"}
            producer.commit_transaction()
            told = await scene.all_told()
    check(told, await scene.happened())
    counts = {key: it.total for key, it in (await scene.happened()).items() if key[0] == "foreign/held"}
    assert sorted(counts.values()) == [1, 4]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"SLA_NAMESPACE": ""}, 78, "sla-watcher: SLA_NAMESPACE is not set; set it to "),
        ({"SLA_LIMITS": ""}, 78, "sla-watcher: nothing is limited; set SLA_MAX_FAILURES or "),
        ({"SLA_BROKERS": "127.0.0.1:1"}, 69, "see that SLA_BROKERS can be reached"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_one_line(
    scene: Scene, change: dict[str, str], code: int, said: str
) -> None:
    """A bad setting is another exit code than a cluster that does not answer."""
    done = scene.run(change)
    assert done.returncode == code
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


async def test_a_watcher_that_is_killed_harms_nobody_and_its_successor_tells_the_same(scene: Scene) -> None:
    """Work completes while nobody watches; a successor with the state, and one without any, tell what is true."""
    async with serving(scene.url, WATCHED), AsyncClient(scene.url) as client:
        with scene.watcher() as victim:
            await scene.work(client, 60)
            await scene.all_told()
            await scene.work(client, 30)  # in the middle of a window, as a rule
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        await scene.work(client, 60)
        await scene.completed(client)
        with scene.watcher():
            before = await scene.all_told()
            check(before, await scene.happened())
        scene.forget()
        with scene.watcher():
            again = await scene.all_told(once_more=before)
    check(again, await scene.happened())


async def test_two_watchers_share_the_journal_and_one_takes_over_from_the_other(scene: Scene) -> None:
    """A window's figures are those of all partitions, whoever reads them."""
    async with serving(scene.url, WATCHED, partitions=4), AsyncClient(scene.url) as client:
        with ExitStack() as watchers:
            first = watchers.enter_context(scene.watcher())
            second = watchers.enter_context(scene.watcher())
            await scene.work(client, 120)
            check(await scene.all_told(), await scene.happened())
            await scene.work(client, 40)
            second.send_signal(signal.SIGKILL)
            second.wait()
            await scene.work(client, 40)
            await scene.completed(client)
            check(await scene.all_told(), await scene.happened())
            assert first.poll() is None
