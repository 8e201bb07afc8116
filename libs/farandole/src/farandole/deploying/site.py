"""`Site`: what all manifests of a deployment have in common, and the two overlays as other sites."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from farandole.engines.kafka.address import LEASE, Address
from farandole.events.errors import BadInput
from farandole.telemetry.switch import OFF

CLUSTER = "farandole"
"""Strimzi's Kafka, where nobody names one; its brokers are then found at `farandole-kafka-bootstrap`."""
SECURITY, MECHANISM = "sasl_ssl", "SCRAM-SHA-512"
_TLS_PORT, _PLAIN_PORT = 9093, 9092
_BOOTSTRAP = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?)-kafka-bootstrap(\..+)?:[0-9]+")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_SPREAD = 12  # partitions in production, at least: they bound how many processes share the work, and can't be added


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how a dance is deployed.

    `cluster`: the Kafka whose operator makes topics and users. `assets`, `store`, `traces`: as the settings of these
    names. `images`: what image names begin with; `tag`: of all of them, "": each service's own version. `partitions`:
    of a topic. `replication`: copies of it, None: the cluster's own number. `retention`: seconds that events are kept,
    None: for ever. `grace`: seconds that what runs is given, at least. `least`: processes of a service; `scaled`:
    whether there are more where work waits. `alone`: everything that it needs is deployed with it, for one machine.
    """

    log: Address
    assets: str
    store: str
    traces: str
    cluster: str = CLUSTER
    images: str = "farandole"
    tag: str = ""
    partitions: int = 4
    replication: int | None = None
    retention: float | None = None
    grace: float = 30.0
    least: int = 1
    scaled: bool = True
    alone: bool = False

    @property
    def secured(self) -> bool:
        """Whether each service has a user of its own."""
        return bool(self.log.mechanism)

    @property
    def log_url(self) -> str:
        """As `read_address` takes it."""
        options = {"security": self.log.security, "mechanism": self.log.mechanism} if self.secured else {}
        if self.log.lease != LEASE:
            options["lease"] = f"{self.log.lease:g}"
        namespace = f"/{self.log.namespace}" if self.log.namespace else ""
        return f"kafka://{self.log.servers}{namespace}" + (f"?{urlencode(options)}" if options else "")


def default_log(cluster: str, namespace: str = "") -> Address:
    """The brokers that Strimzi starts, over TLS and with users."""
    return Address(f"{cluster}-kafka-bootstrap:{_TLS_PORT}", namespace, LEASE, SECURITY, MECHANISM)


def cluster_of(address: Address) -> str | None:
    """The name of Strimzi's Kafka in the brokers' address; None where it has another form."""
    found = _BOOTSTRAP.fullmatch(address.servers)
    return found[1] if found else None


def checked(site: Site) -> Site:
    """Raises BadInput where the log asks for what the operator's users cannot do, or a name is none."""
    if not _NAME.fullmatch(site.cluster):
        raise BadInput(f"--cluster {site.cluster[:60]!r}: small letters, digits and '-', at most 40")
    if (site.log.security, site.log.mechanism) not in ((SECURITY, MECHANISM), ("plaintext", "")):
        raise BadInput(
            f"--log: security={site.log.security}&mechanism={site.log.mechanism}: Strimzi makes users for "
            f"security={SECURITY}&mechanism={MECHANISM}; give that, or leave both out for a listener that asks nobody"
        )
    return site


def dev(base: Site) -> Site:
    """One process of each, on a Kafka of one broker that asks nobody who they are; all on one machine."""
    brokers = Address(f"{base.cluster}-kafka-bootstrap:{_PLAIN_PORT}", base.log.namespace, base.log.lease)
    return replace(
        base,
        log=brokers,
        assets="/assets",
        store="sqlite:////tmp/observe.db",
        traces=OFF,
        replication=1,
        least=1,
        scaled=False,
        alone=True,
    )


def production(base: Site) -> Site:
    """Users over TLS, three copies of everything, room to scale, two processes of each at least."""
    secured = default_log(base.cluster, base.log.namespace)._replace(lease=base.log.lease)
    return replace(
        base,
        log=base.log if base.secured else secured,
        partitions=max(base.partitions, _SPREAD),
        replication=3,
        least=2,
    )


OVERLAYS: Mapping[str, Callable[[Site], Site]] = {"dev": dev, "production": production}
