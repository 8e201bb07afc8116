"""The log on a Kafka that asks for tokens: from a file or a provider, renewed in time; each refusal soon and clear."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError

from farandole.engines.kafka import greeting
from farandole.engines.kafka.subscription import KafkaSubscription
from farandole.engines.open import open_log
from farandole.events.errors import LogUnavailable
from farandole.log.ports import Interest, Log, Subscription
from farandole.log.record import NewRecord, TopicSpec
from scripts.kafka import NoKafka, kafka_cluster
from tests.kafka.issuer import AUDIENCE, NAME, Issuer
from tests.kafka.secured import CANARY, LOGIN, dance, refused, url_of
from tests.kafka.session import without_kafka
from tests.kafka.tls import Papers, make_papers

pytestmark = pytest.mark.slow

QUERY = "security=sasl_ssl&mechanism=OAUTHBEARER"
LIFE = 8.0  # seconds of a token; renewed at half of it, so a slow machine still has some


class Asking(NamedTuple):
    """A broker that asks for tokens of an issuer, and ends a connection with the token that it was let in by."""

    port: int
    papers: Papers
    issuer: Issuer


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """It verifies signature, issuer, audience and end by Kafka's own validator."""
    folder = tmp_path_factory.mktemp("tls")
    papers, issuer = make_papers(folder), Issuer.make(folder / "issuer")
    own, keys = "listener.name.client", issuer.keys.as_uri()
    handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
    config = {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        f"{own}.ssl.keystore.type": "PEM",
        f"{own}.ssl.keystore.location": str(papers.server),
        f"{own}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{own}.oauthbearer.sasl.jaas.config": f"{LOGIN}.oauthbearer.OAuthBearerLoginModule required;",
        f"{own}.oauthbearer.sasl.server.callback.handler.class": handler,
        f"{own}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys,
        f"{own}.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
        f"{own}.oauthbearer.sasl.oauthbearer.expected.issuer": NAME,
        f"{own}.oauthbearer.sasl.oauthbearer.clock.skew.seconds": "0",
        f"{own}.oauthbearer.connections.max.reauth.ms": "3600000",
    }
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"
    try:
        with kafka_cluster(config=config, java_options=[allowed], origins=("java",)) as cluster:
            yield Asking(cluster.nodes[0].port, papers, issuer)
    except NoKafka as error:
        without_kafka(error)


@pytest.fixture
def file(asking: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a token has to be written."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_KAFKA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FARANDOLE_KAFKA_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("FARANDOLE_KAFKA_CA", str(asking.papers.ca))
    return tmp_path / "token"


@asynccontextmanager
async def _renewed(file: Path, issuer: Issuer) -> AsyncIterator[None]:
    """Somebody replaces the file as Kubernetes does, before the token in it ends."""
    first = asyncio.Event()

    async def renew() -> None:
        while True:
            draft = file.with_suffix(".draft")
            draft.write_text(await asyncio.to_thread(issuer.token, LIFE))
            draft.replace(file)
            first.set()
            await asyncio.sleep(LIFE / 2)

    renewing = asyncio.create_task(renew())
    try:
        await first.wait()
        yield
    finally:
        renewing.cancel()


async def test_a_handle_lives_past_the_end_of_its_first_token(
    asking: Asking, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is idle meanwhile too: producer, member, reader; no token is shown."""
    caplog.set_level("DEBUG")
    async with _renewed(file, asking.issuer):
        log = await open_log(url_of(asking.port, QUERY))
        try:
            await dance(log)
            await log.ensure([TopicSpec("later")])
            reader = await log.reader(["later"])
            subscription = await log.subscribe(Interest("svc/later", "later"))
            await log.append([NewRecord("later", b"before", b"k")])
            first = (await asyncio.to_thread(file.read_text)).split(".")[1]
            await asyncio.sleep(2.5 * LIFE)
            assert (await asyncio.to_thread(file.read_text)).split(".")[1] != first
            began = time.monotonic()
            await log.append([NewRecord("later", b"after", b"k")])
            await log.append([NewRecord("later", b"many", b"k"), NewRecord("later", b"more", b"k")])
            seen: list[bytes | None] = []
            taken: list[bytes | None] = []
            async with asyncio.timeout(30):
                while len(seen) < 4 or len(taken) < 4:
                    seen += [record.value for record in await reader.poll(timeout=0.2)]
                    taken += [record.value for record in (await subscription.poll(limit=10, timeout=0.2)).records]
            assert seen == taken == [b"before", b"after", b"many", b"more"]
            assert time.monotonic() - began < 10
        finally:
            await log.close()
    assert first not in caplog.text


async def test_a_member_outlasts_a_refusal_of_a_moment_and_says_one_that_lasts(
    asking: Asking, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client says so once, when its coordinator refuses the token of before; then it goes on by itself."""
    monkeypatch.setattr(greeting, "MIDST", 3.0)
    refused = KafkaError(KafkaError._AUTHENTICATION, "FindCoordinator response error: Local: Authentication failure")
    async with _renewed(file, asking.issuer):
        log = await open_log(url_of(asking.port, QUERY))
        await log.ensure([TopicSpec("outlasting")])
        subscription = await log.subscribe(Interest("svc/outlasting", "outlasting"))
        await _taken(subscription, log, b"before")
        cast("KafkaSubscription", subscription).failed(refused)
        await _taken(subscription, log, b"after")
    try:
        await _write(file, asking.issuer, aud="another")
        cast("KafkaSubscription", subscription).failed(refused)
        with pytest.raises(LogUnavailable, match="refuses our token"):
            await _nothing(subscription, 30.0)
    finally:
        await log.close()


async def _write(file: Path, issuer: Issuer, **claims: Any) -> None:
    await asyncio.to_thread(file.write_text, await asyncio.to_thread(issuer.token, **claims))


async def _taken(subscription: Subscription, log: Log, value: bytes) -> None:
    """It is appended and comes, within the time that a refusal and a lost lease may take."""
    async with asyncio.timeout(40):
        await log.append([NewRecord("outlasting", value, b"k")])
        while all(r.value != value for r in (await subscription.poll(limit=10, timeout=0.2)).records):
            pass


async def _nothing(subscription: Subscription, seconds: float) -> None:
    """Raises whatever a poll raises, within so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            await subscription.poll(limit=1, timeout=1.0)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "another"}, "refuses our token"),
        ({"iss": "https://nobody.test"}, "refuses our token"),
        ({"life": -60.0}, "the token for Kafka ended 6"),
    ],
)
async def test_a_token_that_is_of_no_use_is_said_soon_and_not_shown(
    claims: dict[str, Any], said: str, asking: Asking, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For another audience, of another issuer, or ended: with what to see to."""
    token = await asyncio.to_thread(asking.issuer.token, **claims)
    await asyncio.to_thread(file.write_text, token)
    text = await refused(url_of(asking.port, QUERY), caplog, token.split(".")[1])
    assert said in text
    assert "see to" in text


async def test_a_provider_gives_tokens_to_who_knows_the_secret(
    asking: Asking, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One for all clients of a handle, another in time; a wrong secret and a provider that is away are said soon."""
    monkeypatch.delenv("FARANDOLE_KAFKA_TOKEN_FILE")
    url, issuer = url_of(asking.port, QUERY), Issuer(asking.issuer.folder, LIFE)
    with issuer.serving(asking.papers.leaf, "eo", CANARY) as provider:
        for name, text in (("TOKEN_URL", provider), ("TOKEN_SCOPE", "kafka"), ("USER", "eo"), ("PASSWORD", CANARY)):
            monkeypatch.setenv(f"FARANDOLE_KAFKA_{name}", text)
        log = await open_log(url)
        try:
            await dance(log)
            given = len(issuer.given)
            assert given <= 3
            await asyncio.sleep(1.5 * LIFE)
            assert given < len(issuer.given) < given + 6
            await log.append([NewRecord("taken", b"two", b"k")])
        finally:
            await log.close()
        monkeypatch.setenv("FARANDOLE_KAFKA_PASSWORD", f"{CANARY}-wrong")
        assert "gives user 'eo' no token (HTTP 401)" in await refused(url, caplog, CANARY)
    assert "gives no token: ConnectionRefusedError" in await refused(url, caplog, CANARY)
    assert not [token for token in issuer.given if token.split(".")[1] in caplog.text]
