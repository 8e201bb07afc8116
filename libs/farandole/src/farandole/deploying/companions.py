"""What a deployment on one machine brings along: a Kafka of one broker, and a volume for assets."""

from typing import Any

from farandole.deploying.naming import Document, document, of_cluster
from farandole.deploying.pods import ASSETS
from farandole.deploying.site import Site

_API = "kafka.strimzi.io/v1"
_ROOM = "10Gi"
_SINGLE = (
    "default.replication.factor",
    "min.insync.replicas",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)
"""What is more than one unless it is said, and would keep a single broker from working."""


def kafka(site: Site) -> list[Document]:
    """One node that is broker and controller. It asks nobody who they are: for one machine only."""
    volume = {"id": 0, "type": "persistent-claim", "size": _ROOM, "deleteClaim": False, "kraftMetadata": "shared"}
    pool = {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "jbod", "volumes": [volume]}}
    listener = {"name": "plain", "port": int(site.log.servers.rpartition(":")[2]), "type": "internal", "tls": False}
    config: dict[str, Any] = {"auto.create.topics.enable": False, **dict.fromkeys(_SINGLE, 1)}
    cluster = {
        "kafka": {"listeners": [listener], "config": config},
        "entityOperator": {"topicOperator": {}, "userOperator": {}},
    }
    part = {"app.kubernetes.io/part-of": f"strimzi-{site.cluster}"}  # its pods are none of the dance's
    return [
        document(_API, "KafkaNodePool", "single", part | of_cluster(site.cluster), spec=pool),
        document(_API, "Kafka", site.cluster, part, spec=cluster),
    ]


def assets() -> Document:
    """A folder that every process of the one machine sees."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _ROOM}}}
    return document("v1", "PersistentVolumeClaim", ASSETS, spec=spec)
