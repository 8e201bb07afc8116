"""Who scrapes what: the jobs by which alerts and dashboards know services and projector."""

from farandole.deploying.naming import PROJECTOR, PROJECTOR_ROLE, SERVICE_ROLE, Document, document, pods_of

SERVICES_JOB, PROJECTOR_JOB = "farandole-services", PROJECTOR


def monitors() -> list[Document]:
    """Pods are scraped, not Services: who only reads a log has none, and what ends is still seen."""
    return [_monitor(SERVICES_JOB, SERVICE_ROLE), _monitor(PROJECTOR_JOB, PROJECTOR_ROLE)]


def _monitor(job: str, role: str) -> Document:
    """What the metrics say of their service counts, whatever the cluster's own labels say."""
    endpoint = {
        "port": "metrics",
        "path": "/metrics",
        "interval": "15s",
        "honorLabels": True,
        "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": job}],
    }
    spec = {"selector": pods_of(role), "podMetricsEndpoints": [endpoint]}
    return document("monitoring.coreos.com/v1", "PodMonitor", job, spec=spec)
