"""Every manifest of a dance on a site, by the file in which it stands."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from farandole.deploying.companions import assets, kafka
from farandole.deploying.naming import OURS, PROJECTOR, Document
from farandole.deploying.network import policies
from farandole.deploying.pods import settings
from farandole.deploying.process import Capacities, Process, process_of, projector
from farandole.deploying.scaling import scaling
from farandole.deploying.site import Site
from farandole.deploying.topics import grounds, topics
from farandole.deploying.users import user
from farandole.deploying.watching import monitors
from farandole.deploying.workloads import workload
from farandole.runtime.declare import Service

Files = dict[str, list[Document]]
"""Manifests by the name of their file."""


class Dance(NamedTuple):
    """What is deployed: each service with where its image finds it, and what settings say otherwise than the code."""

    services: Sequence[tuple[str, Service]]
    capacities: Capacities


def documents(dance: Dance, site: Site) -> Files:
    """The same dance and site give the same manifests, in the same order. Raises BadInput for names that cannot be."""
    services = [service for _, service in dance.services]
    partitions = {spec.name: spec.partitions for spec in grounds(services, site)}
    files = {f"{OURS}.yaml": [settings(site), *policies(site), *monitors()]}
    for target, service in sorted(dance.services, key=lambda named: named[1].name):
        process = process_of(target, service, site, dance.capacities)
        files[f"service-{service.name}.yaml"] = _of_service(process, service, partitions, site)
    watching = projector(site)
    files[f"{PROJECTOR}.yaml"] = [*workload(watching, site), *_user(watching, site)]
    files["topics.yaml"] = topics(services, site)
    if site.alone:
        files["kafka.yaml"] = kafka(site)
        files["assets.yaml"] = [assets()]
    return files


def _of_service(process: Process, service: Service, partitions: Mapping[str, int], site: Site) -> list[Document]:
    scaled = scaling(process, service, partitions, site) if site.scaled else []
    return [*workload(process, site), *scaled, *_user(process, site)]


def _user(process: Process, site: Site) -> list[Document]:
    return [user(process, site)] if site.secured else []
