"""On a Kafka that denies by default each service works with exactly its rights, and with nobody else's."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from farandole.client import AsyncClient
from farandole.engines.kafka.granting import entry, granting
from farandole.engines.kafka.names import Names
from farandole.engines.keep import examine
from farandole.engines.open import open_log
from farandole.events.errors import LogUnavailable
from farandole.log.care import ENGINE_TOPICS, Finding, Right
from farandole.log.record import NewRecord
from farandole.runtime.ground import kinds
from farandole.runtime.rights import rights, rights_of_administrator, rights_of_observer
from farandole_observe.projector.replica import Replica
from farandole_observe.store.opening import MEMORY, open_store
from scripts.kafka import NoKafka
from tests.cli.project import end, environment, until
from tests.kafka.entitled import Entitled, entitled_kafka, login, single
from tests.kafka.secured import CANARY
from tests.kafka.session import without_kafka
from tests.kafka.wrapping import SERVICES, cutting, packing, painting

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds
USERS = ["keeper", "operator", "observer", *(service.name for service in SERVICES)]
BY_HAND = [Right("topic", "order.placed", False, ("WRITE",)), Right("topic", "painting.paint.inbox", False, ("WRITE",))]
"""What an operator has beside an observer's rights: to publish, and to redrive."""


class As:
    """Sets the environment of a user."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, user: str) -> None:
        for name, text in login(user).items():
            self._monkeypatch.setenv(name, text)


@pytest.fixture(scope="module")
def entitled() -> Iterator[Entitled]:
    """With users, and no rights."""
    try:
        with entitled_kafka() as broker:
            broker.make_users(USERS)
            yield broker
    except NoKafka as error:
        without_kafka(error)


@pytest.fixture
def space() -> str:
    """A namespace that nobody has rights in yet."""
    return f"r{uuid.uuid4().hex[:6]}"


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> As:
    """Who opens a log from now on, in this process."""
    for name in [name for name in os.environ if name.startswith("FARANDOLE_KAFKA_")]:
        monkeypatch.delenv(name)
    return As(monkeypatch)


def _environment(url: str, user: str, folder: Path) -> dict[str, str]:
    own = {"FARANDOLE_LOG": url, "PYTHONPATH": str(ROOT), "BRUSH": str(folder / "brush")}
    return environment() | login(user) | own


def _run(url: str, user: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "farandole", *words],
        cwd=folder, env=_environment(url, user, folder), capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip


@contextmanager
def _serving(url: str, name: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A service in a process of its own, as a user of its own, once it has started; ended afterwards."""
    said = folder / f"{name}-{uuid.uuid4().hex[:4]}.err"
    with said.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "farandole", "run", f"tests.kafka.wrapping:{name}"],
            cwd=folder, env=_environment(url, name, folder), stdout=err, stderr=err, text=True,
            start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: '"event": "started"' in said.read_text(), lambda: said.read_text())
        yield process
        if process.poll() is None:
            process.terminate()
            assert process.wait(LIMIT) == 0, said.read_text()
    finally:
        end(process)
        assert "AUTHORIZATION" not in said.read_text()


async def test_every_service_works_with_exactly_its_rights(
    entitled: Entitled, space: str, as_user: As, tmp_path: Path
) -> None:
    """Fan-out, order, fan-in and join; a long dead letter outlives a kill, is restored by who takes over, and redriven.

    An administrator makes the topics beforehand, an operator publishes and redrives, an observer only looks: each of
    them with no more than its rights either.
    """
    url = entitled.url(space)
    entitled.give("keeper", rights_of_administrator(), space)
    entitled.give("observer", rights_of_observer(), space)
    entitled.give("operator", [*rights_of_observer(), *BY_HAND], space)
    for service in SERVICES:
        entitled.give(service.name, rights(service), space)
    targets = [f"tests.kafka.wrapping:{service.name}" for service in SERVICES]
    made = await asyncio.to_thread(_run, url, "keeper", tmp_path, "topics", "apply", *targets, "--yes", "--json")
    assert made.returncode == 0, made.stderr
    topics = {change["topic"] for change in json.loads(made.stdout)["changes"]}
    assert {spec.name for spec in ENGINE_TOPICS} < topics
    assert {right.name for service in SERVICES for right in rights(service) if right.kind == "topic"} == topics

    as_user("operator")
    with ExitStack() as stack:
        for name in ("cutting", "packing"):
            await asyncio.to_thread(stack.enter_context, _serving(url, name, tmp_path))
        async with AsyncClient(url) as client:
            with _serving(url, "painting", tmp_path) as doomed:
                flows = await _dance_until_one_is_dead(client)
                doomed.send_signal(signal.SIGKILL)
                await asyncio.to_thread(doomed.wait)
            await asyncio.to_thread(stack.enter_context, _serving(url, "painting", tmp_path))
            (tmp_path / "brush").touch()
            (letter,) = await client.dead()
            await client.redrive(letter.delivery)
            await _until_complete(client, flows)
        for service in SERVICES:
            as_user(service.name)
            assert _verdicts(await examine(url, kinds, rights(service)), "rights") == ["ok"]
        as_user("observer")
        await _observe(url, flows)


async def _dance_until_one_is_dead(client: AsyncClient) -> list[str]:
    data = [{"order": order, "payer": "p", "pieces": 3} for order in ("plain", "odd")]
    flows = [(await client.publish("order.placed", one)).workflow for one in data]
    await client.wait(flows[0], timeout=LIMIT)
    async with asyncio.timeout(LIMIT):
        while not await client.dead():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    return flows


async def _until_complete(client: AsyncClient, flows: list[str]) -> None:
    """A dead letter stands until its service takes the word of its redrive."""
    async with asyncio.timeout(LIMIT):
        while {(await client.status(flow)).status for flow in flows} != {"complete"}:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)


async def _observe(url: str, flows: list[str]) -> None:
    """The fold, positions and leases, and a projector's tables."""
    async with AsyncClient(url) as client:
        await _until_complete(client, flows)
        assert {"painting/paint", "packing/wrap/piece.painted"} <= (await client.log.leases()).keys()
        assert await client.log.committed("painting/paint")
        store = await open_store(MEMORY)
        replica = Replica(client.log, store, "one")
        await replica.catch_up()
        await replica.close()
        await store.close()


def _verdicts(findings: list[Finding], check: str) -> list[str]:
    return [finding.verdict for finding in findings if finding.check == check]


async def test_a_doctor_names_each_right_that_is_taken_away(
    entitled: Entitled, space: str, as_user: As, tmp_path: Path
) -> None:
    """That one and no other, as failing, with the line that gives it back; all else that it looks at goes on."""
    url, names, wanted = entitled.url(space), Names(space), rights(cutting)
    entitled.make_topics(names.outer(right.name) for right in wanted if right.kind == "topic")
    entitled.give("cutting", wanted, space)
    as_user("cutting")
    assert _verdicts(await examine(url, kinds, wanted), "rights") == ["ok"]
    for right in single(wanted):
        entitled.take("cutting", [right], space)
        findings = [finding for finding in await examine(url, kinds, wanted) if finding.check == "rights"]
        (finding,) = findings
        assert finding.verdict == "fail"
        assert right.name in finding.said
        assert finding.said.endswith(f"this user may not {right.operations[0]}")
        assert finding.remedy == f"kafka-acls {granting(right, names, 'User:cutting')}"
        entitled.give("cutting", [right], space)
    well = await asyncio.to_thread(_run, url, "cutting", tmp_path, "doctor", "tests.kafka.wrapping:cutting", "--json")
    shown = [f for f in json.loads(well.stdout)["findings"] if f["check"] == "rights"]
    assert [finding["verdict"] for finding in shown] == ["ok"]
    groups = {group.group_id for group in entitled.asking.list_consumer_groups().result(LIMIT).valid}
    assert not [group for group in groups if group.startswith(f"{space}.")]  # none came to be by looking


def test_a_doctor_exits_with_1_where_a_right_is_lacking(entitled: Entitled, space: str, tmp_path: Path) -> None:
    """And with a finding for each resource, where the user has none at all; for the topics' names are not hidden."""
    entitled.make_topics(Names(space).outer(right.name) for right in rights(painting) if right.kind == "topic")
    done = _run(entitled.url(space), "painting", tmp_path, "doctor", "tests.kafka.wrapping:painting", "--json")
    assert done.returncode == 1, done.stderr
    shape = json.loads(done.stdout)
    assert shape["well"] is False
    lacking = [finding["said"] for finding in shape["findings"] if finding["check"] == "rights"]
    assert len(lacking) == len(rights(painting))
    for right in rights(painting):
        assert any(right.name in said and ", ".join(right.operations) in said for said in lacking)


async def test_a_doctor_warns_of_topics_that_are_not_there(entitled: Entitled, space: str, as_user: As) -> None:
    """Their rights cannot be asked for; those of groups and transactional ids can, before there are any."""
    entitled.give("packing", rights(packing), space)
    as_user("packing")
    findings = [f for f in await examine(entitled.url(space), kinds, rights(packing)) if f.check == "rights"]
    assert {finding.verdict for finding in findings} == {"warn"}
    assert {finding.said for finding in findings} == {
        f"topic {right.name!r} is not there" for right in rights(packing) if right.kind == "topic"
    }


def _client(entitled: Entitled, user: str, **more: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": f"127.0.0.1:{entitled.port}",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": CANARY,
        "log_level": 0,
        **more,
    }


def test_what_is_a_neighbours_is_refused(entitled: Entitled, space: str) -> None:
    """Its topics, states and inboxes to write and to read, its groups and its transactional ids; by the broker."""
    names = Names(space)
    entitled.make_topics(
        {names.outer(r.name) for service in (cutting, painting) for r in rights(service) if r.kind == "topic"}
    )
    entitled.give("painting", rights(painting), space)
    own = {(right.kind, right.name, *right.operations) for right in single(rights(painting))}
    theirs = [r for r in single(rights(cutting)) if (r.kind, r.name, *r.operations) not in own]
    tried = set()
    for right in theirs:
        name = entry(right, names).name
        if right.operations == ("WRITE",):
            refused = _written(entitled, name) if right.kind == "topic" else _begun(entitled, f"{name}x")
        elif right.operations == ("READ",):
            of_group = right.kind == "group"
            group = name if of_group else names.outer("painting/paint")
            refused = _read(entitled, group, names.outer("piece.cut") if of_group else name)
        else:
            continue
        assert refused == f"{right.kind.upper().replace('-', '_')}_AUTHORIZATION_FAILED", right
        tried.add(right.name)
    assert tried >= {"order.placed", "order.billed", "cutting.cut.state", "cutting.bill.inbox", "cutting.dlq",
                     "cutting/cut", "cutting/bill/order.placed", "cutting/"}  # fmt: skip
    assert _written(entitled, names.outer("piece.painted")) == ""


def _written(entitled: Entitled, topic: str) -> str:
    """The name of the error of a write, or ""."""
    answers: list[str] = []
    producer = Producer(_client(entitled, "painting"))
    producer.produce(
        topic, b"x", partition=0, on_delivery=lambda error, _: answers.append(error.name() if error else "")
    )
    producer.flush(LIMIT)
    return answers[0]


def _begun(entitled: Entitled, transactional_id: str) -> str:
    producer = Producer(_client(entitled, "painting", **{"transactional.id": transactional_id}))
    try:
        producer.init_transactions(LIMIT)
    except KafkaException as raised:
        return str(raised.args[0].name())
    return ""


def _read(entitled: Entitled, group: str, topic: str) -> str:
    with closing(Consumer(_client(entitled, "painting", **{"group.id": group}))) as consumer:
        consumer.subscribe([topic])
        found = consumer.poll(LIMIT)
        error = None if found is None else found.error()
        return "" if error is None else str(error.name())


async def test_an_observer_writes_nothing_and_is_told_so(entitled: Entitled, space: str, as_user: As) -> None:
    """It sees the topic. Given the right, the same handle writes."""
    entitled.make_topics([f"{space}.order.placed"])
    entitled.give("observer", rights_of_observer(), space)
    as_user("observer")
    log = await open_log(entitled.url(space))
    try:
        assert [spec.name for spec in await log.topics()] == ["order.placed"]
        with pytest.raises(LogUnavailable, match="farandole doctor names them"):
            await log.append([NewRecord("order.placed", b"x")])
        entitled.give("observer", [Right("topic", "order.placed", False, ("WRITE",))], space)
        assert await log.append([NewRecord("order.placed", b"x")]) == [("order.placed", 0, 0)]
    finally:
        await log.close()
