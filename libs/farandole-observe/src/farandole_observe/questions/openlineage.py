"""A lineage as OpenLineage 2.0.2 run events: a run per attempt below the run of its workflow, datasets by name.

Every id is derived, and nothing is of the moment of asking: who sends them twice sends the same.
"""

import importlib.metadata
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from farandole.events.ids import Parent
from farandole.events.manifest import Manifest
from farandole.fold import WorkflowState
from farandole.fold.state import Attempt
from farandole_observe.questions.carried import Carried
from farandole_observe.questions.declared import declared
from farandole_observe.questions.lineage import Lineage, Making

Json = dict[str, Any]
_SPEC = "https://openlineage.io/spec"
_RUN_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_IDS = UUID("6f4e1a52-9c0b-5d57-8b1f-2f6a0d3c7e11")
"""Namespace of the run ids; another one would be other runs."""
_ENDINGS = {"completed": "COMPLETE", "retrying": "FAIL", "dead": "FAIL"}


@dataclass(frozen=True, slots=True)
class _Export:
    found: Lineage
    state: WorkflowState
    assets: Mapping[Parent, Sequence[Carried] | None]
    manifests: Mapping[str, Manifest]
    namespace: str
    producer: str

    def events(self, only: Collection[int]) -> Iterator[Json]:
        ran = [(a.started, n, a) for n in self.found.within(only) for a in self.found.makings[n].attempts]
        inputs = [n for n in sorted(only) if self.found.events[n].by is None]
        yield self.of_workflow("START", self.state.summary.started, inputs)
        for _, number, attempt in sorted(ran, key=lambda r: (r[0], r[1], r[2].attempt)):
            yield from self.of_attempt(self.found.makings[number], attempt)
        if self.state.status == "complete":
            products = [n for n in self.found.products if n in only]
            yield self.of_workflow("COMPLETE", self.state.summary.updated, inputs, products)

    # -- runs -----------------------------------------------------------------------------------------------

    def of_workflow(self, kind: str, time: float, inputs: Sequence[int], given: Sequence[int] = ()) -> Json:
        return self.event(
            kind, time, run={"runId": self.run_id()}, job=self.workflow_job("WORKFLOW"),
            inputs=self.datasets(inputs, taken=True), outputs=self.datasets(given),
        )  # fmt: skip

    def of_attempt(self, making: Making, attempt: Attempt) -> Iterator[Json]:
        ending = _ENDINGS.get(attempt.ending, "OTHER")
        run_id = self.run_id("attempt", making.delivery, str(attempt.attempt))
        job = {"namespace": self.namespace, "name": making.step, "facets": self.job_type("STEP")}
        facets = self.parent() | self.parameters(making, attempt)
        inputs = self.datasets(making.took, taken=True)
        yield self.event("START", attempt.started, run={"runId": run_id, "facets": facets}, job=job, inputs=inputs)
        if ending == "FAIL":
            failure = {"message": attempt.error or "not said", "programmingLanguage": "PYTHON"}
            facets = facets | self.facet("errorMessage", "1-0-1/ErrorMessageRunFacet", failure)
        outputs = self.datasets(making.gave) if ending == "COMPLETE" else []
        yield self.event(
            ending, max(attempt.started, attempt.finished), run={"runId": run_id, "facets": facets}, job=job,
            inputs=inputs, outputs=outputs,
        )  # fmt: skip

    def event(
        self, kind: str, time: float, *, run: Json, job: Json, inputs: list[Json], outputs: Iterable[Json] = ()
    ) -> Json:
        return {
            "eventType": kind,
            "eventTime": datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds"),
            "producer": self.producer,
            "schemaURL": _RUN_EVENT,
            "run": run,
            "job": job,
            "inputs": inputs,
            "outputs": list(outputs),
        }

    def run_id(self, *parts: str) -> str:
        return str(uuid5(_IDS, "\x1f".join((self.namespace, self.found.workflow, *parts))))

    # -- facets ---------------------------------------------------------------------------------------------

    def facet(self, name: str, schema: str, fields: Json) -> Json:
        url = f"{_SPEC}/facets/{schema}.json#/$defs/{schema.rpartition('/')[2]}"
        return {name: {"_producer": self.producer, "_schemaURL": url} | fields}

    def job_type(self, kind: str) -> Json:
        said = {"processingType": "BATCH", "integration": "FARANDOLE", "jobType": kind}
        return self.facet("jobType", "2-0-4/JobTypeJobFacet", said)

    def workflow_job(self, kind: str = "") -> Json:
        """Workflows are runs of what the type of their input begins."""
        name = next((view.topic for view in self.state.summary.inputs), "unknown")
        job: Json = {"namespace": self.namespace, "name": name}
        return job | ({"facets": self.job_type(kind)} if kind else {})

    def parent(self) -> Json:
        said = {"run": {"runId": self.run_id()}, "job": self.workflow_job()}
        return self.facet("parent", "1-2-0/ParentRunFacet", said)

    def parameters(self, making: Making, attempt: Attempt) -> Json:
        """Version, worker, attempt, and the settings that were in force, as far as they are known."""
        said = {"version": attempt.version, "worker": attempt.worker, "attempt": str(attempt.attempt)}
        found = declared(self.manifests, making.step, attempt.version, attempt.started)
        for kind, values in ((found.configured if found else None) or {}).items():
            said |= {f"{kind}.{name}": json.dumps(value) for name, value in values.items()}
        parameters = [{"key": key, "value": value} for key, value in said.items()]
        return self.facet("executionParameters", "1-0-0/ExecutionParametersRunFacet", {"parameters": parameters})

    # -- datasets -------------------------------------------------------------------------------------------

    def datasets(self, events: Iterable[int], *, taken: bool = False) -> list[Json]:
        """What the events amount to: the assets that are new in them, or the event itself where none is.

        `taken`: with the assets that they only handed on.
        """
        found: dict[tuple[str, str], None] = {}
        for number in events:
            made = self.found.events[number]
            if made.view.absent:
                continue
            mine = self.uris(number)
            handed = {uri for parent in self.found.parents(number) for uri in self.uris(parent)}
            new = [uri for uri in mine if uri not in handed]
            found.update(dict.fromkeys(("asset", uri.removeprefix("asset:")) for uri in (mine if taken else new)))
            if not new:
                found[self.namespace, f"{made.view.type}/{made.view.id}"] = None
        return [{"namespace": namespace, "name": name} for namespace, name in found]

    def uris(self, event: int) -> list[str]:
        return [one.uri for one in self.assets.get(self.found.events[event].identity) or ()]


def run_events(
    found: Lineage,
    state: WorkflowState,
    assets: Mapping[Parent, Sequence[Carried] | None],
    manifests: Mapping[str, Manifest],
    only: Collection[int],
    namespace: str,
) -> Iterator[Json]:
    """A START and an end of each attempt at what made these events, or took them in vain, between their workflow's.

    An attempt that was retried or died ends in FAIL. The workflow's COMPLETE comes only where it is complete. A
    dataset is an asset (namespace `asset`), or, where an event brings none, the event (namespace as given).
    """
    producer = f"urn:farandole:observe:{importlib.metadata.version('farandole-observe')}"
    return _Export(found, state, assets, manifests, namespace, producer).events(only)
