"""Whether Prometheus has samples of every service, and whether the queries of the fleet's dashboard are answered."""

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from scripts.compose.project import DEPLOY
from scripts.compose.reading import ask

_BOARD = DEPLOY / "grafana" / "dashboards" / "farandole-fleet.json"
_BUILT_IN = {"$__rate_interval": "1m", "$__range": "5m"}  # as Grafana fills them in, at our interval of scraping


@cache
def fleet_queries() -> tuple[str, ...]:
    """Every PromQL expression of the dashboard, as Grafana would ask it."""
    panels = json.loads(_BOARD.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ()) if "expr" in target]
    return tuple(dict.fromkeys(map(_filled, found)))


def missing(url: str, services: Sequence[str], completed: int) -> list[str]:
    """What Prometheus at `url` lacks: services, the projector, `completed` outcomes, answers to the dashboard.

    Rates need two samples, so ask again. Raises OSError, ValueError.
    """
    seen = {series["metric"]["service"] for series in query(url, "farandole_service_info")}
    found = [f"no sample of {service}" for service in services if service not in seen]
    if not query(url, 'up{job="farandole-observe"} == 1'):
        found.append("no sample of the projector")
    counted = sum(numbers(query(url, 'sum(farandole_outcomes_total{ending="completed"})')))
    if counted < completed:
        found.append(f"{counted:.0f} of {completed} completed outcomes")
    return found + [f"nothing for {text}" for text in fleet_queries() if not query(url, text)]


def query(url: str, expression: str) -> list[Any]:
    """The series that an expression gives now. Raises OSError where it is refused."""
    found: list[Any] = ask(f"{url}/api/v1/query", query=expression)["data"]["result"]
    return found


def numbers(series: Sequence[Any]) -> list[float]:
    """Their values, without those that are none."""
    return [value for one in series if math.isfinite(value := float(one["value"][1]))]


def _filled(text: str) -> str:
    for name, value in _BUILT_IN.items():
        text = text.replace(name, value)
    if "$" in text:
        raise ValueError(f"{_BOARD.name}: a variable is not filled in: {text}")
    return text
