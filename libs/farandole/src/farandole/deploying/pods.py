"""The pod of a process: restricted as Kubernetes' strictest standard asks for, probed, and told where everything is."""

import hashlib
import json
from typing import Any

from farandole.deploying.naming import OURS, PROJECTOR_ROLE, Document, document, selector
from farandole.deploying.process import Process
from farandole.deploying.site import Site

PORT = 9464
"""Where metrics and probes are served."""
USER = 10001
"""Who runs in our images; no user of any node has this number."""
STORE_SECRET = "farandole-store"
"""Its key `password` is that of the tables' database; made by whoever makes the database."""
ASSETS = "farandole-assets"
"""The claim of a volume, or, for a store elsewhere, the ConfigMap and the Secret that say how to get in."""
_USER_FOLDER, _CA_FOLDER, _ASSETS_FOLDER = (f"/run/secrets/{name}" for name in ("kafka-user", "kafka-ca", "assets"))
_SCRATCH = "20Gi"  # of a node's disk: copies of assets, and what attempts write
_SMALL = "50m"
_APART = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
_READABLE = 0o440  # by the group of the pod, which is all that mounted secrets can be given


def settings(site: Site) -> Document:
    """What every process is told alike. No secret is in it."""
    data = {
        "FARANDOLE_LOG": site.log_url,
        "FARANDOLE_ASSETS": site.assets,
        "FARANDOLE_STORE": site.store,
        "FARANDOLE_TRACES": site.traces,
        "FARANDOLE_METRICS": f"0.0.0.0:{PORT}",
        "FARANDOLE_PARTITIONS": str(site.partitions),
        "FARANDOLE_SCRATCH": "/tmp",
        "FARANDOLE_LOG_FORMAT": "json",
    }
    return document("v1", "ConfigMap", OURS, data=data)


def ca_secret(site: Site) -> str:
    """Where Strimzi keeps the certificate of the CA that signs the brokers'."""
    return f"{site.cluster}-cluster-ca-cert"


def template(process: Process, site: Site) -> dict[str, Any]:
    """The pod. Changed settings are a changed pod, so that a change of them rolls out."""
    digest = hashlib.sha256(json.dumps(settings(site)["data"], sort_keys=True).encode()).hexdigest()
    metadata = {"labels": selector(process.name) | process.labels, "annotations": {f"{OURS}/settings": digest[:16]}}
    spec = {
        "serviceAccountName": process.name,
        "automountServiceAccountToken": False,
        # Else a Service of the namespace whose name begins with "farandole" would set FARANDOLE_… variables.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": process.ending,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [_spread(process, key) for key in _APART],
        "containers": [_container(process, site)],
        "volumes": _volumes(process, site),
    }
    return {"metadata": metadata, "spec": spec}


def _spread(process: Process, key: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(process.name)},
    }


def _container(process: Process, site: Site) -> dict[str, Any]:
    return {
        "name": process.name,
        "image": process.image,
        "args": list(process.arguments),
        "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
        "envFrom": _sources(process, site),
        "env": _environment(process, site),
        "resources": _resources(process, site),
        # A start may have to read much state before it can answer; until it does, nobody else judges it.
        "startupProbe": _probe("/livez", every=5, failures=60),
        "readinessProbe": _probe("/readyz", every=5, failures=3),
        "livenessProbe": _probe("/livez", every=20, failures=3),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": volume["name"], **_mount(volume["name"])} for volume in _volumes(process, site)],
    }


def _sources(process: Process, site: Site) -> list[dict[str, Any]]:
    """What all are told, and then what a user may tell one service, or all that fetch assets."""
    own = {"name": f"{process.name}-settings", "optional": True}
    sources: list[dict[str, Any]] = [{"configMapRef": {"name": OURS}}, {"configMapRef": own}, {"secretRef": own}]
    return [*sources, {"configMapRef": {"name": ASSETS, "optional": True}}] if _fetches(process, site) else sources


def _fetches(process: Process, site: Site) -> bool:
    return process.role != PROJECTOR_ROLE and not site.alone


def _resources(process: Process, site: Site) -> dict[str, Any]:
    """Memory is what was asked for and no more, for none can be taken back; idle cores may be had by whoever works,
    so they have no limit: it would only stand threads still that hold leases.
    """
    cpu, memory = process.resources.cpu, process.resources.memory
    return {"requests": {"cpu": _SMALL if site.alone else cpu, "memory": memory}, "limits": {"memory": memory}}


def _probe(path: str, *, every: int, failures: int) -> dict[str, Any]:
    request = {"path": path, "port": "metrics", "scheme": "HTTP"}
    return {"httpGet": request, "periodSeconds": every, "timeoutSeconds": 5, "failureThreshold": failures}


def _environment(process: Process, site: Site) -> list[dict[str, Any]]:
    """What is its own. A password stands in a file, for programs that a step starts see the environment."""
    values = dict(process.environment)
    if site.secured:
        values |= {
            "FARANDOLE_KAFKA_USER": process.name,
            "FARANDOLE_KAFKA_PASSWORD_FILE": f"{_USER_FOLDER}/password",
            "FARANDOLE_KAFKA_CA": f"{_CA_FOLDER}/ca.crt",
        }
    listed: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    if process.role == PROJECTOR_ROLE and not site.alone:  # the database's driver reads it; the projector starts nobody
        listed.append({"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": STORE_SECRET, "key": "password"}}})
    return listed


def _volumes(process: Process, site: Site) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {"sizeLimit": _SCRATCH}}]
    if site.secured:
        volumes.append({"name": "kafka-user", "secret": _one_file(process.name, "password")})
        volumes.append({"name": "kafka-ca", "secret": _one_file(ca_secret(site), "ca.crt")})
    if _fetches(process, site):
        login = {"secretName": ASSETS, "optional": True, "defaultMode": _READABLE}
        volumes.append({"name": "assets-login", "secret": login})
    elif process.role != PROJECTOR_ROLE:
        volumes.append({"name": "assets", "persistentVolumeClaim": {"claimName": ASSETS}})
    return volumes


def _one_file(secret: str, key: str) -> dict[str, Any]:
    return {"secretName": secret, "items": [{"key": key, "path": key}], "defaultMode": _READABLE}


def _mount(volume: str) -> dict[str, Any]:
    if volume == "scratch":
        return {"mountPath": "/tmp"}
    if volume == "assets":
        return {"mountPath": "/assets"}
    folders = {"kafka-user": _USER_FOLDER, "kafka-ca": _CA_FOLDER, "assets-login": _ASSETS_FOLDER}
    return {"mountPath": folders[volume], "readOnly": True}
