"""What a step may do in a window, and whether it did more. Times are in seconds, failures a share from 0 to 1."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sla_watcher.tally import Tally

_FIELDS = {"failures": 1.0, "p95": float("inf")}  # what each may be at most


class BadLimits(Exception):
    """The limits cannot be understood; the text names the field and what would do."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that is in order; None: no limit."""

    failures: float | None = None
    p95: float | None = None

    def broken_by(self, tally: Tally) -> list[str]:
        """The names of what the tally exceeds; being equal is in order."""
        p95 = tally.quantile(0.95)
        found = {
            "failures": self.failures is not None and tally.share > self.failures,
            "p95": self.p95 is not None and p95 is not None and p95 > self.p95,
        }
        return [name for name, broken in found.items() if broken]


@dataclass(frozen=True, slots=True)
class Limits:
    """Those of each step by `service/step`, and of all that are not named."""

    default: Limit = Limit()
    steps: Mapping[str, Limit] = field(default_factory=dict)

    def of(self, step: str) -> Limit:
        """What holds for a step."""
        return self.steps.get(step, self.default)

    @property
    def any(self) -> bool:
        """Whether anything is limited at all."""
        return any(limit != Limit() for limit in (self.default, *self.steps.values()))


def read_limits(text: str, default: Limit) -> Limits:
    """Limits from TOML: a table `[default]`, and one `[steps."service/step"]` each, whose missing fields are the
    default's. `default`: what holds where the table says nothing. Raises BadLimits.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadLimits(f"is no TOML: {error}") from error
    unknown = set(document) - {"default", "steps"}
    if unknown:
        raise BadLimits(f'table {min(unknown)!r} is unknown; there are [default] and [steps."service/step"]')
    default = _limit("default", document.get("default", {}), default)
    steps = document.get("steps", {})
    if not isinstance(steps, dict):
        raise BadLimits("'steps' is no table; write [steps.\"service/step\"]")
    return Limits(default, {name: _limit(f"steps.{name}", table, default) for name, table in steps.items()})


def read_limit(name: str, field_name: str, value: Any) -> float:
    """One limit, a number within its bounds. Raises BadLimits, naming it `name`."""
    most = _FIELDS[field_name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value != value:
        bound = "0 to 1, a share of the attempts" if most == 1 else "0 or more, in seconds"
        raise BadLimits(f"{name} is {value!r}; give a number, {bound}")
    return float(value)


def _limit(name: str, table: Any, base: Limit) -> Limit:
    if not isinstance(table, dict):
        raise BadLimits(f"{name!r} is no table; write [{name}]")
    unknown = set(table) - set(_FIELDS)
    if unknown:
        raise BadLimits(f"{name}.{min(unknown)} is unknown; there are failures and p95")
    return replace(base, **{key: read_limit(f"{name}.{key}", key, value) for key, value in table.items()})
