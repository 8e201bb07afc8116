"""What a service declares of itself; the topology is nothing but the manifests together."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

MANIFEST = "farandole.manifest"
MANIFEST_VERSION = 1
CONFIGURED_KEPT = 20
"""Changes of its settings that the manifest of a version remembers."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Published(_Part):
    """An event type that a service owns: one it publishes or accepts from outside."""

    type: str
    version: int
    key: str | None
    final: bool = False
    accepted: bool = False


class InPort(_Part):
    """One parameter: the types that it takes (names with versions), and whether it gathers a group."""

    name: str
    types: list[tuple[str, int]]
    many: bool = False


class OutSlot(_Part):
    """One slot of what a step returns: its types, whether it is a fan-out, whether it may be missing."""

    types: list[tuple[str, int]]
    many: bool = False
    optional: bool = False


class Interval(_Part):
    """When a step subscribed: seconds since the epoch, None for the beginning or for 'still'."""

    since: float | None = None
    until: float | None = None


class Configured(_Part):
    """What a step was configured with from a time on (seconds since the epoch): by settings class and field, as JSON,
    without secrets.
    """

    since: float
    values: dict[str, dict[str, Any]]


class StepManifest(_Part):
    """One step's contract and settings.

    `inbox`: whether it leases its inbox, where what it takes is re-keyed, rather than the topic of its event.
    `configured`: the service's own settings, in the order in which they came into force, the last `CONFIGURED_KEPT`.
    Both are None where an older library declared the version.
    """

    name: str
    inputs: list[InPort]
    outputs: list[OutSlot] = []
    shape: Literal["one", "fan-in", "join"] = "one"
    intervals: list[Interval] = [Interval()]
    order_by: str | None = None
    inbox: bool | None = None
    runs: Literal["async", "thread", "process"] = "async"
    timeout: float | None = None
    attempts: int = 1
    configured: list[Configured] | None = None

    @property
    def consumed(self) -> frozenset[tuple[str, int]]:
        """Every (type, version) that the step takes."""
        return frozenset(t for port in self.inputs for t in port.types)


class Manifest(_Part):
    """One version of one service; the compacted topic holds the latest per (service, version).

    `at`: when it was declared so; `begun`: when the version was declared first, None where an older library did that.
    Seconds since the epoch.
    """

    service: str
    version: str
    published: list[Published] = []
    steps: list[StepManifest] = []
    at: float = 0.0
    begun: float | None = None

    @property
    def key(self) -> str:
        """Key of the record in `farandole.manifests`."""
        return f"{self.service}/{self.version}"
