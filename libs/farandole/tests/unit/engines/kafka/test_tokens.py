"""A token is taken anew in time, the last one is kept while it holds, and none is shown."""

import base64
import json
import logging
import ssl
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from farandole.engines.kafka.doctor import examine
from farandole.engines.kafka.logins import for_aiokafka, for_confluent
from farandole.engines.kafka.security import Security
from farandole.engines.kafka.tokens import Provider, Token, Tokens, tokens_of_file, tokens_of_provider
from farandole.events.errors import ConfigError, LogUnavailable
from farandole.runtime.ground import kinds

CANARY = "canary-77ab"
NAME = "FARANDOLE_KAFKA_TOKEN_FILE"


def _jwt(life: float, **claims: object) -> str:
    said = {"sub": "eo", "exp": time.time() + life} | claims
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, said))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + f".{CANARY}"


class _Source:
    """Gives tokens of some life, and counts; raises where it has none."""

    def __init__(self, *lives: float) -> None:
        self.lives = list(lives)
        self.taken = 0

    def __call__(self) -> Token:
        self.taken += 1
        if not self.lives:
            raise LogUnavailable("the provider is away")
        return Token(SecretStr(f"{CANARY}-{self.taken}"), time.time() + self.lives.pop(0))


def test_a_token_is_kept_for_a_part_of_its_life() -> None:
    """However many clients ask."""
    source = _Source(1000.0, 1000.0)
    tokens = Tokens(source, fresh=0.6)
    assert len({tokens.get() for _ in range(10)}) == source.taken == 1


def test_the_last_token_serves_while_it_holds_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    """A provider that is away for a moment ends nothing; it is told, without the token."""
    tokens = Tokens(_Source(0.3), fresh=0.0)
    first = tokens.get()
    assert tokens.get() is first
    assert "the provider is away" in caplog.text
    assert CANARY not in caplog.text
    time.sleep(0.35)
    with pytest.raises(LogUnavailable, match="the provider is away"):
        tokens.get()


def test_a_token_that_has_ended_is_refused() -> None:
    """The client would only try again, and again."""
    with pytest.raises(LogUnavailable, match="the token for Kafka ended 5 s ago; see to what renews it"):
        Tokens(_Source(-5.0), fresh=0.6).get()


def test_a_file_is_read_whenever_a_token_is_wanted(tmp_path: Path) -> None:
    """It may be replaced at any time, as Kubernetes does."""
    file = tmp_path / "token"
    tokens = tokens_of_file(file, NAME)
    for life in (100.0, 200.0):
        file.write_text(f"{(text := _jwt(life))}\n")
        token = tokens.get()
        assert token.text.get_secret_value() == text
        assert token.ends == pytest.approx(time.time() + life, abs=5)
        assert CANARY not in repr(token)


@pytest.mark.parametrize("text", ["", CANARY, f"{CANARY}.{CANARY}.x", "a.!.c", _jwt(1, exp=None), _jwt(1, exp="soon")])
def test_a_file_without_a_jwt_that_ends_is_refused(text: str, tmp_path: Path) -> None:
    """By the variable, without what it holds."""
    (tmp_path / "token").write_text(text)
    with pytest.raises(ConfigError, match=f"{NAME}.*holds no JWT") as refused:
        tokens_of_file(tmp_path / "token", NAME).get()
    assert CANARY not in str(refused.value)


def test_a_provider_that_nobody_reaches_is_said() -> None:
    """With the variable, and without the password."""
    provider = Provider("https://127.0.0.1:9/token", "eo", SecretStr(CANARY), "", ssl.create_default_context())
    with pytest.raises(LogUnavailable, match=r"TOKEN_URL: https://127\.0\.0\.1:9/token gives no token") as refused:
        tokens_of_provider(provider, "FARANDOLE_KAFKA_TOKEN_URL").get()
    assert CANARY not in f"{refused.value!r} {provider!r}"


async def test_a_doctor_says_that_the_token_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As one finding that fails, with the remedy, and without asking any broker."""
    (tmp_path / "token").write_text(_jwt(-60))
    monkeypatch.setenv(NAME, str(tmp_path / "token"))
    (finding,) = await examine("kafka://127.0.0.1:1/eo?security=sasl_ssl&mechanism=OAUTHBEARER", kinds)
    assert (finding.check, finding.verdict) == ("reachable", "fail")
    assert finding.said.startswith("the token for Kafka ended 6")
    assert finding.remedy == "see to what renews it"


async def test_both_clients_get_the_same_token(caplog: pytest.LogCaptureFixture) -> None:
    """One when it is made, the other whenever it connects; where there is none, it is told."""
    source = _Source(1000.0)
    security = Security("sasl_ssl", "OAUTHBEARER", tokens=Tokens(source, fresh=0.6))
    assert CANARY not in repr(security)
    config = for_confluent(security)
    assert config["sasl.mechanism"] == "OAUTHBEARER"
    text, ends = config["oauth_cb"]("")
    assert ends > time.time()
    assert await for_aiokafka(security)["sasl_oauth_token_provider"].token() == text
    assert source.taken == 1
    caplog.set_level(logging.WARNING)
    lacking = for_confluent(Security("sasl_ssl", "OAUTHBEARER", tokens=Tokens(_Source(), fresh=0.6)))
    with pytest.raises(LogUnavailable):
        lacking["oauth_cb"]("")
    assert "no token for Kafka: the provider is away" in caplog.text
