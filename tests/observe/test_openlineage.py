"""`lineage --openlineage`, held against OpenLineage's own models."""

from typing import Any

import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, execution_parameters_run, job_type_job, parent_run
from openlineage.client.serde import Serde

from farandole_observe.questions.lineage import lineage_of
from farandole_observe.questions.openlineage import run_events
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, flaky, operate
from libs.farandole.tests.unit.fold.dance import Dance
from tests.observe import written
from tests.observe.given import asked

Json = dict[str, Any]


async def _exported(dance: Dance, workflow: str) -> list[Json]:
    async with asked(dance) as seen:
        kept = await seen.workflow(workflow)
        found = lineage_of(kept)
        only = range(len(found.events))
        return list(run_events(found, seen.told(kept), {}, seen.manifests, only, "farandole"))


def _as_theirs(event: Json) -> Json:
    """The same event, built of the library's classes, which refuse what the standard does not know."""
    facets: dict[str, Any] = {}
    for name, fields in event["run"].get("facets", {}).items():
        said = {key: value for key, value in fields.items() if not key.startswith("_")}
        if name == "parent":
            run, job = parent_run.Run(**said["run"]), parent_run.Job(**said["job"])
            facets[name] = parent_run.ParentRunFacet(run=run, job=job)
        elif name == "executionParameters":
            parameters = [execution_parameters_run.ExecutionParameter(**p) for p in said["parameters"]]
            facets[name] = execution_parameters_run.ExecutionParametersRunFacet(parameters=parameters)
        else:
            assert name == "errorMessage"
            facets[name] = error_message_run.ErrorMessageRunFacet(**said)
    kind = {k: v for k, v in event["job"]["facets"]["jobType"].items() if not k.startswith("_")}
    theirs = RunEvent(
        eventType=RunState[event["eventType"]],
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=Run(runId=event["run"]["runId"], facets=facets),
        job=Job(event["job"]["namespace"], event["job"]["name"], {"jobType": job_type_job.JobTypeJobFacet(**kind)}),
        inputs=[InputDataset(**d) for d in event["inputs"]],
        outputs=[OutputDataset(**d) for d in event["outputs"]],
    )
    return Serde.to_dict(theirs)


def _bare(value: Any) -> Any:
    """Without what is empty, and without who says a facet (which the library fills in of its own)."""
    if isinstance(value, dict):
        found = {name: _bare(inner) for name, inner in value.items() if name not in ("_producer", "producer")}
        return {name: inner for name, inner in found.items() if inner not in (None, {}, [])}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(5))
async def test_every_run_event_is_one_that_the_librarys_models_make(seed: int) -> None:
    """Field by field, with the addresses of the schemas; after retries, dead letters and discards."""
    dance = written.played(seed)
    for workflow in sorted(dance.facts):
        for event in await _exported(dance, workflow):
            assert _bare(_as_theirs(event)) == _bare(event), f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
async def test_every_attempt_is_a_run_that_starts_once_and_ends_once_below_its_workflows(seed: int) -> None:
    """The same runs whoever exports, and from whatever copy of the log."""
    dance = flaky(*EARTH_OBSERVATION, seed=seed)
    workflow = dance.publish("scene.received", f"s{seed}", key="k")
    operate(dance)
    events = await _exported(dance, workflow)
    again = await _exported(dance, workflow)
    assert [(e["run"]["runId"], e["eventType"]) for e in again] == [(e["run"]["runId"], e["eventType"]) for e in events]
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
    root = events[0]["run"]["runId"]
    assert kinds.pop(root) == ["START", "COMPLETE"]
    assert all(kind in (["START", "COMPLETE"], ["START", "FAIL"]) for kind in kinds.values()), f"seed {seed}"
    ran = sum(
        1 for fact in dance.facts[workflow] if fact["fact"] in ("completed", "retrying", "dead") and fact["started"]
    )
    assert len(kinds) == ran, f"seed {seed}"
    parents = {e["run"]["facets"]["parent"]["run"]["runId"] for e in events if e["run"]["runId"] != root}
    assert parents <= {root}


async def test_datasets_connect_the_runs_from_the_input_to_the_product() -> None:
    """What a step takes, another one gave."""
    dance = Dance(*EARTH_OBSERVATION, members=2)
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    events = await _exported(dance, workflow)
    ended = {e["job"]["name"]: e for e in events if e["eventType"] == "COMPLETE"}
    names = {step: [d["name"] for d in ended[step]["outputs"]] for step in ended}
    assert [d["name"] for d in ended["ingest/validate"]["inputs"]] == ["scene.received.v1/s1"]
    assert [d["name"] for d in ended["stacking/stack"]["inputs"]] == names["ingest/validate"]
    assert len(ended["mosaic/merge"]["inputs"]) == 2
    (product,) = ended["scene.received"]["outputs"]
    assert product["name"].startswith("product.catalogued.v1/")
    assert [product["name"]] == names["catalogue/add"]
