"""Where a dance is deployed: the log's address and back, and what the overlays make of a base."""

from dataclasses import replace

import pytest

from farandole.deploying.site import Site, checked, cluster_of, default_log, dev, production
from farandole.engines.kafka.address import read_address
from farandole.events.errors import BadInput

BASE = Site(default_log("farandole", "eo"), "s3://a", "postgresql://u@h/d", "off")


@pytest.mark.parametrize(
    "url",
    [
        "kafka://farandole-kafka-bootstrap:9093/eo?security=sasl_ssl&mechanism=SCRAM-SHA-512",
        "kafka://a:9092,b:9093?lease=9",
        "kafka://a:9092",
        "kafka://a:9092/eo.two?security=sasl_ssl&mechanism=SCRAM-SHA-512&lease=12.5",
    ],
)
def test_the_url_that_pods_are_told_is_the_one_that_was_given(url: str) -> None:
    """Whatever it says, in one order."""
    site = replace(BASE, log=read_address(url))
    assert site.log_url == url
    assert read_address(site.log_url) == site.log


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("eo-kafka-bootstrap", "eo"),
        ("eo-kafka-bootstrap.kafka.svc", "eo"),
        ("broker-1", None),
        ("a-kafka-bootstrap:9092,b", None),
        ("-kafka-bootstrap", None),
    ],
)
def test_strimzis_kafka_is_known_by_its_brokers_address(host: str, name: str | None) -> None:
    """Of any other form, nothing is guessed."""
    assert cluster_of(read_address(f"kafka://{host}:9093")) == name


@pytest.mark.parametrize("options", ["security=ssl", "security=sasl_ssl&mechanism=PLAIN", "security=sasl_plaintext"])
def test_a_login_that_the_operator_cannot_make_is_refused(options: str) -> None:
    """With what it can make."""
    with pytest.raises(BadInput, match="Strimzi makes users for security=sasl_ssl&mechanism=SCRAM-SHA-512"):
        checked(replace(BASE, log=read_address(f"kafka://a:9093?{options}")))


@pytest.mark.parametrize("name", ["", "Upper", "a_b", "-a", "a" * 41])
def test_a_cluster_that_can_have_no_such_name_is_refused(name: str) -> None:
    """Names of Secrets and hosts are made from it."""
    with pytest.raises(BadInput, match="--cluster"):
        checked(replace(BASE, cluster=name))


def test_dev_is_one_machine_and_asks_nobody() -> None:
    """The log's namespace and its lease stay: they are of the dance, not of the place."""
    site = dev(replace(BASE, log=read_address("kafka://x:9093/eo?lease=9&security=sasl_ssl")))
    assert site.log_url == "kafka://farandole-kafka-bootstrap:9092/eo?lease=9"
    assert (site.secured, site.scaled, site.least, site.replication, site.alone) == (False, False, 1, 1, True)
    assert checked(site) == site


def test_production_has_users_copies_and_room_whatever_the_base_has() -> None:
    """More partitions than are asked for, never fewer; a base with users keeps its brokers."""
    plain = production(replace(BASE, log=read_address("kafka://x:9092/eo"), partitions=48))
    assert plain.log_url.startswith("kafka://farandole-kafka-bootstrap:9093/eo?security=sasl_ssl")
    assert (plain.partitions, plain.replication, plain.least, plain.scaled) == (48, 3, 2, True)
    assert production(BASE).partitions == 12
    elsewhere = replace(BASE, log=read_address("kafka://x:9093/eo?security=sasl_ssl"))
    assert production(elsewhere).log == elsewhere.log
