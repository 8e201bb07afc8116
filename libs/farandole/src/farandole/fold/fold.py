"""`Fold`: what manifests, inputs and facts amount to; no I/O, no clock.

The order in which partitions are read makes no difference: a workflow's facts come in the order of its journal
partition and a service version's manifests in the order of theirs, all else may come in any order.
"""

from collections.abc import Iterable

from farandole.events.envelope import Envelope
from farandole.events.facts import Fact, Place
from farandole.events.ids import workflow_id
from farandole.events.manifest import Manifest
from farandole.fold.apply import apply_fact, apply_input
from farandole.fold.topology import Topology
from farandole.fold.view import Summary, WorkflowState, state_of, summary_of
from farandole.fold.workflow import Shared, Workflow


class Fold:
    """An accumulator; every `apply_…` is cheap, and asking costs what is asked about."""

    def __init__(self) -> None:
        self._manifests: dict[str, Manifest] = {}
        self._workflows: dict[str, Workflow] = {}
        self._shared = Shared()

    @property
    def topology(self) -> Topology:
        """What the manifests say."""
        return self._shared.topology

    @property
    def unplaced(self) -> int:
        """Facts that named neither event nor group, and changed nothing."""
        return self._shared.unplaced

    def apply_manifest(self, manifest: Manifest) -> None:
        """The latest manifest of a service version; it replaces the one before."""
        if self._manifests.get(manifest.key) == manifest:
            return
        self._manifests[manifest.key] = manifest
        topology = Topology.of(self._manifests.values())
        if topology != self._shared.topology:
            self._shared.topology = topology
            self._shared.epoch += 1

    def apply_input(self, envelope: Envelope, place: Place, time: float) -> None:
        """A record in an accepted type's topic, appended at `time` (seconds).

        It counts as an input while no manifest names its source; what a step published there may be given too.
        """
        workflow = self._workflow(envelope.workflow or workflow_id(envelope.source, envelope.id), time)
        apply_input(workflow, envelope, place, time, self._shared)

    def apply_facts(self, facts: Iterable[Fact], time: float) -> None:
        """The facts of one journal record, appended at `time` (seconds), in their order."""
        for fact in facts:
            apply_fact(self._workflow(fact.workflow, time), fact, time, self._shared)

    def workflows(self) -> list[Summary]:
        """A summary of every workflow, newest first; of counters alone."""
        found = [s for s in map(self.summary, self._workflows) if s is not None]
        return sorted(found, key=lambda s: (-s.started, s.workflow))

    def summary(self, workflow: str) -> Summary | None:
        """Status and counts of one workflow, or None where nothing is known of it."""
        found = self._known(workflow)
        return None if found is None else summary_of(found, self._shared)

    def workflow(self, workflow: str) -> WorkflowState | None:
        """All that is known of one workflow: what is left and what was published too; None as above."""
        found = self._known(workflow)
        return None if found is None else state_of(found, self._shared)

    def _known(self, workflow: str) -> Workflow | None:
        found = self._workflows.get(workflow)
        if found is None:
            return None
        found.refresh(self._shared)
        return found if found.counted else None

    def _workflow(self, name: str, time: float) -> Workflow:
        workflow = self._workflows.get(name)
        if workflow is None:
            workflow = self._workflows[name] = Workflow(name, started=time, epoch=self._shared.epoch)
        workflow.started, workflow.updated = min(workflow.started, time), max(workflow.updated, time)
        return workflow
