"""What the soak calls flat: whatever grows by more than its bar is named, and nothing else is."""

import pytest

from tests.bench_kafka.steady import Look, judged, rows

FLAT = [Look(5.0 * n, 80 * 2**20, 14, 40, 0.2, 500 * n) for n in range(60)]


def missed(looks: list[Look]) -> list[str]:
    return [bar.name.partition(",")[0] for bar in judged(rows(looks)) if not bar.met]


def test_what_stays_is_met() -> None:
    """A worker that is the same at every look."""
    assert missed(FLAT) == []


@pytest.mark.parametrize(
    ("field", "by", "name"),
    [
        ("memory", 2**18, "resident memory"),
        ("threads", 1, "threads"),
        ("descriptors", 1, "descriptors"),
        ("lag", 0.1, "lag"),
    ],
)
def test_what_grows_is_named(field: str, by: float, name: str) -> None:
    """One series grows from look to look."""
    growing = [look._replace(**{field: getattr(look, field) + by * number}) for number, look in enumerate(FLAT)]
    assert missed(growing) == [name]


def test_what_grows_only_at_first_is_met() -> None:
    """Caches fill."""
    warming = [look._replace(memory=look.memory + min(number, 12) * 2**20) for number, look in enumerate(FLAT)]
    assert missed(warming) == []


def test_too_few_looks_say_nothing() -> None:
    """A judgement needs a few in each fifth."""
    with pytest.raises(ValueError, match="too few"):
        rows(FLAT[:9])
