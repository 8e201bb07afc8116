"""The log on a Kafka that asks for a certificate of ours: with it the same work, without it what to set is said."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from farandole.engines.keep import examine
from farandole.engines.open import open_log
from farandole.runtime.ground import kinds
from scripts.kafka import NoKafka, kafka_cluster
from tests.kafka.secured import CANARY, dance, refused, url_of
from tests.kafka.session import without_kafka
from tests.kafka.tls import Pair, Papers, encrypted, make_papers

pytestmark = pytest.mark.slow


class Asking(NamedTuple):
    """A broker that lets nobody in without a certificate that its CA signed."""

    port: int
    papers: Papers


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """TLS both ways, no login."""
    papers = make_papers(tmp_path_factory.mktemp("tls"))
    own = "listener.name.client"
    config = {
        "listener.security.protocol.map": "CLIENT:SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        f"{own}.ssl.client.auth": "required",
        f"{own}.ssl.keystore.type": "PEM",
        f"{own}.ssl.keystore.location": str(papers.server),
        f"{own}.ssl.truststore.type": "PEM",
        f"{own}.ssl.truststore.location": str(papers.ca),
    }
    try:
        with kafka_cluster(config=config, origins=("java",)) as cluster:
            yield Asking(cluster.nodes[0].port, papers)
    except NoKafka as error:
        without_kafka(error)


@pytest.fixture
def show(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> "Show":
    """The environment of somebody who believes the brokers."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_KAFKA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FARANDOLE_KAFKA_CA", str(asking.papers.ca))
    return Show(monkeypatch)


class Show(NamedTuple):
    """Sets which certificate is ours."""

    monkeypatch: pytest.MonkeyPatch

    def __call__(self, pair: Pair, password: str = "") -> None:
        """From now on."""
        given = {"CERT": str(pair.cert), "KEY": str(pair.key), "KEY_PASSWORD": password}
        for name, text in given.items():
            self.monkeypatch.setenv(f"FARANDOLE_KAFKA_{name}", text)


@pytest.mark.parametrize("locked", [False, True])
async def test_a_certificate_of_ours_is_shown_and_let_in(locked: bool, asking: Asking, show: Show) -> None:
    """By every client of the engine, with a key that a password opens too; and a doctor gets in as well."""
    pair = encrypted(asking.papers.client, CANARY) if locked else asking.papers.client
    show(pair, CANARY if locked else "")
    url = url_of(asking.port, "security=ssl")
    log = await open_log(url)
    try:
        await dance(log)
    finally:
        await log.close()
    (finding,) = (finding for finding in await examine(url, kinds) if finding.check == "reachable")
    assert finding.verdict == "ok"


async def test_without_a_certificate_or_with_a_strangers_what_to_set_is_said_soon(
    asking: Asking, show: Show, caplog: pytest.LogCaptureFixture
) -> None:
    """None at all, and one of another CA; nothing is shown of a key."""
    url = url_of(asking.port, "security=ssl")
    said = await refused(url, caplog, CANARY)
    assert "asks for a certificate of ours; set FARANDOLE_KAFKA_CERT and FARANDOLE_KAFKA_KEY" in said
    show(asking.papers.unknown)
    key = asking.papers.unknown.key.read_text().splitlines()[1]
    assert "does not take our certificate" in (said := await refused(url, caplog, key))
    assert "FARANDOLE_KAFKA_CERT" in said
