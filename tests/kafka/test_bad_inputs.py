"""Bad input that needs a Kafka: where each record ends, that its partition goes on, and what services refuse."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from farandole import Event, Service
from farandole.client import AsyncClient
from farandole.client.letters import DeadLetter
from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.positions import positions_of
from farandole.engines.kafka.pump import PATIENCE
from farandole.engines.open import open_log
from farandole.events.errors import BadInput, RecordRefused
from farandole.log.ports import Log
from farandole.log.record import Record
from scripts.kafka import Cluster
from tests.kafka.serving import awaited, records_of, serving

pytestmark = pytest.mark.slow

SOON = 60.0  # seconds
MEGABYTE = 1_000_000
RAISED = 20 * MEGABYTE  # a topic's limit that somebody raised; ours and the brokers' default lie about one megabyte
LOWERED = 10_000  # one that somebody lowered
CANARY = "canary-4c1d"


class Came(Event, type="bad.came", key="k"):
    k: str
    grow: int = 0


class Went(Event, type="bad.went", key="k", final=True):
    k: str
    more: str = ""


bad = Service("bad", accepts=[Came])


@bad.step
async def let_go(came: Came) -> Went:
    return Went(k=came.k, more="x" * came.grow)


SERVICES = {f"{__name__}:bad": bad}


class Foreign(NamedTuple):
    """A record as an outsider writes it."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Case(NamedTuple):
    """`reason`: with which it ends in the dlq, "" where it is handled. `fits`: whether the dlq can hold its value."""

    record: Foreign
    reason: str
    fits: bool = True


def headers_of(name: str, type: str = "bad.came.v1") -> list[tuple[str, bytes | None]]:
    """CloudEvents in binary mode."""
    said = {"specversion": "1.0", "id": name, "source": "outside", "type": type}
    return [("content-type", b"application/json"), *((f"ce_{part}", text.encode()) for part, text in said.items())]


def came(k: str, size: int = 0, grow: int = 0) -> bytes:
    """A good body; with a field that nobody asked for where it has to be of some size."""
    return json.dumps({"k": k, "grow": grow} | ({"more": "y" * size} if size else {})).encode()


def good(name: str) -> Foreign:
    """What follows a bad one."""
    return Foreign(came(name), name.encode(), headers_of(name))


def _case(name: str, reason: str, value: bytes | None, *more: tuple[str, bytes | None]) -> Case:
    return Case(Foreign(value, name.encode(), [*headers_of(name), *more]), reason)


def _keyed(key: bytes | None, case: Case) -> Case:
    return case._replace(record=case.record._replace(key=key))


CASES: dict[str, Case] = {
    "12 a tombstone": _case("12", "undecodable", None),
    "12 a tombstone without anything": Case(Foreign(None, None, []), "undecodable"),
    "27 another type's schema": Case(Foreign(came("27"), b"27", headers_of("27", "bad.other.v1")), "invalid"),
    "30 a header without a value": _case("30a", "", came("30a"), ("x", None)),
    "30 an empty key": _keyed(b"", _case("30b", "", came("30b"))),
    "30 no key": _keyed(None, _case("30c", "", came("30c"))),
    "30 an attribute without a value": Case(
        Foreign(came("30d"), b"30d", [(n, None if n == "ce_id" else raw) for n, raw in headers_of("30d")]),
        "undecodable",
    ),
    "32 a header of 900 kB": _case("32", "undecodable", came("32"), ("x", b"y" * 900_000)),
    "32 a header of 900 kB, and 100 kB of data": _case(
        "32b", "undecodable", came("32b", 100_000), ("x", b"y" * 900_000)
    ),
    "22 as much as the brokers take by default": _case("22a", "", came("22a", 1_047_400)),
}
LARGE: dict[str, Case] = {
    "eight megabytes of data": _case("l1", "undecodable", came("l1", 8 * MEGABYTE))._replace(fits=False),
    "eight megabytes of one header": _case("l2", "undecodable", came("l2"), ("x", b"y" * 8 * MEGABYTE)),
    "a key of two megabytes": _keyed(b"k" * 2 * MEGABYTE, _case("l3", "undecodable", came("l3")))._replace(fits=False),
    "nearly what the topic takes": _case("l4", "undecodable", came("l4", RAISED - 2000))._replace(fits=False),
    "90,000 headers without name or value": _case("l5", "undecodable", came("l5"), *[("", None)] * 90_000),
    "as many, beside nearly what a record may have": _case(
        "l7", "undecodable", came("l7", 960_000), *[("", None)] * 90_000
    ),
    "more headers than the client counts": _case("l6", "undecodable", came("l6"), *[("", None)] * 110_000),
}


class Stage(NamedTuple):
    """A running service; `topic`: Kafka's name of what it takes."""

    url: str
    log: Log
    topic: str


@asynccontextmanager
async def _stage(kafka: Cluster, *, limits: Mapping[str, int] = MappingProxyType({})) -> AsyncIterator[Stage]:
    namespace = f"b{uuid.uuid4().hex[:8]}"
    url, topic = f"kafka://{kafka.bootstrap}/{namespace}?lease=6", f"{namespace}.bad.came"
    async with serving(url, SERVICES, partitions=1):
        for name, limit in limits.items():
            await asyncio.to_thread(_limit, kafka.bootstrap, f"{namespace}.{name}", limit)
        log = await open_log(url)
        try:
            yield Stage(url, log, topic)
        finally:
            await log.close()


def _limit(bootstrap: str, topic: str, limit: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    asking = AdminClient({"bootstrap.servers": bootstrap})
    asking.incremental_alter_configs([resource])[resource].result(SOON)


def _write(bootstrap: str, topic: str, records: Sequence[Foreign]) -> None:
    """With a client that knows nothing of us, and whose limits are raised."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 2 * RAISED, "batch.size": 10_000})
    failed = []
    for one in records:
        producer.produce(
            topic, one.value, one.key, partition=0, headers=list(one.headers), on_delivery=lambda e, _: failed.append(e)
        )
    assert producer.flush(SOON) == 0
    assert set(failed) == {None}


async def _ended(stage: Stage) -> None:
    """Return once the step's position stands at the end of what it takes."""
    async with asyncio.timeout(SOON):
        while True:
            at = (await stage.log.committed("bad/let-go")).get(("bad.came", 0), 0)
            if at == (await stage.log.spans(["bad.came"]))["bad.came", 0].end:
                return
            await asyncio.sleep(0.1)


async def _letters(stage: Stage) -> dict[int, DeadLetter]:
    """By the offset of what they stand for."""
    async with AsyncClient(stage.url) as client:
        return {letter.place[2]: letter for letter in await client.dead() if letter.place is not None}


async def _check_kept(stage: Stage, case: Case, offset: int, kept: Record) -> None:
    """The dlq holds the reason and the bytes as they came, or else where they stand."""
    about = dict(kept.headers)
    assert about["fd-reason"] == case.reason.encode()
    assert about["fd-error"]
    assert about["fd-place"] == f"bad.came/0/{offset}".encode()
    original = await stage.log.fetch("bad.came", 0, offset)
    assert original is not None
    assert (original.value, original.key) == (case.record.value, case.record.key)
    assert [(name, raw) for name, raw in original.headers] == list(case.record.headers)
    assert (kept.value or b"") == ((case.record.value or b"") if case.fits else b"")


async def _perform(kafka: Cluster, cases: dict[str, Case], limits: Mapping[str, int] = MappingProxyType({})) -> None:
    async with _stage(kafka, limits=limits) as stage:
        written = [one for number, case in enumerate(cases.values()) for one in (case.record, good(f"next-{number}"))]
        await asyncio.to_thread(_write, kafka.bootstrap, stage.topic, written)
        handled = [
            json.loads(one.value or b"")["k"]
            for number, case in enumerate(cases.values())
            for one in (case.record, good(f"next-{number}"))
            if not (one is case.record and case.reason)
        ]
        went = await awaited(stage.url, "bad.went", len(handled), within=SOON)
        assert [json.loads(record.value or b"")["k"] for record in went] == handled
        await _ended(stage)
        dead = {2 * number: case for number, case in enumerate(cases.values()) if case.reason}
        assert {at: letter.reason for at, letter in (await _letters(stage)).items()} == {
            at: case.reason for at, case in dead.items()
        }
        kept = await records_of(stage.url, "bad.dlq")
        assert len(kept) == len(dead)
        for (at, case), record in zip(sorted(dead.items()), kept, strict=True):
            await _check_kept(stage, case, at, record)


async def test_a_bad_record_of_an_outsider_is_dead_lettered_and_the_next_one_is_handled(kafka: Cluster) -> None:
    """12, 27, 30, 32: each with its reason and bytes, or handled where what is odd is not used; nothing is left."""
    await _perform(kafka, CASES)


async def test_22_a_record_beyond_our_limit_is_read_and_dead_lettered_and_the_next_one_is_handled(
    kafka: Cluster,
) -> None:
    """On a topic whose limit somebody raised: what cannot fit the dlq is named there by its place."""
    await _perform(kafka, LARGE, {"bad.came": RAISED})


async def test_22_what_a_step_gives_beyond_the_limit_is_dead_lettered_with_the_remedy(kafka: Cluster) -> None:
    """Both sizes are named, and assets; the input stands in the dlq as it came, and the next one is handled."""
    async with _stage(kafka) as stage:
        records = [
            Foreign(came(name, grow=grow), name.encode(), headers_of(name))
            for name, grow in (("large", 1_100_000), ("just", MEGABYTE - 100), ("next", 10))
        ]
        await asyncio.to_thread(_write, kafka.bootstrap, stage.topic, records)
        went = await awaited(stage.url, "bad.went", 1, within=SOON)
        await _ended(stage)
        assert [json.loads(record.value or b"")["k"] for record in went] == ["next"]
        letters = await _letters(stage)
        assert {at: letter.reason for at, letter in letters.items()} == {0: "too-large", 1: "too-large"}
        size = len(Went(k="large", more="x" * 1_100_000).data())
        assert f"bad.went has {size} bytes of data; the log takes 1000000" in letters[0].error
        assert "put the content into an asset" in letters[0].error
        assert [record.value for record in await records_of(stage.url, "bad.dlq")] == [
            records[0].value,
            records[1].value,
        ]


async def test_22_what_the_brokers_refuse_is_dead_lettered_and_what_was_to_commit_with_it_is_not(
    kafka: Cluster,
) -> None:
    """Their topic takes less than we do, which only they know; it is given up soon, and each other input is handled."""
    async with _stage(kafka, limits={"bad.went": LOWERED}) as stage:
        sizes = {f"n{number}": 2 * LOWERED if number == 7 else 10 for number in range(20)}
        records = [Foreign(came(name, grow=grow), name.encode(), headers_of(name)) for name, grow in sizes.items()]
        begun = time.monotonic()
        await asyncio.to_thread(_write, kafka.bootstrap, stage.topic, records)
        went = await awaited(stage.url, "bad.went", 19, within=SOON)
        await _ended(stage)
        assert time.monotonic() - begun < PATIENCE / 2
        assert sorted(json.loads(record.value or b"")["k"] for record in went) == sorted(sizes.keys() - {"n7"})
        assert {at: letter.reason for at, letter in (await _letters(stage)).items()} == {7: "refused"}


async def test_22_what_a_client_publishes_beyond_the_limit_is_refused_with_the_remedy(kafka: Cluster) -> None:
    """Beyond what any log takes, and beyond what this one does; nothing is written."""
    async with _stage(kafka) as stage, AsyncClient(stage.url) as client:
        with pytest.raises(
            BadInput, match="1100000 bytes of data, at most 1048576: put the content into the asset store"
        ):
            await client.publish("bad.came", b'{"k":"a","more":"' + b"y" * (1_100_000 - 19) + b'"}')
        with pytest.raises(
            RecordRefused, match=r"bad\.came' has \d{7} bytes, and 1000000 is the most; save .* an asset"
        ):
            await client.publish("bad.came", b'{"k":"a","more":"' + b"y" * 1_020_000 + b'"}')
        span = (await stage.log.spans(["bad.came"]))["bad.came", 0]
        assert span.start == span.end
        await client.publish("bad.came", {"k": "next"})
        assert len(await awaited(stage.url, "bad.went", 1, within=SOON)) == 1


def _run(folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    (folder / "few.py").write_text("from farandole import Service\nservice = Service('few')\n")
    plain = {name: text for name, text in os.environ.items() if not name.startswith("FARANDOLE_")}
    return subprocess.run(
        [sys.executable, "-m", "farandole", "run", "few:service"],
        cwd=folder, env=plain | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _refused(done: "subprocess.CompletedProcess[str]") -> str:
    """What a service says that refuses to start: one line, and no secret."""
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.count("\n") == 1
    assert CANARY not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"kafka://eo:{CANARY}@127.0.0.1:9092/eo", "no user or password belongs in the log's URL"),
        (f"kafka://{CANARY}@127.0.0.1:9092/eo", "no user or password belongs in the log's URL"),
        (f"kafka://127.0.0.1/eo?password={CANARY}", "the option 'password'"),
        (f"kafka://127.0.0.1/eo?security=sasl_ssl&sasl.password={CANARY}", "the option 'sasl.password'"),
    ],
)
def test_42_a_password_in_the_url_is_refused_and_not_shown(url: str, said: str, tmp_path: Path) -> None:
    """By whichever part; the service does not start, and says where a password belongs."""
    line = _refused(_run(tmp_path, {"FARANDOLE_LOG": url}))
    assert said in line
    assert "FARANDOLE_KAFKA_PASSWORD_FILE" in line


UNSAFE = ["acks=1", "auto.offset.reset=latest", "enable.auto.commit=true", "enable.idempotence=false",
          "isolation.level=read_uncommitted", "partitioner=random", "transactional.id=mine"]  # fmt: skip


@pytest.mark.parametrize("option", UNSAFE)
def test_43_and_44_an_option_of_the_client_is_refused_by_name(option: str, tmp_path: Path) -> None:
    """A service does not start with it in the URL."""
    line = _refused(_run(tmp_path, {"FARANDOLE_LOG": f"kafka://127.0.0.1/eo?{option}"}))
    assert f"the option {option.partition('=')[0]!r}; leave it out" in line


@pytest.mark.parametrize("setting", ["ACKS=1", "AUTO_OFFSET_RESET=latest", "TRANSACTIONAL_ID=mine"])
def test_43_and_44_nor_does_a_variable_reach_the_client(setting: str, tmp_path: Path) -> None:
    """Whoever sets it believes that it counts, so it is refused by name too."""
    name, _, value = setting.partition("=")
    line = _refused(_run(tmp_path, {"FARANDOLE_LOG": "kafka://127.0.0.1/eo", f"FARANDOLE_KAFKA_{name}": value}))
    assert f"FARANDOLE_KAFKA_{name} is no setting" in line


async def test_44_two_processes_of_one_service_never_share_a_transactional_id(kafka: Cluster) -> None:
    """Each handle draws its own, so neither fences the other: both hold a partition, and both commit."""
    url = f"kafka://{kafka.bootstrap}/b{uuid.uuid4().hex[:8]}?lease=6"
    async with serving(url, SERVICES, partitions=2), serving(url, SERVICES, partitions=2):
        holders = await _holders(url)
        assert len(set(holders.values())) == 2
        own = f"{read_address(url).namespace}.bad/let-go/"
        assert all(name.startswith(own) for name in holders.values())
        async with AsyncClient(url) as client:
            for number in range(40):
                await client.publish("bad.came", {"k": f"k{number}"})
        went = await awaited(url, "bad.went", 40, within=SOON)
        assert sorted(json.loads(record.value or b"")["k"] for record in went) == sorted(f"k{n}" for n in range(40))
        assert await _holders(url) == holders


async def _holders(url: str) -> dict[int, str]:
    """By partition the transactional id of who holds it, once two do."""
    clients = Clients(read_address(url))
    names = Names(clients.address.namespace)
    places = [(names.outer("bad.came"), number) for number in range(2)]
    async with asyncio.timeout(SOON), positions_of(clients, names.outer("bad/let-go")) as positions:
        while True:
            found = await positions.of(places, stable=False)
            ids = {number: at.note.id for (_, number), at in found.items()}
            if len(set(filter(None, ids.values()))) == 2:
                return ids
            await asyncio.sleep(0.2)
