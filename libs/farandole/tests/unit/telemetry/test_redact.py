"""What is hidden in log lines, and what is not."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given as over
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from farandole.telemetry import redact
from farandole.telemetry.redact import HIDDEN, SHORTEST, Secrets


def redacted(**fields: Any) -> dict[str, Any]:
    return redact.redacted(fields)


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


class _Settings(BaseModel):
    endpoint: str = "https://me:canary-in-url@host/x"
    hidden: SecretStr = SecretStr("canary-of-type")
    raw: SecretBytes = SecretBytes(b"canary-of-bytes")
    admin_password: str = "canary-of-name"
    tokens: dict[str, list[str]] = {"api_key": ["canary-in-list"]}
    name: str = "harmless"
    password_file: str = "/run/secrets/harmless"


def test_secrets_of_settings_are_found_in_what_others_write() -> None:
    """By type, by name at any depth, and in URLs; what is none stays."""
    secrets = Secrets()
    secrets.learn(_Settings())
    for found in ("in-url", "of-type", "of-bytes", "of-name", "in-list"):
        assert secrets.hide(f"login as canary-{found} failed") == f"login as {HIDDEN} failed"
    for kept in ("harmless", "/run/secrets/harmless is not there"):
        assert secrets.hide(kept) == kept


@over(st.text(min_size=SHORTEST), st.text(), st.text())
def test_a_secret_is_hidden_however_it_is_spelt(secret: str, before: str, after: str) -> None:
    """In plain text, in JSON, in a Python literal and in a URL, wherever it stands."""
    secrets = Secrets()
    secrets.learn({"password": secret})
    within = json.dumps(repr(secret)[1:-1])[1:-1]  # an exception's repr on a line of JSON
    for spelling in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), within):
        assert HIDDEN in secrets.hide(f"{before} {spelling} {after}")


def test_a_secret_that_is_no_text_to_encode_is_hidden_too() -> None:
    """As an environment variable that is not UTF-8 reads."""
    secrets = Secrets()
    secrets.learn({"password": "canary-\udcff"})
    assert secrets.hide("it was canary-\udcff") == f"it was {HIDDEN}"


def test_a_longer_secret_is_hidden_whole_beside_one_that_it_begins_with() -> None:
    """Else its rest could be read."""
    secrets = Secrets()
    secrets.learn({"password": "canary"})
    secrets.learn({"password": "canary-and-more"})
    assert secrets.hide("canary-and-more canary") == f"{HIDDEN} {HIDDEN}"


def test_what_is_too_short_to_be_told_from_other_text_is_left() -> None:
    """A password of one letter would take it out of every word."""
    secrets = Secrets()
    secrets.learn({"password": "a" * (SHORTEST - 1)})
    assert secrets.hide("banana aaaaa") == "banana aaaaa"
