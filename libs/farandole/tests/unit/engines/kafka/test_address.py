"""The URL of a log on Kafka says where it is, and nothing secret."""

import pytest

from farandole.engines.kafka.address import Address, read_address
from farandole.events.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("kafka://one", Address("one:9092", "", 6.0)),
        ("kafka://one:9093/", Address("one:9093", "", 6.0)),
        ("kafka://one,two:9093/eo", Address("one:9092,two:9093", "eo", 6.0)),
        ("kafka://one/eo.test?lease=2.5", Address("one:9092", "eo.test", 2.5)),
        ("kafka://[::1]:9092/eo", Address("[::1]:9092", "eo", 6.0)),
    ],
)
def test_a_url_names_brokers_namespace_and_lease(url: str, address: Address) -> None:
    """Ports and everything after the brokers may be left out."""
    assert read_address(url) == address


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("kafka:", "no broker"),
        ("kafka:///eo", "no broker"),
        ("kafka://one:port", "one:port"),
        ("kafka://one:70000", "one:70000"),
        ("kafka://one,", "no broker"),
        ("kafka://one/E O", "namespace"),
        ("kafka://one/..", "namespace"),
        ("kafka://one?lease=soon", "lease"),
        ("kafka://one?lease=0.2", "lease"),
        ("kafka://one?acks=1", "acks"),
        ("kafka://one?enable.auto.commit=true", "enable.auto.commit"),
    ],
)
def test_what_is_wrong_is_named(url: str, named: str) -> None:
    """No option of the client can be reached through the URL."""
    with pytest.raises(ConfigError, match=named):
        read_address(url)


@pytest.mark.parametrize(
    "url",
    ["kafka://user:hunter2@one/eo", "kafka://one/eo?password=hunter2", "kafka://one?sasl.oauthbearer.token=hunter2"],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    """It would stand in logs and process lists; where it belongs is said."""
    with pytest.raises(ConfigError, match="FARANDOLE_KAFKA_PASSWORD_FILE") as refused:
        read_address(url)
    assert "hunter2" not in str(refused.value)
