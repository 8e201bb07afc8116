"""`farandole topics rights`, and `doctor` where services are named: what needs no broker."""

import json
import shlex
from pathlib import Path

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from libs.farandole.tests.unit.cli.making import enter

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    enter(tmp_path, f"entitled_{abs(hash(request.node.name))}", "kafka://127.0.0.1:9/eo", monkeypatch)


def test_rights_are_listed_under_the_namespace_without_a_broker(capsys: Capture) -> None:
    """One line a resource; the shape is frozen."""
    assert main(["topics", "rights", "--json"]) == Code.DONE
    shape = json.loads(capsys.readouterr().out)
    assert shape.keys() == {"services"}
    (of,) = shape["services"].values()
    assert shape["services"].keys() == {"making"}
    assert {
        "kind": "topic",
        "name": "eo.t.made",
        "pattern": "literal",
        "operations": ["DESCRIBE_CONFIGS", "READ"],
    } in of
    assert of[-1] == {"kind": "transactional-id", "name": "eo.making/", "pattern": "prefixed", "operations": ["WRITE"]}
    assert main(["topics", "rights"]) == Code.DONE
    table = capsys.readouterr().out
    assert len(table.splitlines()) == len(of) + 1
    assert "eo.making.make.state" in table


def test_the_lines_that_give_them_are_ready_to_run(capsys: Capture) -> None:
    """One a resource, for the user that is called as the service."""
    assert main(["topics", "rights", "--acls"]) == Code.DONE
    lines = capsys.readouterr().out.splitlines()
    assert shlex.split(lines[0]) == [
        "kafka-acls", "--bootstrap-server", "127.0.0.1:9", "--add", "--allow-principal", "User:making",
        "--operation", "Read", "--group", "eo.making/make", "--resource-pattern-type", "literal",
    ]  # fmt: skip
    (config,) = (line for line in lines if "farandole.control" in line)
    assert "--operation Describe --operation DescribeConfigs --topic eo.farandole.control" in config


@pytest.mark.parametrize("words", [["topics", "rights"], ["doctor"]])
def test_an_embedded_log_knows_of_no_rights(words: list[str], tmp_path: Path, capsys: Capture) -> None:
    """Whoever asks for them means another log."""
    (module,) = (path.stem for path in tmp_path.glob("entitled_*.py"))
    assert main([*words, f"{module}:making", "--log", "sqlite:///log.db"]) == Code.BAD_INPUT
    assert "no rights" in capsys.readouterr().err
