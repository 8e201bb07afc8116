"""The drills of docs/operating.md on a real Kafka: a broker's disk is lost, tables are lost, a password is changed."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from farandole.client import AsyncClient
from farandole.engines.open import open_log
from farandole.events.errors import LogUnavailable
from scripts.kafka import Node, NoKafka, kafka_cluster
from tests.chaos_kafka.checker import read_log
from tests.docs.operating import do
from tests.kafka.secured import LOGIN
from tests.kafka.session import without_kafka
from tests.support import notes
from tests.support.drilled import GATE, waits
from tests.support.postgres import postgres
from tests.support.replicas import Replicas
from tests.support.stage import Stage

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TARGETS = {name: f"tests.support.drilled:{name}" for name in ("keeping", "reading")}
NAMESPACE = "drill"
BEFORE, AFTER = 30, 15  # notes before a copy is made, and after it
NOTES = range(BEFORE + AFTER)
PACE = 0.05  # seconds between two notes
SCRAM = {
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.client.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
}


class Rig:
    """A folder for what is said and acknowledged; services that run on one node; the questions' answers."""

    def __init__(self, folder: Path, node: Node, query: str = "", env: dict[str, str] | None = None) -> None:
        self.folder, self.node, self.gate = folder, node, folder / "gate"
        self._query = query
        more = {"PYTHONPATH": str(ROOT), "FARANDOLE_GRACE": "2s", GATE: str(self.gate), **(env or {})}
        self.stage = Stage(folder, [], more, url=f"kafka://{node.address}/{NAMESPACE}?lease=3{query}")

    def replicas(self, count: int = 1) -> Replicas:
        """Both services run; to be entered."""
        replicas = Replicas(self.folder, self.stage.env)
        for service, target in TARGETS.items():
            replicas.start(service, target, count)
        return replicas

    async def judge(self) -> None:
        """Each acknowledged note was read exactly once, as it was kept."""
        log = await asyncio.to_thread(read_log, self.node.inner, NAMESPACE)
        notes.judge(self.stage, log)


@contextmanager
def one_node(**config: str) -> Iterator[Node]:
    """A node of our own, to be stopped, emptied and filled again."""
    try:
        with kafka_cluster(config=config, origins=("java",)) as cluster:
            (node,) = cluster.nodes
            yield node
    except NoKafka as error:
        without_kafka(error)


# -- a broker's disk, and the tables ------------------------------------------------------------------------


async def test_a_cold_copy_of_the_brokers_and_empty_tables_give_the_same_answers_and_owed_work_goes_on(
    tmp_path: Path,
) -> None:
    """Copied while it stood still, destroyed later, restored by the document's commands; tables dropped and folded."""
    with one_node() as node, postgres() as server:
        database = urlsplit(server)
        env = {"FARANDOLE_STORE": f"{server.rpartition('/')[0]}/tables", "KAFKA_DATA": str(node.data)}
        env |= {"PGHOST": str(database.hostname), "PGPORT": str(database.port), "PGUSER": str(database.username)}
        rig = Rig(tmp_path, node, env=env)
        await asyncio.to_thread(do, "make the tables' database", tmp_path, rig.stage.env)
        await before(rig)
        known = await asyncio.to_thread(answers, rig)
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(do, "copy a broker", tmp_path, rig.stage.env)
        await asyncio.to_thread(node.start)
        await between(rig)
        await asyncio.to_thread(destroy, rig)
        await asyncio.to_thread(do, "restore a broker", tmp_path, rig.stage.env)
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(do, "fold the tables anew", tmp_path, rig.stage.env)
        assert await asyncio.to_thread(answers, rig) == known
        assert {known["standing"][f"note-{n}"] for n in range(BEFORE) if waits(n)} == {"running"}
        await after(rig)
        tables = await asyncio.to_thread(answers, rig)
        assert set(tables["standing"].values()) == {"complete"}
        await asyncio.to_thread(do, "fold the tables anew", tmp_path, rig.stage.env)
        assert await asyncio.to_thread(answers, rig) == tables
        await rig.judge()


async def before(rig: Rig) -> None:
    """Notes are read; every tenth is owed still when the services are stopped."""
    with rig.replicas() as replicas:
        await asyncio.to_thread(replicas.ready)
        async with AsyncClient(rig.stage.url) as client:
            await notes.publish(rig.stage, client, range(BEFORE))
            await notes.read_of(client, [n for n in range(BEFORE) if not waits(n)])
        await asyncio.to_thread(replicas.send_away)


async def between(rig: Rig) -> None:
    """What the copy does not hold is acknowledged too."""
    async with AsyncClient(rig.stage.url) as client:
        await notes.publish(rig.stage, client, range(BEFORE, BEFORE + AFTER))


def destroy(rig: Rig) -> None:
    """Of the broker and of the assets nothing is left."""
    rig.node.kill()
    shutil.rmtree(rig.node.data)
    shutil.rmtree(rig.stage.env["FARANDOLE_ASSETS"])


async def after(rig: Rig) -> None:
    """What was owed goes on, and who published what is gone publishes it again, under the same ids."""
    rig.gate.touch()
    with rig.replicas() as replicas:
        await asyncio.to_thread(replicas.ready)
        async with AsyncClient(rig.stage.url) as client:
            await notes.publish(rig.stage, client, range(BEFORE, BEFORE + AFTER))
            await notes.read_of(client, NOTES)
        await asyncio.to_thread(replicas.send_away)


def answers(rig: Rig) -> dict[str, Any]:
    """What the tables tell."""
    status = rig.stage.asked("status", "--limit", "1000")
    return {
        "status": status,
        "standing": notes.standing(status),
        "lineage": [rig.stage.asked("lineage", f"note-{n}") for n in (1, 2)],
    }


# -- a password ---------------------------------------------------------------------------------------------


async def test_a_password_is_rotated_while_services_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second user comes, replicas go over to it one by one, the first one goes; then the second's is changed."""
    (tmp_path / "secrets").mkdir()
    first, second, edge = (login(tmp_path, user) for user in ("eo", "eo-2", "edge"))
    with one_node(**SCRAM) as node:
        for user in (first, edge):
            await asyncio.to_thread(give_password, node, user)
        rig = Rig(tmp_path, node, "&security=sasl_plaintext&mechanism=SCRAM-SHA-512", first)
        rig.gate.touch()
        with rig.replicas(2) as replicas:
            await asyncio.to_thread(replicas.ready)
            async with loaded(rig, monkeypatch, edge):
                await asyncio.to_thread(give_password, node, second)
                await roll(replicas, second)
                await asyncio.to_thread(take_password, node, "eo")
                await asyncio.to_thread(give_password, node, second)
                await roll(replicas, {"ROTATED": "1"})
            await refused(rig, monkeypatch, first)
            await asyncio.to_thread(replicas.send_away)
        await rig.judge()


def login(folder: Path, user: str) -> dict[str, str]:
    """The environment of a user, whose password stands in a file."""
    return {"FARANDOLE_KAFKA_USER": user, "FARANDOLE_KAFKA_PASSWORD_FILE": str(folder / "secrets" / user)}


def give_password(node: Node, env: dict[str, str]) -> None:
    """A new one, into the user's file as a whole, then to the brokers: what `kafka-configs --alter` asks of them."""
    user, file = env["FARANDOLE_KAFKA_USER"], Path(env["FARANDOLE_KAFKA_PASSWORD_FILE"])
    password = uuid.uuid4().hex
    file.with_suffix(".new").write_text(password)
    file.with_suffix(".new").replace(file)
    kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    _alter(node, UserScramCredentialUpsertion(user, kind, password.encode()))


def take_password(node: Node, user: str) -> None:
    """Nobody can log in as this user any more."""
    _alter(node, UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))


def _alter(node: Node, wanted: UserScramCredentialAlteration) -> None:
    asking = AdminClient({"bootstrap.servers": node.inner})
    asking.alter_user_scram_credentials([wanted])[wanted.user].result(20)


async def refused(rig: Rig, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    """The brokers do not let in who logs in so."""
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(LogUnavailable, match="refuses user 'eo'"):
        await open_log(rig.stage.url)


async def roll(replicas: Replicas, env: dict[str, str]) -> None:
    """Every replica is replaced by one that starts with this environment."""
    for service, target in TARGETS.items():
        await asyncio.to_thread(replicas.roll, service, target, env)


@asynccontextmanager
async def loaded(rig: Rig, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> AsyncIterator[None]:
    """Notes come all the while, from a publisher who logs in as `env` says; at the end each of them was read."""
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    stop = asyncio.Event()
    async with AsyncClient(rig.stage.url) as client:

        async def publishing() -> None:
            while not stop.is_set():
                await notes.publish(rig.stage, client, range(len(rig.stage.published), len(rig.stage.published) + 1))
                await asyncio.sleep(PACE)

        running = asyncio.create_task(publishing())
        yield
        stop.set()
        await running
        states = await rig.stage.finished(client, notes.PATIENCE)
        assert {state.status for state in states} == {"complete"}
