"""The documents hold together: what is committed is what the services give, and nothing in them hangs in the air."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from farandole.cli import main
from farandole.events.manifest import InPort, Manifest, OutSlot, Published, StepManifest
from farandole.fold import Topology
from farandole.telemetry.exposition import CATALOGUE as OF_A_SERVICE
from farandole_observe.cli.figures import CATALOGUE as OF_THE_PROJECTOR
from farandole_observe.dashboards.documents import documents
from farandole_observe.dashboards.flow import in_order
from farandole_observe.dashboards.pace import Pace
from farandole_observe.dashboards.rules import rules
from farandole_observe.dashboards.sources import SPAN_QUERIES, STEP_LABEL, datasources
from tests.cli.project import Project
from tests.observe.dashboards.asked import BOARDS, DEPLOY, ROOT, boards, ours, panels, targets, used, variables

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
USUAL = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def chain(*names: str, timeout: float | None = None) -> Topology:
    """A service with steps, each taking what the one before it publishes; in the order of their names reversed."""
    steps, taken = [], ("first", 1)
    for name in names:
        given = (f"by.{name}", 1)
        port, slot = InPort(name="event", types=[taken]), OutSlot(types=[given])
        steps.append(StepManifest(name=name, inputs=[port], outputs=[slot], timeout=timeout))
        taken = given
    accepted = Published(type="first", version=1, key=None, accepted=True)
    return Topology.of([Manifest(service="chain", version="1", published=[accepted], steps=steps)])


def expressions() -> list[str]:
    """All PromQL of dashboards, variables and rules."""
    found = [t["expr"] for board in boards(ours()).values() for _, t in targets(board) if "expr" in t]
    for board in boards(ours()).values():
        found += [v["query"]["query"] for v in variables(board) if isinstance(v.get("query"), dict)]
    return found + [rule["expr"] for group in rules(ours())["groups"] for rule in group["rules"]]


def test_what_is_committed_is_what_the_services_give_now() -> None:
    """`make dashboards` writes it; nothing else stands beside it."""
    made = documents(ours())
    there = {str(p.relative_to(DEPLOY)): p.read_text() for folder in ("grafana", "prometheus") for p in files(folder)}
    assert there.keys() == made.keys()
    for name, text in made.items():
        assert there[name] == text, f"deploy/{name} is old; run make dashboards, and commit it"


def files(folder: str) -> list[Path]:
    return [path for path in (DEPLOY / folder).rglob("*") if path.is_file()]


def test_the_same_topology_gives_the_same_bytes_and_no_time_or_place_is_in_them() -> None:
    """Ids are fixed, so that links and bookmarks stay good."""
    made = documents(ours())
    assert made == documents(ours())
    assert {board["uid"] for board in boards(ours()).values()} == {f"farandole-{name}" for name in BOARDS}
    sources = {source["uid"] for source in datasources()["datasources"]}
    assert sources == {"farandole-prometheus", "farandole-jaeger", "farandole-tables"}
    assert all(str(ROOT) not in text for text in made.values())


def test_a_new_step_is_there_without_an_edit() -> None:
    """In the flow, and among the service levels, at its place; the other dashboards name no step."""
    before, after = boards(chain("b", "a")), boards(chain("b", "new", "a"))
    flow = [panel["title"] for panel in panels(after["fleet"]) if panel["title"].startswith("chain/")]
    assert flow == ["chain/b", "chain/new", "chain/a"]
    rows = [panel["title"] for panel in after["sla"]["panels"] if panel["type"] == "row"]
    assert rows[-3:] == ["chain/b", "chain/new", "chain/a"]
    for name in ("step", "workflow", "letters"):
        assert before[name] == after[name]
    assert "chain" not in json.dumps([after[name] for name in ("step", "workflow", "letters")])


def test_the_steps_stand_in_the_order_of_the_flow() -> None:
    """Who gives stands before who takes; a circle has some order, and everything is in it once."""
    order = in_order(ours())
    assert sorted(order) == sorted(ours().steps)
    for earlier, later in (
        ("ingest/validate", "stacking/stack"),
        ("stacking/stack", "tiling/extract"),
        ("calibration/calibrate", "masking/mask"),
        ("masking/mask", "indices/index"),
        ("indices/index", "mosaic/merge"),
        ("mosaic/merge", "catalogue/shelve"),
    ):
        assert order.index(earlier) < order.index(later)
    port, slot = InPort(name="e", types=[("t", 1)]), OutSlot(types=[("t", 1)])
    circle = [StepManifest(name=name, inputs=[port], outputs=[slot]) for name in ("x", "y")]
    assert in_order(Topology.of([Manifest(service="s", version="1", steps=circle)])) == ["s/x", "s/y"]


@pytest.mark.parametrize("name", BOARDS)
def test_every_dashboard_holds_together(name: str) -> None:
    """Panels have ids of their own, no two cover each other, each asks a source that is provisioned."""
    board = boards(ours())[name]
    ids = [panel["id"] for panel in board["panels"]]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    known = {(source["type"], source["uid"]) for source in datasources()["datasources"]}
    for title, target in targets(board):
        assert (target["datasource"]["type"], target["datasource"]["uid"]) in known, title
        assert target["refId"], title
    for panel in panels(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters)), panel["title"]
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in known, panel["title"]
    covered: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & covered, panel["title"]
        covered |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_that_is_used_is_defined_and_every_link_leads_to_a_dashboard(name: str) -> None:
    """Of queries, titles and links."""
    found = boards(ours())
    board = found[name]
    defined = {variable["name"] for variable in variables(board)}
    for title, target in targets(board):
        assert used(json.dumps(target)) <= defined, title
    for panel in board["panels"]:
        assert used(panel["title"]) <= defined
    for variable in variables(board):
        assert used(json.dumps(variable.get("query", ""))) <= defined
    given = {n: {variable["name"] for variable in variables(b)} for n, b in found.items()}
    for leads, said in re.findall(r"/d/farandole-(\w+)\?([^\"]*)", json.dumps(board)):
        assert set(re.findall(r"var-(\w+)=", said)) <= given[leads], said


def test_every_metric_that_is_asked_for_exists() -> None:
    """Of a service, of the projector, of Prometheus' own, or recorded by a rule."""
    known = {
        f"{d.name}{suffix}" for d in [*OF_A_SERVICE.values(), *OF_THE_PROJECTOR.values()] for suffix in SUFFIXES[d.kind]
    }
    recorded = {rule["record"] for rule in rules(ours())["groups"][0]["rules"]}
    assert {series for _, series in SPAN_QUERIES} == recorded
    asked = set()
    for text in expressions():
        without = re.sub(r'"[^"]*"', "", text)
        asked |= set(re.findall(r"\b(?:farandole|messaging|process)_\w+(?<!_operation_name)|\bup\b", without))
    assert asked <= known | USUAL
    never = {n for n, d in OF_THE_PROJECTOR.items() if not any(f"{n}{s}" in asked for s in SUFFIXES[d.kind])}
    assert never == {
        "farandole_fleet_worker_seen_timestamp_seconds",
        "farandole_projection_figures_age_seconds",  # the lag has it in it
        "farandole_projection_shards",
    }


def test_a_metric_leads_to_its_trace_and_a_span_to_its_metrics() -> None:
    """By the trace id of an exemplar; by the label that the recorded series have."""
    sources = {source["uid"]: source["jsonData"] for source in datasources()["datasources"]}
    leads = sources["farandole-prometheus"]["exemplarTraceIdDestinations"]
    assert leads == [{"name": "trace_id", "datasourceUid": "farandole-jaeger"}]
    back = sources["farandole-jaeger"]["tracesToMetrics"]
    assert back["datasourceUid"] == "farandole-prometheus"
    assert back["tags"] == [{"key": "farandole.step", "value": STEP_LABEL}]
    assert all("{$$__tags}" in query["query"] for query in back["queries"])
    shown = [
        title
        for board in boards(ours()).values()
        for title, target in targets(board)
        if target.get("exemplar") and "messaging_process_duration_seconds_bucket" in target["expr"]
    ]
    assert {"95th percentile of attempts", "Time of attempts"} <= set(shown)


def test_every_alert_says_how_bad_it_is_what_is_wrong_and_what_to_run() -> None:
    """One line each; the document has a section for each."""
    text = (ROOT / "docs" / "operating.md").read_text()
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical")
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook"}
        assert "\n" not in notes["runbook"]
        assert notes["runbook"].endswith(f"(docs/operating.md#{rule['alert'].lower()})")
        assert f"### {rule['alert']}\n\n*{rule['labels']['severity']}*: " in text, rule["alert"]
        commands = re.findall(r"\bfarandole ([a-z]+(?: (?:list|redrive))?)\b", notes["runbook"])
        assert commands or "curl " in notes["runbook"], rule["alert"]
        for command in commands:
            assert main([*command.split(), "--help"]) == 0, command


def alerts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rules(ours())["groups"][1]["rules"]
    return found


def test_a_step_that_may_run_for_hours_stands_still_only_after_them() -> None:
    """As /livez has it; all others after a quarter of an hour."""
    (still,) = [r for r in rules(chain("slow", timeout=7200.0))["groups"][1]["rules"] if "StandsStill" in r["alert"]]
    assert 'farandole_stalled_seconds{service="chain",step="slow"} > 7230' in still["expr"]
    assert (
        'farandole_stalled_seconds > 900 unless (farandole_stalled_seconds{service="chain",step="slow"}'
        in still["expr"]
    )
    (usual,) = [r for r in alerts() if "StandsStill" in r["alert"]]
    assert usual["expr"] == "(farandole_stalled_seconds > 900)"


def test_durations_are_said_as_prometheus_reads_them() -> None:
    """At any pace, none of them zero but for nothing."""
    said = [Pace(share).said(seconds) for share in (1.0, 1 / 60) for seconds in (0.0, 60.0, 600.0, 3600.0)]
    assert said == ["0s", "1m", "10m", "1h", "0s", "1s", "10s", "1m"]


def test_the_command_writes_what_is_new_and_says_so(tmp_path: Path) -> None:
    """Of services, or of a log; the shape of --json is frozen."""
    project = Project.make(tmp_path)
    first = json.loads(project.main("dashboards", "--json", "--out", "out").stdout)
    assert first["folder"] == "out"
    assert set(first) == {"folder", "written"}
    assert all((tmp_path / "out" / name).is_file() for name in first["written"])
    assert len(first["written"]) == len(documents(chain("a")))
    assert json.loads(project.main("dashboards", "--json", "--out", "out").stdout)["written"] == []
    assert project.main("dashboards", "--out", "out").stdout == "out: nothing new\n"
    jobs = yaml.safe_load((tmp_path / "out/prometheus/prometheus.yaml").read_text())["scrape_configs"]
    assert jobs[0]["dns_sd_configs"][0]["names"] == ["packing", "picking"]
    one = project.main("dashboards", "shop:picking", "--out", "one")
    assert (one.returncode, "pack" in (tmp_path / "one/grafana/dashboards/farandole-fleet.json").read_text()) == (
        0,
        False,
    )
    both = project.main("dashboards", "shop:picking", "--log", "sqlite:///var/log.db", "--out", "out")
    assert (both.returncode, "not both" in both.stderr) == (2, True), both.stderr
    missing = project.main("dashboards", "--log", "sqlite:///nowhere.db", "--out", "out")
    assert (missing.returncode, "no log at" in missing.stderr) == (4, True), missing
    (tmp_path / "file").write_text("")
    refused = project.main("dashboards", "--out", "file")
    assert (refused.returncode, "name another folder" in refused.stderr) == (2, True), refused.stderr


@pytest.mark.parametrize("missing", ["grafana_foundation_sdk", "yaml"])
def test_without_its_extra_the_command_says_how_to_get_it(tmp_path: Path, missing: str) -> None:
    """Every other command is there without it."""
    Project.make(tmp_path)
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from farandole.cli import main; sys.exit(main(['dashboards']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'farandole-observe[dashboards]'" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "deploy").exists()
