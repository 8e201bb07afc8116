"""`farandole doctor` on the embedded log: what is well, what is not, and its exit code."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from farandole.engines.open import open_log
from farandole.engines.sqlite.doctor import LITTLE, NOTHING, room
from farandole.log.record import NewRecord, TopicSpec
from farandole.runtime.ground import kinds

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARANDOLE_LOG", "sqlite:///log.db")


def _make(path: Path) -> None:
    async def make() -> None:
        log = await open_log(f"sqlite:///{path}")
        await log.ensure([TopicSpec("a")])
        await log.append([NewRecord("a", b"value " * 50) for _ in range(400)])
        await log.close()

    asyncio.run(make())


def test_a_sound_log_is_well(tmp_path: Path, capsys: Capture) -> None:
    """Each check is named with its verdict; the shape is frozen."""
    _make(tmp_path / "log.db")
    assert main(["doctor", "--json"]) == Code.DONE
    shape = json.loads(capsys.readouterr().out)
    assert shape.keys() == {"log", "well", "findings"}
    assert shape["well"] is True
    assert [finding["check"] for finding in shape["findings"]] == ["file", "place", "sound", "disk"]
    assert all(finding.keys() == {"check", "verdict", "said", "remedy"} for finding in shape["findings"])
    assert main(["doctor"]) == Code.DONE
    assert "0 fail" in capsys.readouterr().out


def test_a_damaged_log_fails_with_the_remedy(tmp_path: Path, capsys: Capture) -> None:
    """Exit 1."""
    _make(tmp_path / "log.db")
    content = bytearray((tmp_path / "log.db").read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    (tmp_path / "log.db").write_bytes(content)
    assert main(["doctor", "--json"]) == Code.FAULT
    failed = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["verdict"] == "fail"]
    assert {finding["check"] for finding in failed} == {"sound"}
    assert all(finding["remedy"] for finding in failed)


def test_a_log_that_is_not_there_fails_and_is_not_made(tmp_path: Path, capsys: Capture) -> None:
    """It is a finding, not an error."""
    assert main(["doctor", "--json"]) == Code.FAULT
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["check"], finding["verdict"]) == ("file", "fail")
    assert not list(tmp_path.iterdir())


def test_a_log_that_ends_with_its_process_is_bad_input(capsys: Capture) -> None:
    """There is nothing to look at."""
    assert main(["doctor", "--log", "memory:"]) == Code.BAD_INPUT
    assert "kafka://" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("free", "size", "verdict"),
    [(NOTHING - 1, 0, "fail"), (NOTHING, 0, "warn"), (LITTLE, 0, "ok"), (LITTLE, LITTLE + 1, "warn")],
)
def test_a_disk_that_fills_is_said_in_time(free: int, size: int, verdict: str) -> None:
    """A copy of the log has to fit beside it."""
    assert room(free, size).verdict == verdict


def test_what_topics_are_for_is_told_by_their_names() -> None:
    """An event may be called as it likes: a state has its inbox beside it."""
    names = {"farandole.journal", "farandole.control", "s.dlq", "s.t.inbox", "s.t.state", "machine.door.state", "a"}
    assert kinds(names) == {
        "farandole.journal": "kept",
        "farandole.control": "compacted",
        "s.dlq": "kept",
        "s.t.inbox": "kept",
        "s.t.state": "compacted",
        "machine.door.state": "domain",
        "a": "domain",
    }
