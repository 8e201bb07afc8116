"""How many processes of a service there are: as many as its lag asks for, and never more than can hold a partition."""

from collections.abc import Iterator, Mapping
from typing import Any

from farandole.deploying.naming import Document, document
from farandole.deploying.pods import ca_secret
from farandole.deploying.process import Process
from farandole.deploying.site import Site
from farandole.engines.kafka.names import Names
from farandole.events import topics
from farandole.runtime.declare import AnyStep, Service

_API = "keda.sh/v1alpha1"
_LOOK = 30  # seconds between two looks at the lag
_ROUNDS = 10  # what waits for one process: so many times what it runs at once
_CALM = 600  # seconds: each coming and going moves partitions, and a delivery may take minutes
_PACE = 120  # seconds between two that go
_KAFKA = "2.8.0"  # the requests that KEDA makes; its default is of a Kafka whose requests 4.0 no longer takes


def scaling(process: Process, service: Service, partitions: Mapping[str, int], site: Site) -> list[Document]:
    """A ScaledObject, and with users what it is let in by; nothing for a service without steps."""
    if not service.steps:
        return []
    return [_scaled(process, service, partitions, site), *([_login(process, site)] if site.secured else [])]


def leased(step: AnyStep) -> str:
    """The topic whose partitions a step is given."""
    return topics.inbox(step.service, step.name) if step.fed_by_inbox else step.signature.consumed[0].event_type.name


def _scaled(process: Process, service: Service, partitions: Mapping[str, int], site: Site) -> Document:
    most = max(partitions[leased(step)] for step in service.steps.values())
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": process.name},
        "minReplicaCount": min(site.least, most),
        "maxReplicaCount": most,
        "pollingInterval": _LOOK,
        "cooldownPeriod": _CALM,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior()}},
        "triggers": [_trigger(process, site, *watched) for watched in _watched(service)],
    }
    return document(_API, "ScaledObject", process.name, process.labels, spec=spec)


def _watched(service: Service) -> Iterator[tuple[str, str, AnyStep]]:
    """Each group with the topic that it reads: of steps, and of what feeds their inboxes."""
    for step in service.steps.values():
        yield step.producer, leased(step), step
        if step.fed_by_inbox:
            for name in sorted({event.event_type.name for event in step.signature.consumed}):
                yield topics.forwarder(step.producer, name), name, step


def _trigger(process: Process, site: Site, group: str, topic: str, step: AnyStep) -> dict[str, Any]:
    """The topic is named always: KEDA could not tell of a group that never committed what it reads."""
    names = Names(site.log.namespace)
    metadata = {
        "bootstrapServers": site.log.servers,
        "consumerGroup": names.outer(group),
        "topic": names.outer(topic),
        "lagThreshold": str(_ROUNDS * step.policy.concurrency),
        "offsetResetPolicy": "latest" if step.policy.start == "now" else "earliest",
        "allowIdleConsumers": "false",
        "version": _KAFKA,
    }
    if not site.secured:
        return {"type": "kafka", "metadata": metadata}
    metadata |= {"sasl": "scram_sha512", "tls": "enable"}
    return {"type": "kafka", "metadata": metadata, "authenticationRef": {"name": process.name}}


def _behavior() -> dict[str, Any]:
    """Up at once where it is needed, down one by one after a long look."""
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 60,
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": _PACE}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": _CALM,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": _PACE}],
        },
    }


def _login(process: Process, site: Site) -> Document:
    """KEDA looks with the service's own user, which may see its groups and its topics, and nothing else."""
    spec = {
        "env": [{"parameter": "username", "name": "FARANDOLE_KAFKA_USER", "containerName": process.name}],
        "secretTargetRef": [
            {"parameter": "password", "name": process.name, "key": "password"},
            {"parameter": "ca", "name": ca_secret(site), "key": "ca.crt"},
        ],
    }
    return document(_API, "TriggerAuthentication", process.name, process.labels, spec=spec)
