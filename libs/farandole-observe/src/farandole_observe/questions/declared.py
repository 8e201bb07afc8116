"""What a version of a step declared, and what it was configured with at a time; nothing is guessed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farandole.events.manifest import Configured, Manifest, StepManifest

_SKEW = 60.0  # seconds by which a worker's clock may be behind the log's, which says since when


@dataclass(frozen=True, slots=True)
class Declared:
    """A step of one version. `configured`: None where it is not known any more what that was; empty: nothing."""

    step: str
    version: str
    contract: StepManifest
    configured: dict[str, dict[str, Any]] | None


def declared(manifests: Mapping[str, Manifest], step: str, version: str, started: float) -> Declared | None:
    """What the version said of itself; None where its manifest is not there. `manifests`: by service/version.

    `started`: of an attempt, seconds by the clock of its worker. Replicas of one version are taken to be configured
    alike.
    """
    service, _, name = step.partition("/")
    manifest = manifests.get(f"{service}/{version}")
    found = next((s for s in manifest.steps if s.name == name), None) if manifest is not None else None
    return None if found is None else Declared(step, version, found, _in_force(found.configured, started))


def _in_force(told: list[Configured] | None, started: float) -> dict[str, dict[str, Any]] | None:
    if not told:
        return None if told is None else {}
    before = next((one.values for one in reversed(told) if one.since <= started), None)
    return told[0].values if before is None and started >= told[0].since - _SKEW else before
