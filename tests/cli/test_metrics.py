"""A real Prometheus scrapes real services and a projector: all that is documented is there, with data."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from farandole.telemetry.exposition import CATALOGUE as OF_A_SERVICE
from farandole_observe.cli.figures import CATALOGUE as OF_THE_PROJECTOR
from tests.cli.project import Project, end, until
from tests.cli.test_probes import addresses, answers
from tests.support.prometheus import fetch, program, prometheus

pytestmark = pytest.mark.e2e
ORDERS = 5
HOSTILE = 'odd-"} 1\nevil{a="'


def _run(project: Project) -> None:
    """Some orders that are packed, and one that becomes a dead letter, for there is no box for it."""
    for order in [*(f"o{n}" for n in range(ORDERS)), HOSTILE]:
        data = json.dumps({"order": order, "items": 3})
        done = project.main("publish", "order.placed", "--data", data, "--id", f"id-{len(order)}-{order[:2]}")
        assert done.returncode == 0, done.stderr
    until(lambda: len(json.loads(project.main("dlq", "list", "--json").stdout)["dead_letters"]) == 1)


def test_prometheus_finds_every_documented_metric_with_data_in_a_real_run(tmp_path: Path) -> None:
    """Each service on a port of its own; the page passes promtool; what is counted is what happened."""
    project = Project.make(tmp_path)
    promtool = program("promtool")
    with project.up("--metrics", "0") as _:
        observing = project.start("observe", "--metrics", "0")
        try:
            project.await_text("observe.err", "metrics and probes are served at")
            services, projector = addresses(tmp_path / "up.err"), addresses(tmp_path / "observe.err")
            assert len(set(services + projector)) == 3
            _run(project)
            for at in services + projector:
                assert answers(f"http://{at}/readyz", 200) == {"ok": True, "reasons": []}
                assert answers(f"http://{at}/livez", 200) == {"ok": True, "reasons": []}
                page = fetch(f"http://{at}/metrics")[1]
                checked = subprocess.run(
                    [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
                )
                assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
                assert "evil" not in page
            with prometheus({"services": services, "observe": projector}) as found:
                assert len(found.until("up == 1 and on() (sum(up) == 3)")) == 3
                found.until('farandole_fleet_dead_letters{step="pack",reason="exhausted"} == 1')
                for described in [*OF_A_SERVICE.values(), *OF_THE_PROJECTOR.values()]:
                    name = f"{described.shown}_count" if described.kind == "histogram" else described.shown
                    series = found.query(name)
                    assert series, name
                    for one in series:
                        assert set(described.labels) <= one["metric"].keys(), name
                packed = 'sum(farandole_outcomes_total{step="pack",ending="completed"})'
                assert found.query(packed)[0]["value"][1] == str(ORDERS)
                assert found.query("sum(farandole_dead_letters_total)")[0]["value"][1] == "1"
                assert found.query("max(farandole_lag_seconds)")[0]["value"][1] == "0"
                assert found.query('max(farandole_fleet_workflows{status="complete"})')[0]["value"][1] == str(ORDERS)
                metadata = found.ask("metadata")
                for described in [*OF_A_SERVICE.values(), *OF_THE_PROJECTOR.values()]:
                    assert metadata[described.name][0]["type"] == described.kind, described.name
                name = "messaging_process_duration_seconds_bucket"
                exemplars = found.ask("query_exemplars", query=name, start="0", end="99999999999")
                traces = [e["labels"]["trace_id"] for one in exemplars for e in one["exemplars"]]
                assert traces
                assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in traces)
        finally:
            end(observing)


def test_the_services_of_one_up_get_the_ports_behind_the_one_that_is_left_to_the_projector(tmp_path: Path) -> None:
    """Whether they are free is another matter; that is said where they start."""
    project = Project.make(tmp_path)
    text = (tmp_path / "farandole.toml").read_text()
    (tmp_path / "farandole.toml").write_text(f'metrics = "127.0.0.1:65534"\n{text}')
    refused = project.main("up")
    assert (refused.returncode, "no port 65536" in refused.stderr) == (2, True), refused.stderr
