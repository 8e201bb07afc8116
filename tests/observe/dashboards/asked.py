"""What the dashboards ask, taken out of the documents as Grafana would, with its variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from farandole.cli.options import settings
from farandole.cli.services import chosen_services, topology_of
from farandole.fold import Topology
from farandole_observe.dashboards.documents import documents

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
BOARDS = ("fleet", "letters", "sla", "step", "workflow")
BUILT_IN = {
    "__rate_interval": "1m",
    "__range": "5m",
    "__unixEpochFrom()": "0",
    "__unixEpochTo()": "99999999999",
}


@cache
def ours() -> Topology:
    """The topology of this repository's services."""
    return topology_of(chosen_services(None, settings(ROOT / "farandole.toml")))


def boards(topology: Topology) -> dict[str, dict[str, Any]]:
    """Every dashboard by the last part of its id, as Grafana reads it."""
    made = documents(topology)
    return {name: json.loads(made[f"grafana/dashboards/farandole-{name}.json"]) for name in BOARDS}


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every panel that asks something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every query, with the title of its panel."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target


def variables(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board.get("templating", {}).get("list", [])
    return found


def filled(text: str, said: Mapping[str, str]) -> str:
    """With variables and Grafana's own filled in; nothing of them may be left."""
    for name, value in said.items():
        quoted = value.replace("'", "''")
        text = text.replace(f"${{{name}:sqlstring}}", f"'{quoted}'")
    for name, value in {**BUILT_IN, **said}.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text, text
    return text


def used(text: str) -> set[str]:
    """The names of variables that stand in a text, Grafana's own left out."""
    found = {one or other for one, other in re.findall(r"\$(?:\{(\w+)[:}]|(\w+))", text)}
    return {name for name in found if not name.startswith("__")}
