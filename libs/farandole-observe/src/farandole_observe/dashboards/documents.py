"""Every file that is made from a topology, by its path below the folder in which they stand."""

from collections.abc import Mapping
from typing import Any

import yaml

from farandole.fold import Topology
from farandole_observe.dashboards.fleet import fleet
from farandole_observe.dashboards.letters import letters
from farandole_observe.dashboards.panels import finished
from farandole_observe.dashboards.rules import rules, scraping
from farandole_observe.dashboards.sla import sla
from farandole_observe.dashboards.sources import datasources, providers
from farandole_observe.dashboards.step import step
from farandole_observe.dashboards.workflow import workflow

_HEAD = "# Made by `farandole dashboards`; do not edit.\n"


def documents(topology: Topology) -> dict[str, str]:
    """Paths with texts; the same topology gives the same bytes."""
    boards = (fleet(topology), step(), workflow(), letters(), sla(topology))
    made = {f"grafana/dashboards/{board.build().uid}.json": finished(board) for board in boards}
    return made | {
        "grafana/provisioning/datasources/farandole.yaml": _yaml(datasources()),
        "grafana/provisioning/dashboards/farandole.yaml": _yaml(providers()),
        "prometheus/prometheus.yaml": _yaml(scraping(topology)),
        "prometheus/rules.yaml": _yaml(rules(topology)),
    }


def _yaml(document: Mapping[str, Any]) -> str:
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True)
