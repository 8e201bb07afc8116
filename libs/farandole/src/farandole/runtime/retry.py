"""How often and how late a failed delivery is tried again."""

from dataclasses import dataclass
from hashlib import blake2b

from farandole.events.durations import seconds
from farandole.events.errors import (
    AssetCorrupt,
    AssetRefused,
    BadInput,
    ConfigError,
    RetryAfter,
)
from farandole.runtime.pool import RemoteError

TERMINAL = (BadInput, AssetCorrupt, AssetRefused)
"""Errors that no retry mends, whatever a step's policy says."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try up to `attempts` times; wait `delay`, then `factor` times as long each time, at most `max_delay`.

    Durations are seconds or text ("1s", "5m"). Exceptions of a `terminal` class are never tried again. Each wait
    is spread by ±`jitter` (a share), derived from the delivery, so that a replay waits as long.
    """

    attempts: int = 5
    delay: float | str = 1.0
    max_delay: float | str = "5m"
    factor: float = 2.0
    jitter: float = 0.1
    terminal: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"Retry(attempts={self.attempts}): at least 1; 1 means never again")
        if self.factor < 1 or not 0 <= self.jitter < 1:
            raise ConfigError(f"Retry(factor={self.factor}, jitter={self.jitter}): factor ≥ 1, 0 ≤ jitter < 1")
        seconds(self.delay), seconds(self.max_delay)

    def wait(self, delivery: str, attempt: int) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1) of a delivery."""
        plain = min(seconds(self.delay) * self.factor ** min(attempt - 1, 64), seconds(self.max_delay))
        digest = blake2b(f"{delivery}/{attempt}".encode(), digest_size=4).digest()
        share = int.from_bytes(digest, "big") / 2**32 * 2 - 1
        return plain * (1 + self.jitter * share)

    def is_terminal(self, error: BaseException) -> bool:
        """Whether trying again is pointless."""
        kinds = TERMINAL + self.terminal
        if isinstance(error, RemoteError):
            return not {f"{k.__module__}.{k.__qualname__}" for k in kinds}.isdisjoint(error.kinds)
        return isinstance(error, kinds)

    def next_wait(self, error: BaseException, delivery: str, attempt: int) -> float | None:
        """Seconds until the next attempt, or None where there is none (terminal or exhausted)."""
        if self.is_terminal(error) or attempt >= self.attempts:
            return None
        return seconds(error.delay) if isinstance(error, RetryAfter) else self.wait(delivery, attempt)
