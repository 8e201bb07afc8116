"""The topics of a dance as Strimzi makes them: the same that `farandole topics apply` would make."""

from collections.abc import Sequence
from typing import Any

from farandole.deploying.naming import Document, document, of_cluster, resource_name
from farandole.deploying.site import Site
from farandole.engines.kafka.applying import wanted_settings
from farandole.engines.kafka.names import Names
from farandole.log.care import ENGINE_TOPICS, Wish
from farandole.log.record import TopicSpec
from farandole.runtime.declare import Service
from farandole.runtime.ground import domain_topics, ground_of_all


def grounds(services: Sequence[Service], site: Site) -> list[TopicSpec]:
    """Every topic, by name."""
    return sorted([*ground_of_all(services, {}, site.partitions), *ENGINE_TOPICS])


def topics(services: Sequence[Service], site: Site) -> list[Document]:
    """A KafkaTopic each. Raises ConfigError where Kafka would not take a name."""
    names = Names(site.log.namespace)
    domain = frozenset[str]().union(*(domain_topics(service) for service in services))
    wish = Wish(grounds(services, site), domain, retention=site.retention)
    return [_topic(names.checked(spec.name), spec, wish, site) for spec in wish.specs]


def _topic(name: str, spec: TopicSpec, wish: Wish, site: Site) -> Document:
    """Its Kafka name is said, so that no renaming of manifests ever renames a topic."""
    body: dict[str, Any] = {"topicName": name, "partitions": spec.partitions}
    if site.replication is not None:
        body["replicas"] = site.replication
    body["config"] = wanted_settings(spec, wish)
    return document("kafka.strimzi.io/v1", "KafkaTopic", resource_name(name), of_cluster(site.cluster), spec=body)
