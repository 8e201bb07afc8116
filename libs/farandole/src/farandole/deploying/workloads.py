"""What runs a process: its account, its Deployment, and how much of it may be away at once."""

from typing import Any

from farandole.deploying.naming import SERVICE_ROLE, Document, document, selector
from farandole.deploying.pods import template
from farandole.deploying.process import Process
from farandole.deploying.site import Site


def workload(process: Process, site: Site) -> list[Document]:
    """Its ServiceAccount and Deployment; where more than one of it may run, its PodDisruptionBudget too."""
    made = [_account(process), _deployment(process, site)]
    return [*made, _budget(process)] if site.scaled else made


def _account(process: Process) -> Document:
    """One each, so that whatever is ever given to one is given to no other; it may ask the cluster for nothing."""
    made = document("v1", "ServiceAccount", process.name, process.labels)
    return made | {"automountServiceAccountToken": False}


def _deployment(process: Process, site: Site) -> Document:
    """The new process is ready before an old one goes: it stands by until partitions are let go.

    Who scales it decides how many there are, so no number stands here then; every apply would set it back.
    """
    spec: dict[str, Any] = {} if _is_scaled(process, site) else {"replicas": site.least}
    spec |= {
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": selector(process.name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template(process, site),
    }
    return document("apps/v1", "Deployment", process.name, process.labels, spec=spec)


def _is_scaled(process: Process, site: Site) -> bool:
    return site.scaled and process.role == SERVICE_ROLE


def _budget(process: Process) -> Document:
    """A node may always be emptied, one process of each service after the other: others take its partitions over."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(process.name)}}
    return document("policy/v1", "PodDisruptionBudget", process.name, process.labels, spec=spec)
