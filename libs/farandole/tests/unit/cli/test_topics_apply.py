"""`farandole topics apply` on the embedded log: it shows, asks, makes what is missing, and nothing else."""

import json
import os
import sys
from pathlib import Path

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from libs.farandole.tests.unit.cli.making import enter

Capture = pytest.CaptureFixture[str]
TOPICS = {"farandole.journal", "farandole.manifests", "farandole.control", "making.dlq", "t.made", "making.make.inbox",
          "making.make.state"}  # fmt: skip


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    module = f"made_{abs(hash(request.node.name))}"
    enter(tmp_path, module, "sqlite:///log.db", monkeypatch)
    return module


def _run(capsys: Capture, *words: str) -> tuple[int, dict[str, object]]:
    code = main(["topics", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_without_yes_it_only_shows(tmp_path: Path, capsys: Capture) -> None:
    """In JSON nothing is asked, and no file is made by looking. The shape is frozen."""
    code, shape = _run(capsys, "apply")
    assert code == 0
    changes = {change["topic"]: change for change in shape["changes"]}  # type: ignore[attr-defined]
    assert shape == {"changes": list(changes.values()), "applied": False}
    assert changes.keys() == TOPICS
    assert changes["t.made"] == {
        "topic": "t.made",
        "action": "create",
        "setting": "",
        "there": "",
        "wanted": "3 partitions, all kept",
    }
    assert not (tmp_path / "log.db").exists()


def test_it_makes_what_is_missing_and_can_be_repeated(capsys: Capture) -> None:
    """Then nothing differs, and the listing shows the topics as ever."""
    assert _run(capsys, "apply", "--yes")[1]["applied"] is True
    assert _run(capsys, "apply", "--yes") == (0, {"changes": [], "applied": False})
    listed = {topic["topic"]: topic["partitions"] for topic in _run(capsys)[1]["topics"]}  # type: ignore[attr-defined]
    assert listed.keys() == TOPICS
    assert listed["t.made"] == listed["making.make.state"] == 3
    assert main(["topics", "apply"]) == 0
    assert "7 topics are as they are declared" in capsys.readouterr().out


def test_where_nobody_can_be_asked_nothing_is_done(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The diff is shown all the same."""
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["topics", "apply"]) == Code.BAD_INPUT
    out, err = capsys.readouterr()
    assert "t.made" in out
    assert "--yes" in err
    assert not (tmp_path / "log.db").exists()


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_and_heeds_the_answer(
    answer: bool, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said no, nothing is changed."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: answer)
    assert main(["topics", "apply"]) == 0
    assert ("7 applied" if answer else "nothing was changed") in capsys.readouterr().out
    assert (tmp_path / "log.db").exists() is answer


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["apply", "--replication", "3"], "--replication"),
        (["apply", "--retention", "7d"], "--retention"),
        (["apply", "--retention", "soon"], "no duration"),
        (["apply", "--retention", "0"], "gone at once"),
        (["apply", "--log", "memory:"], "memory:"),
        (["apply", "nothing:here"], "nothing"),
        (["--log", "sqlite:///x.db", "apply"], "after"),
    ],
)
def test_what_cannot_be_granted_is_bad_input(words: list[str], said: str, tmp_path: Path, capsys: Capture) -> None:
    """And nothing is made."""
    assert main(["topics", *words]) == Code.BAD_INPUT
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.db"))
