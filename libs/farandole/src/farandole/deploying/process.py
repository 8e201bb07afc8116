"""`Process`: one Deployment's worth of a dance, a service or the projector, as its pods are told to run it."""

import importlib.metadata
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from farandole.deploying.naming import PROJECTOR, PROJECTOR_ROLE, SERVICE_ROLE, own_labels
from farandole.deploying.site import Site
from farandole.engines.kafka.clients import MARGIN
from farandole.events.errors import BadInput
from farandole.runtime.declare import Service
from farandole.runtime.resources import Resources
from farandole.runtime.rights import Right, rights, rights_of_observer

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BEYOND = 10  # seconds beyond the longest timeout until an attempt that passed it is killed and told of
_SPARE = 15  # seconds beyond what the engine needs to commit and let go

Capacities = Mapping[tuple[str, str], Mapping[str, Any]]
"""By service and step, what the settings say otherwise than the code."""


class Process(NamedTuple):
    """`arguments`: of `farandole`. `environment`: its own variables. `ending`: seconds from the signal to the kill."""

    name: str
    role: str
    version: str
    image: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    resources: Resources
    rights: Sequence[Right]
    ending: int

    @property
    def labels(self) -> dict[str, str]:
        """Of everything that belongs to it."""
        return own_labels(self.name, self.role, self.version)


def process_of(target: str, service: Service, site: Site, capacities: Capacities) -> Process:
    """A service that is found at `target`. Raises BadInput where its image can have no such name."""
    if service.name == PROJECTOR:
        raise BadInput(f"service {service.name!r}: the projector is called so; rename one")
    timeouts = [step.policy.timeout for step in service.steps.values() if step.policy.timeout is not None]
    grace = math.ceil(max([site.grace, *(timeout + _BEYOND for timeout in timeouts)]))
    return Process(
        name=service.name,
        role=SERVICE_ROLE,
        version=service.version,
        image=_image(site, service.name, service.version),
        arguments=("run", target),
        environment={"FARANDOLE_GRACE": str(grace), **dict(_overridden(service, capacities))},
        resources=service.resources,
        rights=rights(service),
        ending=grace + math.ceil(MARGIN) + _SPARE,
    )


def projector(site: Site) -> Process:
    """What folds the log into tables. It owes nobody anything, so it is given no grace beyond the usual."""
    version = importlib.metadata.version("farandole")
    return Process(
        name=PROJECTOR,
        role=PROJECTOR_ROLE,
        version=version,
        image=_image(site, "observe", version),
        arguments=("observe",),
        environment={},
        resources=Resources(cpu="250m", memory="512Mi"),
        rights=rights_of_observer(),
        ending=math.ceil(MARGIN) + _SPARE,
    )


def _image(site: Site, name: str, version: str) -> str:
    tag = site.tag or version
    if not _TAG.fullmatch(tag):
        raise BadInput(f"{name}: {tag[:60]!r} can be no tag of an image; give another with --tag")
    return f"{site.images}/{name}:{tag}" if site.images else f"{name}:{tag}"


def _overridden(service: Service, capacities: Capacities) -> Iterator[tuple[str, str]]:
    """The same settings as variables, for no pod has the file in which they stand."""
    for step in service.steps.values():
        for name, value in capacities.get((service.name, step.name), {}).items():
            parts = ("FARANDOLE_STEP", service.name, step.name, name)
            yield "__".join(parts).upper().replace("-", "_"), str(value).removesuffix(".0")
