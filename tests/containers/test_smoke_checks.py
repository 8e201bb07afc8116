"""What `make smoke` looks at, given what is wrong: each check finds it. No engine is needed here."""

import json
import shutil
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import rasterio

from farandole.events.ids import trace_id
from farandole.fold import StepCount, Summary, WorkflowState
from ingest.sensors import load_sensors
from scripts.compose import Container, assets, product, samples, traces
from scripts.compose.reading import until_nothing
from scripts.compose.secrets import NAMES, make_secrets
from scripts.compose.smoke import unsealed
from scripts.compose.stage import in_container
from scripts.demo.files import PRODUCT
from scripts.demo.scene import find_scene
from tests.support.plain_chain import demo_scene, run_chain

WORKFLOW = "w" * 32
TRACE = trace_id(WORKFLOW)
DONE, HELD_AND_DONE = (StepCount(0, 0, 0, 0, held, done, 0, 0, 0, done, 0.1, 0.1) for held, done in ((0, 2), (2, 1)))
STATE = WorkflowState(
    Summary(WORKFLOW, "complete", False, False, 0.0, 1.0, (), {"s/one": DONE, "s/many": HELD_AND_DONE}), (), ()
)
SPANS = [
    traces.Seen(TRACE, "0", "workflow t", ""),
    *(traces.Seen(TRACE, f"1{n}", "process t", "s/one") for n in range(2)),
    *(traces.Seen(TRACE, f"2{n}", "hold u", "s/many") for n in range(2)),
    traces.Seen(TRACE, "3", "process s/many", "s/many"),
]


def test_a_span_that_is_missing_or_of_another_trace_is_found() -> None:
    """And one that came twice does not stand for another."""
    assert traces.missing(STATE, [*SPANS, *SPANS]) == []
    for lost, told in ((0, "no span of the workflow"), (1, "s/one: 1 spans of 2"), (3, "s/many: 2 spans of 3")):
        found = traces.missing(STATE, [*SPANS[:lost], *SPANS[lost + 1 :], SPANS[lost - 1]])
        assert [text for text in found if told in text], told
    stray = traces.Seen("another", "9", "process t", "s/one")
    assert traces.missing(STATE, [*SPANS, stray]) == ["trace another has spans of s/one"]


def test_assets_that_lie_elsewhere_than_in_the_object_store_are_found() -> None:
    """And none at all, for then nothing went through it."""
    assert assets.misplaced(83, 0) == []
    assert assets.misplaced(0, 0) == ["no content lies in the object store"]
    assert assets.misplaced(83, 2) == ["2 contents lie in the volume of the services"]


class Answers(BaseHTTPRequestHandler):
    """Prometheus, as far as it is asked: by expression, or by the rest of the path; what is not here is empty."""

    series: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        said = parse_qs(parts.query).get("query", [parts.path])[0]
        body = json.dumps({"data": {"result": self.series.get(said, [])}} if parts.query else self.series[said])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server's address, and what it answers."""
    handler = type("Handler", (Answers,), {"series": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.series  # type: ignore[attr-defined]  # made above
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_service_a_projector_an_outcome_or_a_query_without_samples_is_found(
    answers: tuple[str, dict[str, Any]],
) -> None:
    """One missing at a time, of all that Prometheus has to have."""
    url, series = answers
    series["farandole_service_info"] = [{"metric": {"service": name}, "value": [0, "1"]} for name in ("a", "b")]
    series['up{job="farandole-observe"} == 1'] = [{"metric": {}, "value": [0, "1"]}]
    series['sum(farandole_outcomes_total{ending="completed"})'] = [{"metric": {}, "value": [0, "7"]}]
    series |= {text: [{"metric": {}, "value": [0, "NaN"]}] for text in samples.fleet_queries()}
    assert samples.missing(url, ["a", "b"], 7) == []
    assert samples.missing(url, ["a", "b", "c"], 8) == ["no sample of c", "7 of 8 completed outcomes"]
    (*_, last) = samples.fleet_queries()
    del series['up{job="farandole-observe"} == 1'], series[last]
    assert samples.missing(url, ["a"], 7) == ["no sample of the projector", f"nothing for {last}"]


def test_the_spans_that_jaeger_answers_with_are_read(answers: tuple[str, dict[str, Any]]) -> None:
    """As its query service gives them to its own page."""
    url, series = answers
    tags = [{"key": "messaging.system", "value": "farandole"}, {"key": "farandole.step", "value": "s/one"}]
    span = {"traceID": TRACE, "spanID": "10", "operationName": "process t", "tags": tags}
    series[f"/api/traces/{TRACE}"] = {"data": [{"traceID": TRACE, "spans": [span]}]}
    assert traces.of_jaeger(url, WORKFLOW) == [SPANS[1]]


def test_who_does_not_answer_is_asked_again_until_the_time_is_over() -> None:
    """And what was said last is told."""
    assert "no answer" in until_nothing(lambda: samples.missing("http://127.0.0.1:1", [], 0), 0.1)[0]


def test_a_container_that_is_not_sealed_or_not_well_is_found() -> None:
    """Root, a root that may be written to, capabilities, no health check, ill."""
    sealed = {"ReadonlyRootfs": True, "Privileged": False, "CapDrop": ["ALL"], "CapAdd": None}

    def flaws(user: str = "10001:10001", health: str = "healthy", service: str = "tiling", **host: Any) -> list[str]:
        about = {"HostConfig": {**sealed, **host}, "Config": {"User": user}}
        ended = service == "topics"
        return list(unsealed(Container("1", service, "exited" if ended else "running", health, 0, about)))

    assert flaws() == flaws(service="topics", health="") == []
    for user in ("", "0", "root", "0:10001"):
        assert flaws(user=user) == ["tiling runs as root"]
    assert flaws(ReadonlyRootfs=False) == ["tiling may write to its root"]
    for host in ({"Privileged": True}, {"CapDrop": None}, {"CapAdd": ["NET_ADMIN"]}):
        assert flaws(**host) == ["tiling has capabilities"]
    assert flaws(health="") == ["tiling has no health check"]
    assert flaws(health="unhealthy") == ["tiling is running, unhealthy"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_a_product_with_one_other_pixel_or_another_file_is_found(tmp_path: Path) -> None:
    """Of a real product, beside itself."""
    good = run_chain(demo_scene(), load_sensors()["sentinel-2-l1c"], tmp_path / "plain", tiled=True).folder
    assert product.flaws(good, good) == []
    other = tmp_path / "other"
    shutil.copytree(good, other, symlinks=False)
    with rasterio.open(other / PRODUCT, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        window = rasterio.windows.Window(0, 0, 1, 1)
        raster.write(raster.read(window=window) + 1, window=window)
    assert product.flaws(good, other) == [f"{PRODUCT}: {raster.count} pixels differ from those of the run on SQLite"]
    assert any("checksum" in flaw or "not" in flaw for flaw in product.flaws(other, good))
    (other / PRODUCT).unlink()
    assert product.flaws(other, good) == [f"{PRODUCT}: not there"]


def test_passwords_are_drawn_once_each_another_and_nobody_else_enters_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readable by all within it, for a container's user is somebody else."""
    monkeypatch.setenv("SECRETS", str(tmp_path / "secrets"))
    folder = make_secrets()
    first = {name: (folder / name).read_text() for name in NAMES}
    assert len({*first.values()}) == len(NAMES)
    assert min(map(len, first.values())) >= 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in NAMES} == {0o444}
    assert {name: (make_secrets() / name).read_text() for name in NAMES} == first


def test_a_scene_is_told_of_as_the_ingest_service_sees_it() -> None:
    """Every band by its name, in the folder that is mounted; another id only where it is asked for."""
    scene = find_scene()
    told = in_container(scene)
    assert {Path(uri).name for uri in told["bands"].values()} == {path.name for path in scene.folder.glob("*_B??.jp2")}
    assert all(uri.startswith("file:///scenes/") for uri in told["bands"].values())
    assert told["scene_id"] == scene.scene_id
    assert in_container(scene, "other") == {**told, "scene_id": "other"}
