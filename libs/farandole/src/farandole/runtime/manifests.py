"""Makes a service's manifest from its declaration and from what was declared before."""

from collections.abc import Iterable, Mapping
from typing import Any

from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.ids import content_id
from farandole.events.manifest import (
    CONFIGURED_KEPT,
    MANIFEST,
    MANIFEST_VERSION,
    Configured,
    InPort,
    Interval,
    Manifest,
    OutSlot,
    Published,
    StepManifest,
)
from farandole.events.topics import MANIFESTS
from farandole.log.record import NewRecord
from farandole.runtime.bind import EventClass
from farandole.runtime.declare import AnyStep, Service


def make_manifest(
    service: Service,
    steps: Iterable[AnyStep],
    before: Iterable[Manifest],
    now: float,
    settings: Mapping[str, dict[str, Any]] | None = None,
) -> Manifest:
    """The manifest of this version. A step keeps the intervals it had; a new one begins as it declares.

    `settings`: by step, what it is configured with; what it was configured with before is kept beside.
    """
    earlier = sorted((m for m in before if m.service == service.name), key=lambda m: m.at)
    known = {step.name: step.intervals for manifest in earlier for step in manifest.steps}
    same = [m for m in earlier if m.version == service.version]
    configured = {step.name: step.configured for manifest in same for step in manifest.steps}
    settings = settings or {}
    return Manifest(
        service=service.name,
        version=service.version,
        published=[*_published(service, steps)],
        steps=[
            _step(step, known.get(step.name), now).model_copy(
                update={"configured": _configured(configured.get(step.name) or [], settings.get(step.name, {}), now)}
            )
            for step in steps
        ],
        at=now,
        begun=same[-1].begun if same else now,
    )


def manifest_record(manifest: Manifest) -> NewRecord:
    """The record that tells of a manifest; keyed so that the compacted topic keeps each version's latest."""
    data = manifest.model_dump_json().encode()
    envelope = Envelope(content_id(data), manifest.service, MANIFEST, MANIFEST_VERSION, data, key=manifest.key)
    parts = encode(envelope)
    return NewRecord(MANIFESTS, parts.value, parts.key, parts.headers)


def same_but_for_time(one: Manifest, other: Manifest | None) -> bool:
    """Whether publishing `one` would tell nothing new."""
    return other is not None and one.model_copy(update={"at": other.at}) == other


def _published(service: Service, steps: Iterable[AnyStep]) -> Iterable[Published]:
    outputs = dict.fromkeys(t for step in steps for t in step.signature.published)
    for event in outputs:
        yield _type(event, accepted=event in service.accepts)
    for event in service.accepts:
        if event not in outputs:
            yield _type(event, accepted=True)


def _type(event: EventClass, *, accepted: bool) -> Published:
    kind = event.event_type
    return Published(type=kind.name, version=kind.version, key=kind.key, final=kind.final, accepted=accepted)


def _step(step: AnyStep, intervals: list[Interval] | None, now: float) -> StepManifest:
    signature, policy = step.signature, step.policy
    begun = [Interval(since=now if policy.start == "now" else None)]
    return StepManifest(
        name=step.name,
        inputs=[InPort(name=p.name, types=_names(p.types), many=p.many) for p in signature.params],
        outputs=[OutSlot(types=_names(s.types), many=s.many, optional=s.optional) for s in signature.slots],
        shape=signature.shape,
        intervals=intervals or begun,
        order_by=policy.order_by,
        inbox=step.fed_by_inbox,
        runs=policy.runs,
        timeout=policy.timeout,
        attempts=policy.retry.attempts,
    )


def _configured(before: list[Configured], values: dict[str, Any], now: float) -> list[Configured]:
    if (before[-1].values if before else {}) == values:
        return before
    return [*before, Configured(since=now, values=values)][-CONFIGURED_KEPT:]


def _names(types: Iterable[EventClass]) -> list[tuple[str, int]]:
    return [(t.event_type.name, t.event_type.version) for t in types]
