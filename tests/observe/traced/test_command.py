"""`farandole traces rebuild`: what it says, its JSON (frozen), its exit codes."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from farandole.engines.open import open_log
from farandole.events.ids import trace_id
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance
from tests.observe.given import write_log
from tests.observe.traced.receiver import receiving
from tests.observe.traced.stage import OUTSIDE

pytestmark = pytest.mark.slow
Said = Callable[[], tuple[str, str]]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished workflow in a log; its id."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path}/log.db")
    dance = Dance(*EARTH_OBSERVATION, members=3)
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    asyncio.run(write_log(dance, f"sqlite:///{tmp_path}/log.db"))
    return workflow


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was printed since, on stdout and on stderr."""
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]  # it is a pair


def test_its_json_is_frozen_and_names_every_workflow(flow: str, said: Said, tmp_path: Path) -> None:
    """Fields may be added, none may go or change its meaning; twice gives the same."""
    with receiving(tmp_path / "got.txt") as receiver:
        for _ in range(2):
            assert main(["traces", "rebuild", "--to", receiver.grpc, "--json"]) == Code.DONE
            found = json.loads(said()[0])
            number = found["spans"]
            assert number > 20
            assert found == {
                "spans": number,
                "exported": number,
                "failed": 0,
                "cut": 0,
                "gone": 0,
                "unknown": 0,
                "workflows": [{"workflow": flow, "trace": trace_id(flow), "spans": number, "ended": True}],
                "more": 0,
            }
        spans = receiver.spans()
        assert len(spans) == 2 * number
        assert spans[::2] == spans[1::2]


def test_people_get_a_table(flow: str, said: Said, tmp_path: Path) -> None:
    """And the default receiver is the one that the settings name."""
    with receiving(tmp_path / "got.txt") as receiver, pytest.MonkeyPatch.context() as patched:
        patched.setenv("FARANDOLE_TRACES", receiver.http)
        assert main(["traces", "rebuild"]) == Code.DONE
        header, row, last = said()[0].splitlines()
        assert header.split() == ["WORKFLOW", "TRACE", "SPANS", "ENDED"]
        assert row.split()[:2] == [flow, trace_id(flow)]
        assert last == f"{row.split()[2]} spans exported"


def test_since_a_time_only_what_ended_later_is_exported(flow: str, said: Said, tmp_path: Path) -> None:
    """A time without a zone is UTC, and it says so."""
    with receiving(tmp_path / "got.txt") as receiver:
        assert main(["traces", "rebuild", "--to", receiver.http, "--json", "--since", "2100-01-01T00:00:00"]) == 0
        out, err = said()
        assert json.loads(out)["spans"] == 0
        assert json.loads(out)["workflows"] == []
        assert "it is UTC" in err
        assert main(["traces", "rebuild", "--to", receiver.http, "--json", "--since", "1970-01-01T00:00:00Z"]) == 0
        whole = json.loads(said()[0])["spans"]
        assert len(receiver.spans()) == whole > 0
        assert main(["traces", "rebuild", "--to", receiver.http, "--json", "--since", "1970-01-01T00:17:10Z"]) == 0
        assert 0 < json.loads(said()[0])["spans"] < whole


def test_what_is_wrong_with_the_command_is_said_with_the_remedy(flow: str, said: Said) -> None:
    """Before anything is read."""
    assert main(["traces", "rebuild"]) == Code.BAD_INPUT
    assert "--to otlp://host:4317" in said()[1]
    assert main(["traces", "rebuild", "--to", "http://host"]) == Code.BAD_INPUT
    assert "--to 'http://host' is no receiver" in said()[1]
    assert main(["traces", "rebuild", "--to", "otlp://host", "--ratio", "nan"]) == Code.BAD_INPUT
    assert "'--ratio'" in said()[1]
    assert main(["traces", "rebuild", "--to", "otlp://host", "--since", "soon"]) == Code.BAD_INPUT
    assert "'2h ago'" in said()[1]
    assert main(["traces", "rebuild", "--to", "otlp://host", "--log", "sqlite:///nowhere.db"]) == Code.NOT_FOUND


def test_a_receiver_that_does_not_answer_is_a_fault(flow: str, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not arrive is counted, and nothing is called exported."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert main(["traces", "rebuild", "--to", f"otlp+http://127.0.0.1:{port}", "--json"]) == Code.FAULT
    out, err = said()
    found = json.loads(out)
    assert found["exported"] == 0
    assert found["failed"] == found["spans"] > 0
    assert "did not take every span" in err


@pytest.mark.parametrize(
    ("args", "variable", "expected"),
    [((), OUTSIDE, OUTSIDE), ((), "nonsense", None), (("--traceparent", OUTSIDE), "nonsense", OUTSIDE), ((), "", None)],
)
def test_publish_carries_the_trace_that_it_runs_in(
    flow: str, said: Said, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], variable: str, expected: str | None
) -> None:
    """As an option, or as build systems say it; what is none in the environment stops nothing."""
    monkeypatch.setenv("TRACEPARENT", variable)
    assert main(["publish", "scene.received", "--data", "{}", "--json", *args]) == Code.DONE
    done = json.loads(said()[0])
    headers = asyncio.run(_headers((done["topic"], done["partition"], done["offset"])))
    assert headers.get("traceparent") == (expected and expected.encode())


async def _headers(place: tuple[str, int, int]) -> dict[str, bytes | None]:
    log = await open_log(os.environ["FARANDOLE_LOG"])
    try:
        record = await log.fetch(*place)
        assert record is not None
        return dict(record.headers)
    finally:
        await log.close()
