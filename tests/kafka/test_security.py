"""The log on a Kafka that asks for TLS and a login: the same work, and every refusal soon, clear and without secret."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from farandole.engines.keep import examine
from farandole.engines.open import open_log
from farandole.log.care import Finding
from farandole.log.record import TopicSpec
from farandole.runtime.ground import kinds
from scripts.kafka import NoKafka, kafka_cluster
from tests.kafka.secured import CANARY, LOGIN, dance, refused, url_of
from tests.kafka.session import without_kafka
from tests.kafka.tls import Papers, make_papers

pytestmark = pytest.mark.slow

USER = "eo"


class Secured(NamedTuple):
    """A broker that asks for both; `port` of its clients' listener, `inner`: where a plain client may do anything."""

    port: int
    inner: str
    papers: Papers


def _config(papers: Papers) -> dict[str, str]:
    own = "listener.name.client"
    return {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
        f"{own}.ssl.keystore.type": "PEM",
        f"{own}.ssl.keystore.location": str(papers.server),
        f"{own}.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
        f"{own}.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
        f"{own}.scram-sha-256.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
        f"{own}.plain.sasl.jaas.config": f'{LOGIN}.plain.PlainLoginModule required user_{USER}="{CANARY}";',
    }


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """With a user who has a SCRAM password of either kind, the same for PLAIN."""
    papers = make_papers(tmp_path_factory.mktemp("tls"))
    try:
        with kafka_cluster(config=_config(papers), origins=("java",)) as cluster:
            (node,) = cluster.nodes
            asking = AdminClient({"bootstrap.servers": node.inner})
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
                info = ScramCredentialInfo(mechanism, 4096)
                wanted = UserScramCredentialUpsertion(USER, info, CANARY.encode())
                asking.alter_user_scram_credentials([wanted])[USER].result(20)
            yield Secured(node.port, node.inner, papers)
    except NoKafka as error:
        without_kafka(error)


@pytest.fixture
def login(secured: Secured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of the user; the file of the password."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_KAFKA_"):
            monkeypatch.delenv(name)
    password = tmp_path / "password"
    password.write_text(f"{CANARY}\n")
    monkeypatch.setenv("FARANDOLE_KAFKA_USER", USER)
    monkeypatch.setenv("FARANDOLE_KAFKA_PASSWORD_FILE", str(password))
    monkeypatch.setenv("FARANDOLE_KAFKA_CA", str(secured.papers.ca))
    return password


def _url(secured: Secured, query: str, host: str = "127.0.0.1") -> str:
    return url_of(secured.port, query, host)


async def _refused(url: str, caplog: pytest.LogCaptureFixture) -> str:
    return await refused(url, caplog, CANARY)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
@pytest.mark.usefixtures("login")
async def test_the_log_works_over_tls_with_a_login(mechanism: str, secured: Secured) -> None:
    """Every client of the engine shows who it is, by every mechanism."""
    log = await open_log(_url(secured, f"security=sasl_ssl&mechanism={mechanism}"))
    try:
        await dance(log)
    finally:
        await log.close()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_a_wrong_password_is_said_soon_and_not_shown(
    mechanism: str, secured: Secured, login: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By every mechanism, with what to see to."""
    await asyncio.to_thread(login.write_text, f"{CANARY}-wrong")
    said = await _refused(_url(secured, f"security=sasl_ssl&mechanism={mechanism}"), caplog)
    assert f"refuses user 'eo' by {mechanism}: see to FARANDOLE_KAFKA_USER, FARANDOLE_KAFKA_PASSWORD" in said


@pytest.mark.usefixtures("login")
async def test_an_unknown_ca_is_said_soon(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else's, or only those that the system believes."""
    monkeypatch.setenv("FARANDOLE_KAFKA_CA", str(secured.papers.stranger))
    assert "FARANDOLE_KAFKA_CA" in await _refused(_url(secured, "security=sasl_ssl"), caplog)
    monkeypatch.delenv("FARANDOLE_KAFKA_CA")
    assert "is not believed" in await _refused(_url(secured, "security=sasl_ssl"), caplog)


@pytest.mark.usefixtures("login")
async def test_a_host_that_the_certificate_does_not_name_is_refused(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    """It names 127.0.0.1; localhost is the same machine, and another name."""
    said = await _refused(_url(secured, "security=sasl_ssl", "localhost"), caplog)
    assert "is not believed" in said
    assert "localhost" in said


async def test_a_plain_client_hears_that_another_security_is_asked_for(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who forgot it hears nothing from the broker: it hangs up."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_KAFKA_"):
            monkeypatch.delenv(name)
    assert "another security=" in await _refused(_url(secured, "lease=6"), caplog)


@pytest.mark.usefixtures("login")
async def test_a_doctor_names_the_rights_that_this_user_lacks(secured: Secured) -> None:
    """A topic that somebody else alone may write: to read it is granted, the rest is not."""
    url = _url(secured, "security=sasl_ssl")
    log = await open_log(url)
    await log.ensure([TopicSpec("free"), TopicSpec("theirs")])
    await log.close()
    outer = f"{url.partition('?')[0].rpartition('/')[2]}.theirs"
    asking = AdminClient({"bootstrap.servers": secured.inner})
    for user, right in (("User:other", AclOperation.WRITE), (f"User:{USER}", AclOperation.READ)):
        of_all = "*", right, AclPermissionType.ALLOW
        binding = AclBinding(ResourceType.TOPIC, outer, ResourcePatternType.LITERAL, user, *of_all)
        await asyncio.wrap_future(asking.create_acls([binding])[binding])
    found: list[Finding] = []
    for _ in range(40):  # another broker thread may know of the rights a moment later
        found = [finding for finding in await examine(url, kinds) if finding.check == "rights"]
        if found[0].verdict != "ok":
            break
    (finding,) = found
    assert "'theirs'" in finding.said
    assert "WRITE" in finding.said
    assert "READ" not in finding.said
    assert "kafka-acls" in finding.remedy


async def test_a_doctor_says_that_nobody_lets_it_in(secured: Secured, login: Path) -> None:
    """One finding, which fails, with what to see to."""
    await asyncio.to_thread(login.write_text, "wrong")
    (finding,) = await examine(_url(secured, "security=sasl_ssl"), kinds)
    assert (finding.check, finding.verdict) == ("reachable", "fail")
    assert "refuses user" in finding.said


@pytest.mark.parametrize("wrong", ["", "-wrong"])
def test_no_command_shows_the_password(wrong: str, secured: Secured, login: Path, tmp_path: Path) -> None:
    """Neither what it prints nor its log lines, by which way it ends ever."""
    login.write_text(f"{CANARY}{wrong}")
    environment = os.environ | {"FARANDOLE_LOG": _url(secured, "security=sasl_ssl"), "FARANDOLE_LOG_LEVEL": "DEBUG"}
    for command, code in (
        (["config", "--json"], 0),
        (["topics", "--json"], 1 if wrong else 0),
        (["doctor"], 1 if wrong else 0),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "farandole", *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert CANARY not in done.stdout + done.stderr
