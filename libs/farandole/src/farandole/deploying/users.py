"""Who a process is to Kafka, and all that it may do there: its rights, and nothing else."""

from typing import Any

from farandole.deploying.naming import Document, document, of_cluster
from farandole.deploying.process import Process
from farandole.deploying.site import Site
from farandole.engines.kafka.names import Names
from farandole.runtime.rights import Right

_KINDS = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}


def user(process: Process, site: Site) -> Document:
    """A KafkaUser; the operator puts its password into a Secret of the same name."""
    names = Names(site.log.namespace)
    spec = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": [_rule(right, names) for right in process.rights]},
    }
    labels = process.labels | of_cluster(site.cluster)
    return document("kafka.strimzi.io/v1", "KafkaUser", process.name, labels, spec=spec)


def _rule(right: Right, names: Names) -> dict[str, Any]:
    """Everything of a log without a namespace is everything that there is, which Kafka calls `*`."""
    name = names.outer(right.name)
    resource = {
        "type": _KINDS[right.kind],
        "name": name or "*",
        "patternType": "prefix" if right.prefixed and name else "literal",
    }
    return {"resource": resource, "operations": [_spelt(operation) for operation in right.operations]}


def _spelt(operation: str) -> str:
    """DESCRIBE_CONFIGS is DescribeConfigs here."""
    return "".join(word.capitalize() for word in operation.split("_"))
