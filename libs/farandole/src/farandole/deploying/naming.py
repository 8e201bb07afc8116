"""The frame of every manifest: its names and labels."""

import hashlib
import re
from typing import Any

Document = dict[str, Any]
"""One manifest."""
OURS = "farandole"
"""The part of which all is: what selects every pod of a dance. Also the name of what it has once."""
PROJECTOR = "farandole-observe"
SERVICE_ROLE, PROJECTOR_ROLE = "service", "projector"
_NAME = "app.kubernetes.io/name"
_PART = "app.kubernetes.io/part-of"
_ROLE = "app.kubernetes.io/component"
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LONGEST = 253


def document(api: str, kind: str, name: str, labels: dict[str, str] | None = None, **body: Any) -> Document:
    """A manifest with the labels that all have."""
    metadata = {"name": name, "labels": {_PART: OURS, "app.kubernetes.io/managed-by": OURS, **(labels or {})}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def identity(made: Document) -> tuple[str, str]:
    """What tells it from others of one deployment."""
    return made["kind"], made["metadata"]["name"]


def selector(name: str) -> dict[str, str]:
    """The labels by which the pods of one Deployment are found; they can never change, so no version is in them."""
    return {_NAME: name, _PART: OURS}


def own_labels(name: str, role: str, version: str) -> dict[str, str]:
    """Those of what belongs to one service."""
    return {_NAME: name, _ROLE: role, "app.kubernetes.io/version": version}


def all_pods() -> dict[str, Any]:
    """Selects every pod of the dance, and no other of its namespace."""
    return {"matchLabels": {_PART: OURS}}


def pods_of(role: str) -> dict[str, Any]:
    """Selects the pods of one role."""
    return {"matchLabels": {_PART: OURS, _ROLE: role}}


def of_cluster(cluster: str) -> dict[str, str]:
    """The label by which Strimzi knows which Kafka is meant."""
    return {"strimzi.io/cluster": cluster}


def resource_name(topic: str) -> str:
    """A topic's name where Kubernetes takes it, else one made from it that no other topic gets."""
    if len(topic) <= _LONGEST and _SUBDOMAIN.fullmatch(topic):
        return topic
    plain = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:200]
    return f"{plain}-{hashlib.sha256(topic.encode()).hexdigest()[:8]}".lstrip("-")
