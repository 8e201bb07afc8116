"""What observes works alike on Kafka: traces, metrics and probes, tables, lineage, and what a user projects."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from scripts.kafka import Cluster
from tests.cli.project import SETTINGS, Project, end, until
from tests.cli.test_probes import addresses, answers
from tests.observe.traced.receiver import receiving
from tests.observe.traced.stage import Stage, rebuilt
from tests.observe.traced.test_live import is_root
from tests.support.prometheus import fetch

pytestmark = pytest.mark.slow
PROJECTION = """
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from farandole_observe import Projection
from shop import OrderPacked

TABLE = Table("orders", MetaData(), Column("order", Text, primary_key=True), Column("items", BigInteger))


def order_of(found):
    return found.event.order


def fold(row, found):
    return {"items": found.event.items}


orders = Projection("orders", [OrderPacked], TABLE, order_of, fold)
"""


def _url(kafka: Cluster) -> str:
    return f"kafka://{kafka.bootstrap}/o{uuid.uuid4().hex[:8]}"


def test_an_undisturbed_run_exports_what_a_rebuild_gives(kafka: Cluster, tmp_path: Path) -> None:
    """Every field of every span: fan-out, fan-in, join, retry, dead letter, redrive and a trace from outside."""
    orders = {"a": 3, "odd": 3, "dead": 2, "none": 0, "out": 1}
    with receiving(tmp_path / "live.txt") as receiver:
        stage = Stage(tmp_path, _url(kafka), FARANDOLE_TRACES=receiver.grpc)
        with stage.services():
            flows = dict(zip(orders, stage.publish(orders, outside=["out"]), strict=True))
            stage.until([flows["dead"]], "dead")
            stage.redrive()
            stage.until(list(flows.values()))
        live = receiver.spans()
    assert live
    assert [span for span in rebuilt(stage, tmp_path) if not is_root(span)] == live


def test_figures_tables_lineage_and_projections(kafka: Cluster, tmp_path: Path) -> None:
    """Of three orders that are packed, and of one that becomes a dead letter."""
    project = Project.make(tmp_path)
    places = f'log = "{_url(kafka)}"\nstore = "sqlite:///var/store.db"\n'
    (tmp_path / "farandole.toml").write_text(SETTINGS.replace('log = "sqlite:///var/log.db"\n', places))
    (tmp_path / "tables.py").write_text(PROJECTION)
    with project.up("--metrics", "0"):
        observing = project.start("observe", "--metrics", "0")
        try:
            project.await_text("observe.err", "metrics and probes are served at")
            for order in ("o1", "o2", "o3", "odd"):
                done = project.farandole("publish", "order.placed", "--data", json.dumps({"order": order, "items": 2}))
                assert done.returncode == 0, done.stderr
            until(lambda: _fleet(project) == {"complete": 3, "dead": 1}, lambda: str(_fleet(project)))
            _pages(project)
            _answers(project)
        finally:
            end(observing)


def _fleet(project: Project) -> dict[str, int]:
    (at,) = addresses(project.folder / "observe.err")
    page = fetch(f"http://{at}/metrics")[1]
    found = re.findall(r'^farandole_fleet_workflows\{status="(\w+)"\} (\S+)$', page, re.MULTILINE)
    return {status: int(float(number)) for status, number in found if float(number)}


def _pages(project: Project) -> None:
    """Of both services together."""
    pages = ""
    for at in addresses(project.folder / "up.err"):
        assert answers(f"http://{at}/readyz", 200) == {"ok": True, "reasons": []}
        assert answers(f"http://{at}/livez", 200) == {"ok": True, "reasons": []}
        pages += fetch(f"http://{at}/metrics")[1]
    assert _sum(pages, r'farandole_outcomes_total\{[^}]*ending="completed"[^}]*step="pack"[^}]*\}') == 3
    assert _sum(pages, r"farandole_dead_letters_total\{[^}]*\}") == 1
    assert re.findall(r"^farandole_lag_seconds\{[^}]*\} 0(?:\.0)?$", pages, re.MULTILINE)
    assert _sum(pages, r"farandole_commit_records_count\{[^}]*\}") > 0


def _sum(pages: str, series: str) -> float:
    return sum(map(float, re.findall(rf"^{series} (\S+)$", pages, re.MULTILINE)))


def _answers(project: Project) -> None:
    until(
        lambda: _told(project, "status", "order.placed:o1")["age"] is not None, lambda: "the tables never say their age"
    )
    live, again = (_told(project, "status", "order.placed:o1", *more) for more in ((), ("--rebuild",)))
    assert live.pop("age") is not None
    assert again.pop("age") is not None
    assert live == again
    assert [found["status"] for found in live["workflows"]] == ["complete"]
    lineage = json.dumps(_told(project, "lineage", "order.placed:o1"))
    assert all(name in lineage for name in ("order.placed", "picking/pick", "packing/pack"))
    assert "NoBox" in json.dumps(_told(project, "explain", "order.placed:odd"))
    done = project.farandole("projection", "rebuild", "tables:orders")
    assert done.returncode == 0, done.stderr
    shown = json.dumps(_told(project, "projection", "show", "tables:orders"))
    assert all(order in shown for order in ("o1", "o2", "o3"))
    assert "odd" not in shown


def _told(project: Project, *args: str) -> dict[str, Any]:
    done = project.farandole(*args, "--json")
    assert done.returncode == 0, (args, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
