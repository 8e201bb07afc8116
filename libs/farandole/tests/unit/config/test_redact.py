"""No secret of a setting is shown."""

import pytest

from farandole.config.redact import redacted_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://eo:hunter2@host:9092/eo", "kafka://***@host:9092/eo"),
        ("kafka://host/eo?sasl.password=hunter2&acks=all", "kafka://host/eo?sasl.password=***&acks=all"),
        ("kafka://u:hunter2@[broken", "kafka://***@[broken"),
        ("kafka://host/eo?api_key=hunter2", "kafka://host/eo?api_key=***"),
        ("sqlite:////srv/a@b/log.db?lease=2", "sqlite:////srv/a@b/log.db?lease=2"),
        ("memory:", "memory:"),
        ("no url at all", "no url at all"),
    ],
)
def test_users_and_passwords_are_hidden_and_nothing_else(url: str, shown: str) -> None:
    """In front of the host, and in the query."""
    assert redacted_url(url) == shown
    assert "hunter2" not in redacted_url(url)
