"""What the answers lack is said with them: facts of a newer version, strangers in the journal, missing manifests."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json

from farandole.cli import main
from farandole.cli.codes import Code
from farandole.engines.open import open_log
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.events.facts import FACTS, FACTS_VERSION
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.log.record import NewRecord
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance
from tests.observe import written

QUESTIONS = (
    ["status"],
    ["status", "s1"],
    ["explain", "s1"],
    ["timeline", "s1"],
    ["stuck"],
    ["top"],
    ["topology"],
    ["lineage", "s1"],
)
WITHOUT_PLACE = (["topology", "--as", "asyncapi"], ["topology", "--as", "dot"], ["lineage", "s1", "--openlineage"])
"""Answers in a language of others: there people are told alone."""


def _told(facts: list[dict[str, Any]], version: int = FACTS_VERSION) -> NewRecord:
    parts = encode(Envelope("n", "new/writer", FACTS, version, to_json(facts)))
    return NewRecord(JOURNAL, parts.value, None, parts.headers, 0)


def _log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[NewRecord], *, without: bytes = b"none") -> None:
    """A finished scene, and these records; the manifests of one service are left out."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/log.db"
    monkeypatch.setenv("FARANDOLE_LOG", url)
    dance = Dance(*EARTH_OBSERVATION, members=3)
    dance.behave["indices/index"] = lambda delivery, attempt: ["tile.indexed"]
    dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    records = written.shuffled(written.lines_of(dance), 1)
    kept = [r for r in records if r.topic != MANIFESTS or without not in (r.key or b"")]

    async def write() -> None:
        log = await open_log(url)
        try:
            await written.make_topics(log, records)
            await log.append([*kept, *more])
        finally:
            await log.close()

    asyncio.run(write())


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_facts_that_are_not_understood_are_counted_in_every_answer(
    question: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of a kind of later, a record of a later version, and one that is none of ours; the rest is told as ever."""
    later = {"fact": "teleported", "workflow": "w", "service": "s", "step": "t"}
    more = [_told([later, later]), _told([later], FACTS_VERSION + 1), NewRecord(JOURNAL, b"\xff", None, (), 0)]
    _log(tmp_path, monkeypatch, more)
    for rebuild in ([], ["--rebuild"]):
        assert main([*question, *rebuild, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["gaps"] == {"cut": 0, "unknown": 4, "undeclared": []}
        assert main([*question, *rebuild]) == 0
        assert "4 facts are not understood" in capsys.readouterr().err
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["workflows"][0]["status"] == "complete"


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_steps_without_a_manifest_are_named_in_every_answer(
    question: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What facts tell of them is told; what only their manifest could, is not guessed."""
    _log(tmp_path, monkeypatch, [], without=b"indices")
    assert main([*question, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gaps"]["undeclared"] == ["indices/index"]
    assert main(question) == 0
    assert "no manifest declares indices/index" in capsys.readouterr().err


@pytest.mark.parametrize("question", WITHOUT_PLACE, ids=" ".join)
def test_what_is_lacking_is_said_beside_answers_in_the_languages_of_others(
    question: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the answer stays what others read."""
    _log(tmp_path, monkeypatch, [NewRecord(JOURNAL, b"\xff", None, (), 0)], without=b"indices")
    for rebuild in ([], ["--rebuild"]):
        assert main([*question, *rebuild]) == 0
        said = capsys.readouterr()
        assert "1 facts are not understood" in said.err
        assert "no manifest declares indices/index" in said.err
        assert "not understood" not in said.out


def test_a_time_without_a_zone_is_utc_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever a time may be written."""
    _log(tmp_path, monkeypatch, [])
    assert main(["status", "s1", "--at", "2100-01-01 12:00"]) == 0
    assert "no zone was named, so it is UTC: 2100-01-01T12:00:00" in capsys.readouterr().err
    assert main(["lineage", "asset:sha256/0123456789", "--since", "2100-01-01 12:00"]) == Code.NOT_FOUND
    assert "no zone was named, so it is UTC: 2100-01-01T12:00:00" in capsys.readouterr().err
