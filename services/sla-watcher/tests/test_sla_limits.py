"""What a step may do in a window."""

import pytest

from sla_watcher.limits import BadLimits, Limit, Limits, read_limits
from sla_watcher.tally import Attempt, Tally

TABLE = """
[default]
failures = 0.1

[steps."tiling/cut"]
p95 = 2
"""


def tally(count: int, failures: int, seconds: float | None = None) -> Tally:
    return Tally().add(Attempt("s/t", number < failures, seconds) for number in range(count))


def test_only_more_than_the_limit_breaks_it() -> None:
    """Being equal is in order, and each limit is judged alone."""
    limit = Limit(failures=0.1, p95=1.0)
    assert limit.broken_by(tally(10, 1, 0.5)) == []
    assert limit.broken_by(tally(10, 2, 0.5)) == ["failures"]
    assert limit.broken_by(tally(10, 1, 1.5)) == ["p95"]
    assert limit.broken_by(tally(10, 2, 1.5)) == ["failures", "p95"]


def test_nothing_limited_or_nothing_measured_breaks_nothing() -> None:
    """A window in which nothing ran for any time has no p95."""
    assert Limit().broken_by(tally(5, 5, 99.0)) == []
    assert Limit(p95=0.0).broken_by(tally(5, 5)) == []


def test_one_slow_attempt_in_twenty_does_not_move_the_p95_and_two_do() -> None:
    """By nearest rank: of 20, the 19th counts."""
    quick = tally(18, 0, 0.1)
    assert Limit(p95=1.0).broken_by(quick.merge(tally(1, 0, 0.1)).merge(tally(1, 0, 9.0))) == []
    assert Limit(p95=1.0).broken_by(quick.merge(tally(2, 0, 9.0))) == ["p95"]


def test_a_step_has_its_own_limits_and_the_defaults_where_it_says_nothing() -> None:
    """The file's default goes before the environment's, field by field."""
    limits = read_limits(TABLE, Limit(failures=0.5, p95=7.0))
    assert limits == Limits(Limit(0.1, 7.0), {"tiling/cut": Limit(0.1, 2.0)})
    assert limits.of("tiling/cut") == Limit(0.1, 2.0)
    assert limits.of("other/step") == Limit(0.1, 7.0)
    assert limits.any
    assert not Limits().any


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default", "no TOML"),
        ("[defaults]", "table 'defaults' is unknown"),
        ("steps = 1", "'steps' is no table"),
        ("default = 1", "'default' is no table"),
        ("[default]\nfailure = 1", "default.failure is unknown"),
        ("[default]\nfailures = 5", "default.failures is 5; give a number, 0 to 1"),
        ("[default]\nfailures = true", "default.failures is True"),
        ("[default]\np95 = nan", "default.p95 is nan; give a number, 0 or more"),
        ('[steps."a/b"]\np95 = -1', "steps.a/b.p95 is -1"),
        ('[steps."a/b"]\np95 = "1"', "steps.a/b.p95 is '1'"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_by_its_name(text: str, said: str) -> None:
    """With what would do."""
    with pytest.raises(BadLimits) as caught:
        read_limits(text, Limit())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
