"""What passes by itself is asked again for a while; anything else is said at once."""

import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from farandole.engines.kafka import catalog
from farandole.engines.kafka.catalog import patiently
from farandole.engines.kafka.failures import PASSING
from farandole.events.errors import LogUnavailable


class _Answers:
    """Raises these, one a call, and then answers."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.waits: list[float] = []

    async def __call__(self, left: float) -> str:
        self.waits.append(left)
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop(0)))
        return "here"


@pytest.mark.parametrize("code", sorted(PASSING))
async def test_what_passes_by_itself_is_asked_again(code: int) -> None:
    """Each of them, and more than once."""
    ask = _Answers(code, code)
    assert await patiently("it can't be read", ask) == "here"
    assert len(ask.waits) == 3
    assert all(1.0 <= left <= catalog.STEADY for left in ask.waits)


async def test_what_does_not_pass_is_said_at_once() -> None:
    """With what failed."""
    ask = _Answers(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(LogUnavailable, match=r"it can't be read.*TOPIC_AUTHORIZATION_FAILED"):
        await patiently("it can't be read", ask)
    assert len(ask.waits) == 1


async def test_it_is_asked_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the last error is said."""
    monkeypatch.setattr(catalog, "STEADY", 0.3)
    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="LEADER_NOT_AVAILABLE"):
        await patiently("it can't be read", _Answers(*[KafkaError.LEADER_NOT_AVAILABLE] * 1000))
    assert 0.3 <= time.monotonic() - began < 5
