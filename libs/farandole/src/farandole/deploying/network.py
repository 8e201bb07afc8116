"""Who may speak to whom: nobody, but for what a process needs and for who reads its metrics."""

from typing import Any

from farandole.deploying.naming import OURS, PROJECTOR, PROJECTOR_ROLE, Document, all_pods, document, pods_of
from farandole.deploying.pods import PORT
from farandole.deploying.site import Site, cluster_of

_API = "networking.k8s.io/v1"
_DNS, _HTTPS, _POSTGRESQL = 53, 443, 5432
_OTLP = (4317, 4318)
_ANYWHERE: dict[str, Any] = {}


def policies(site: Site) -> list[Document]:
    """Of the pods of the dance; a Kafka beside them in the namespace has policies of its own."""
    closed = {"podSelector": all_pods(), "policyTypes": ["Ingress", "Egress"]}
    made = [
        document(_API, "NetworkPolicy", f"{OURS}-closed", spec=closed),
        document(_API, "NetworkPolicy", OURS, spec=closed | {"ingress": [_scraped()], "egress": _needed(site)}),
    ]
    if site.alone:
        return made
    tables = {"podSelector": pods_of(PROJECTOR_ROLE), "policyTypes": ["Egress"], "egress": [_to([_POSTGRESQL])]}
    return [*made, document(_API, "NetworkPolicy", PROJECTOR, spec=tables)]


def _needed(site: Site) -> list[dict[str, Any]]:
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    rules = [_to([_DNS], system, protocols=("UDP", "TCP")), _to(_ports(site.log.servers), *_brokers(site))]
    if not site.alone:
        rules += [_to([_HTTPS]), _to(_OTLP, {"namespaceSelector": _ANYWHERE})]
    return rules


def _brokers(site: Site) -> list[dict[str, Any]]:
    """Strimzi's pods, in whatever namespace; of brokers elsewhere only the port is known."""
    if cluster_of(site.log) is None:
        return []
    pods = {"matchLabels": {"strimzi.io/cluster": site.cluster, "strimzi.io/kind": "Kafka"}}
    return [{"namespaceSelector": _ANYWHERE, "podSelector": pods}]


def _ports(servers: str) -> list[int]:
    return sorted({int(server.rpartition(":")[2]) for server in servers.split(",")})


def _to(
    ports: list[int] | tuple[int, ...], *peers: dict[str, Any], protocols: tuple[str, ...] = ("TCP",)
) -> dict[str, Any]:
    """To any of the peers, or anywhere where none is named."""
    rule: dict[str, Any] = {"to": list(peers)} if peers else {}
    return rule | {"ports": [{"port": port, "protocol": protocol} for port in ports for protocol in protocols]}


def _scraped() -> dict[str, Any]:
    prometheus = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
    peer = {"namespaceSelector": _ANYWHERE, "podSelector": prometheus}
    return {"from": [peer], "ports": [{"port": PORT, "protocol": "TCP"}]}
