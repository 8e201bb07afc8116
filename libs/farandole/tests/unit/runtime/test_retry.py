"""Waits follow from the delivery and the attempt alone, and terminal errors are never tried again."""

import pytest

from farandole.events.errors import AssetMissing, ConfigError, DecodeError, RetryAfter
from farandole.runtime.pool import RemoteError
from farandole.runtime.retry import Retry


class Hopeless(Exception):
    """A step's own terminal error."""


def test_the_wait_is_the_same_whenever_it_is_asked_for() -> None:
    """Derived, not drawn: a replay waits as long."""
    retry = Retry(delay=2.0, jitter=0.5)
    assert retry.wait("d", 1) == Retry(delay=2.0, jitter=0.5).wait("d", 1)
    assert len({retry.wait(f"d{n}", 1) for n in range(50)}) == 50


@pytest.mark.parametrize("attempt", range(1, 12))
def test_the_wait_grows_by_the_factor_up_to_its_limit_within_the_jitter(attempt: int) -> None:
    """That is delay x factor^(attempt-1), at most max_delay, ± jitter."""
    retry = Retry(delay="1s", max_delay="1m", factor=2.0, jitter=0.1)
    plain = min(2.0 ** (attempt - 1), 60.0)
    waits = [retry.wait(f"delivery-{n}", attempt) for n in range(200)]
    assert all(0.9 * plain <= wait <= 1.1 * plain for wait in waits)
    assert max(waits) - min(waits) > 0.15 * plain


def test_no_jitter_is_exact() -> None:
    """A test that counts seconds can."""
    assert [Retry(delay=3.0, jitter=0.0).wait("d", n) for n in (1, 2, 3)] == [3.0, 6.0, 12.0]


def test_huge_attempt_numbers_do_not_overflow() -> None:
    """2 to the 10,000 is no float."""
    assert Retry(attempts=20_000, jitter=0.0).wait("d", 10_000) == 300.0


def test_the_last_attempt_has_no_successor() -> None:
    """`attempts` counts all of them."""
    retry = Retry(attempts=3)
    waits = [retry.next_wait(OSError(), "d", n) for n in (1, 2, 3, 4)]
    assert [wait is None for wait in waits] == [False, False, True, True]
    assert Retry(attempts=1).next_wait(OSError(), "d", 1) is None


def test_an_error_that_no_retry_mends_is_terminal() -> None:
    """Those of the policy, and bad input whatever the policy says; in a worker process too, by name."""
    retry = Retry(terminal=(Hopeless,))
    assert retry.is_terminal(Hopeless())
    assert retry.is_terminal(DecodeError())
    assert not retry.is_terminal(AssetMissing())
    assert not retry.is_terminal(OSError())
    assert retry.next_wait(Hopeless(), "d", 1) is None


def test_retry_after_waits_as_long_as_it_says_and_counts() -> None:
    """Text or seconds; not spread, not limited by max_delay."""
    retry = Retry(attempts=2, max_delay="5m")
    assert retry.next_wait(RetryAfter("24h"), "d", 1) == 86_400.0
    assert retry.next_wait(RetryAfter(0.5), "d", 1) == 0.5
    assert retry.next_wait(RetryAfter("24h"), "d", 2) is None


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"factor": 0.5}, {"jitter": 1.0}, {"jitter": -0.1}, {"delay": "soon"}, {"max_delay": -1}]
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """When it is written down, not when the first attempt fails."""
    with pytest.raises(ConfigError):
        Retry(**wrong)  # type: ignore[arg-type]


def test_an_error_of_a_worker_process_is_known_by_its_classes() -> None:
    """Its class is not here, its name and those of its bases are."""
    name = f"{Hopeless.__module__}.{Hopeless.__qualname__}"
    assert Retry(terminal=(Hopeless,)).is_terminal(_remote(name, "builtins.Exception"))
    assert not Retry(terminal=(Hopeless,)).is_terminal(_remote("builtins.OSError"))


def _remote(*kinds: str) -> RemoteError:
    return RemoteError(kinds, "text", "", {})
