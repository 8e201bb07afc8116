"""Every manifest is what Kubernetes and the operators take, by their own schemas; and a mistake in one is found."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s.rendered import IDS, KUBERNETES, OVERLAYS, Document, parsed, rendered
from tests.support.operator_schemas import problems

pytestmark = pytest.mark.slow
Change = Callable[[dict[str, Any]], object]


def wrong(documents: list[Document]) -> dict[str, list[str]]:
    """What is wrong, by kind and name."""
    found = zip(documents, problems(documents), strict=True)
    return {f"{made['kind']} {made['metadata']['name']}": said for made, said in found if said}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=IDS)
def test_every_manifest_is_one(overlay: str | None) -> None:
    """Of the base, and of what kustomize makes of each overlay; no field is there that nobody knows."""
    documents = rendered(overlay)
    assert len(documents) > 50
    assert wrong(documents) == {}


def test_what_is_written_by_hand_is_one_too() -> None:
    """The components: the SLA watcher, the demonstration's volumes, a Kafka for production."""
    files = [path for path in sorted(KUBERNETES.glob("components/*/*.yaml")) if path.name != "kustomization.yaml"]
    documents = [made for path in files for made in parsed(path.read_text())]
    assert {"Kafka", "KafkaNodePool", "Deployment", "PersistentVolumeClaim"} <= {made["kind"] for made in documents}
    assert wrong(documents) == {}


def at(*way: str | int, **changes: Any) -> Change:
    """Sets, or with None takes away, what stands in a place."""

    def change(made: dict[str, Any]) -> None:
        found: Any = made
        for part in way:
            found = found[part]
        for name, value in changes.items():
            if value is None:
                del found[name]
            else:
                found[name] = value

    return change


CONTAINER = ("spec", "template", "spec", "containers", 0)
BEHAVIOR = ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior")
ACL = ("spec", "authorization", "acls", 0)
MISTAKES: list[tuple[str, str, Change]] = [
    ("Deployment", "a field misspelt", at("spec", "template", "spec", terminationGracePeriodSecond=1)),
    ("Deployment", "a text for a number", at("spec", "template", "spec", terminationGracePeriodSeconds="75")),
    ("Deployment", "a probe misspelt", at(*CONTAINER, livenesProbe={})),
    ("Deployment", "a list for a mapping", at(*CONTAINER, resources=[])),
    ("Deployment", "no selector", at("spec", selector=None)),
    ("PodDisruptionBudget", "a field misspelt", at("spec", maxUnavailabel=1)),
    ("NetworkPolicy", "a field misspelt", at("spec", egres=[])),
    ("NetworkPolicy", "a text for a list", at("spec", policyTypes="Egress")),
    ("ConfigMap", "a number for a text", at("data", FARANDOLE_PARTITIONS=4)),
    ("ServiceAccount", "a text for a truth", at(automountServiceAccountToken="no")),
    ("ScaledObject", "a field misspelt", at("spec", maxReplicaCout=3)),
    ("ScaledObject", "a text for a number", at("spec", maxReplicaCount="3")),
    ("ScaledObject", "a number for a text", at("spec", "triggers", 0, "metadata", lagThreshold=40)),
    ("ScaledObject", "a field misspelt far below", at(*BEHAVIOR, "scaleDown", polices=[])),
    ("ScaledObject", "no triggers", at("spec", triggers=None)),
    ("TriggerAuthentication", "a field misspelt", at("spec", secretTargetRefs=[])),
    ("TriggerAuthentication", "no key", at("spec", "secretTargetRef", 0, key=None)),
    ("PodMonitor", "a field misspelt", at("spec", podMetricEndpoints=[])),
    ("PodMonitor", "a text for a truth", at("spec", "podMetricsEndpoints", 0, honorLabels="yes")),
    ("PodMonitor", "no such interval", at("spec", "podMetricsEndpoints", 0, interval="often")),
    ("KafkaTopic", "a field misspelt", at("spec", partitons=4)),
    ("KafkaTopic", "a text for a number", at("spec", partitions="4")),
    ("KafkaTopic", "half a copy", at("spec", replicas=1.5)),
    ("KafkaTopic", "another API", at(apiVersion="kafka.strimzi.io/v2")),
    ("KafkaUser", "a field misspelt", at(*ACL, operatons=["Read"])),
    ("KafkaUser", "no such operation", at(*ACL, operations=["Reed"])),
    ("KafkaUser", "no such resource", at(*ACL, "resource", type="topics")),
    ("KafkaUser", "no such pattern", at(*ACL, "resource", patternType="prefixed")),
    ("KafkaUser", "no such login", at("spec", "authentication", type="scram")),
    ("KafkaUser", "no rules", at("spec", "authorization", acls=None)),
    ("KafkaUser", "a label misplaced", at("metadata", lables={})),
]


def test_a_planted_mistake_is_found_wherever_it_is() -> None:
    """In every kind of manifest: a field that nobody knows, a value of another type, what is missing, no such word."""
    chosen = {kind: next(made for made in rendered() if made["kind"] == kind) for kind, _, _ in MISTAKES}
    planted = []
    for kind, _, change in MISTAKES:
        made = copy.deepcopy(chosen[kind])
        change(made)
        planted.append(made)
    missed = [f"{kind}: {what}" for (kind, what, _), said in zip(MISTAKES, problems(planted), strict=True) if not said]
    assert missed == []
    assert chosen.keys() >= {made["kind"] for made in rendered()}
