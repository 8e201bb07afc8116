"""What is hidden in log lines, and what is not."""

from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr

from farandole.telemetry.redact import HIDDEN, redact


def redacted(**fields: Any) -> dict[str, Any]:
    return dict(redact(None, "info", fields))


@pytest.mark.parametrize(
    "name",
    ["password", "db_passwd", "PGPASSWORD", "clientSecret", "Authorization", "proxy-authorization", "accessToken",
     "token", "refresh_token", "api_key", "apikey", "X-Api-Key", "private_key", "aws_access_key_id", "cookie",
     "Set-Cookie", "credentials", "sasl.password", "pwd"],
)  # fmt: skip
def test_fields_that_are_named_as_secrets_are_hidden(name: str) -> None:
    """At any depth, whatever the value; an unset one may be seen to be unset."""
    assert redacted(**{name: "canary"}) == {name: HIDDEN}
    assert redacted(deep=[{"x": {name: ["canary"]}}]) == {"deep": [{"x": {name: HIDDEN}}]}
    assert redacted(**{name: None}) == {name: None}


def test_other_fields_are_as_they_were() -> None:
    """Keys of records, counts of tokens, keyboards: no secrets; and what was given is not changed."""
    given: dict[str, Any] = {"key": "S2A", "tokens": 3, "tokenizer": "x", "author": "y", "n": 1.5, "none": None}
    assert redacted(**given) == given
    inner = {"password": "p"}
    assert redacted(settings=inner) == {"settings": {"password": HIDDEN}}
    assert inner == {"password": "p"}


def test_secret_types_are_hidden_under_any_name() -> None:
    """Pydantic's own."""
    assert redacted(x=SecretStr("canary"), y=[SecretBytes(b"canary")]) == {"x": HIDDEN, "y": [HIDDEN]}


def test_urls_lose_who_logs_in_and_keep_the_rest() -> None:
    """User and password, or a token in the user's place; a URL without them is left alone."""
    assert redacted(url="kafka://me:canary@host:9092/eo") == {"url": "kafka://***@host:9092/eo"}
    assert redacted(event="from https://canary@h/a to s3://b/c@d") == {"event": "from https://***@h/a to s3://b/c@d"}
    assert redacted(mail="me@example.org") == {"mail": "me@example.org"}


def test_what_has_no_bottom_is_cut_off() -> None:
    """A list that holds itself ends."""
    endless: list[object] = []
    endless.append(endless)
    assert HIDDEN in str(redacted(x=endless))
