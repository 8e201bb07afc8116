"""Hand-written histories: facts as the journal holds them, read the way a reader reads them."""

from typing import Any

from pydantic_core import to_json

from farandole.events.envelope import Envelope
from farandole.events.facts import Fact, read_facts
from farandole.events.ids import Derivation, Parent
from farandole.events.manifest import Manifest
from farandole.fold import Fold, WorkflowState

FLOW = "f" * 32


def fact(kind: str, step: str, event_id: str, **more: Any) -> dict[str, Any]:
    """A fact about an event; `type`, `source` and `at` of it may be given, and any field of the fact."""
    name, _, step_name = step.partition("/")
    wire = more.pop("type", "a.v1")
    topic = more.pop("topic", wire.rpartition(".v")[0])
    event = {
        "source": more.pop("source", "client"),
        "id": event_id,
        "type": wire,
        "time": more.pop("time", 1.0),
        "at": [topic, 0, more.pop("offset", 0)],
    }
    return {"fact": kind, "workflow": FLOW, "service": name, "step": step_name, "event": event} | more


def read(*entries: dict[str, Any]) -> list[Fact]:
    """The facts, by way of the bytes."""
    return read_facts(to_json(entries))


def given(event_id: str, *, type_name: str = "a", workflow: str = FLOW, **more: Any) -> Envelope:
    """An input's envelope."""
    return Envelope(event_id, more.pop("source", "client"), type_name, 1, b"{}", workflow=workflow, **more)


def delivery(step: str, event_id: str, source: str = "client") -> str:
    """The id of an event's delivery."""
    return Derivation([Parent(source, event_id)], step).delivery


def fold_of(*manifests: Manifest) -> Fold:
    """A fold that knows these services."""
    fold = Fold()
    for manifest in manifests:
        fold.apply_manifest(manifest)
    return fold


def state(fold: Fold, workflow: str = FLOW) -> WorkflowState:
    """The state of a workflow that has to be there."""
    found = fold.workflow(workflow)
    assert found is not None
    assert fold.summary(workflow) == found.summary
    return found


def kinds(found: WorkflowState) -> list[tuple[str, str]]:
    """What is left: kind and step."""
    return [(left.kind, left.step) for left in found.left]
