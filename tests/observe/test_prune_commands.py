"""`log prune` and `asset prune`: shown first, done when told, and what is asked afterwards is answered as before."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from farandole.assets.local import LocalAssets
from farandole.cli import main
from farandole.cli.codes import Code
from farandole.engines.open import open_log
from farandole.log.record import NewRecord, TopicSpec
from farandole_observe.archive import planning
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance, Given
from libs.farandole.tests.unit.fold.model import Owed
from tests.observe import written

Run = Callable[..., Any]
OLD = time.time() - 1e6  # seconds since the epoch


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log with a finished workflow, in an empty folder; no time has to pass before it may leave."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "MARGIN", 0.0)
    url = f"sqlite:///{tmp_path}/log.db"
    monkeypatch.setenv("FARANDOLE_LOG", url)
    monkeypatch.setenv("FARANDOLE_ASSETS", str(tmp_path / "assets"))
    dance = Dance(*EARTH_OBSERVATION, members=3)

    def behave(delivery: Owed, attempt: int) -> Given:
        return ["tile.indexed"]

    dance.behave["indices/index"] = behave
    dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    asyncio.run(_write(url, written.shuffled(written.lines_of(dance), 1)))
    return url


async def _write(url: str, records: list[NewRecord]) -> None:
    handle = await open_log(url)
    try:
        await written.make_topics(handle, records)
        for record in records:  # each in a frame of its own
            await handle.append([record])
    finally:
        await handle.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line that has to succeed; its JSON."""

    def run(*args: str) -> Any:
        assert main([*args, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


def _answers(run: Run) -> list[Any]:
    found = [run("status", "s1", "--rebuild"), run("timeline", "s1", "--rebuild"), run("status", "--rebuild")]
    return [{name: value for name, value in answer.items() if name != "age"} for answer in found]


def test_what_left_for_the_archive_is_answered_as_before(log: str, run: Run, tmp_path: Path) -> None:
    """Without --yes nothing changes; with it the log is shorter, and the archive and the rest say the same."""
    before, archive = _answers(run), str(tmp_path / "archive")
    prune = ("log", "prune", "--keep", "1ms", "--archive", archive)
    shown = run(*prune)
    assert set(shown) == {"cuts", "archive", "pruned"}
    assert set(shown["cuts"][0]) == {"topic", "partition", "start", "end", "held", "why"}
    assert (shown["pruned"], shown["archive"]) == (False, archive)
    assert _answers(run) == before
    done = run(*prune, "--yes")
    assert done == shown | {"pruned": True}
    assert sum(cut["end"] - cut["start"] for cut in done["cuts"]) == sum(cut["held"] for cut in done["cuts"]) > 0
    topics = {(t["topic"], s["partition"]): s for t in run("topics")["topics"] for s in t["spans"]}
    assert all(topics[c["topic"], c["partition"]]["start"] == c["end"] for c in done["cuts"] if c["end"] > c["start"])
    assert run("log", "check")["sound"]
    os.environ["FARANDOLE_ARCHIVE"] = archive
    try:
        assert _answers(run) == before
        assert sum(cut["end"] - cut["start"] for cut in run(*prune, "--yes")["cuts"]) == 0
    finally:
        del os.environ["FARANDOLE_ARCHIVE"]


def test_what_is_gone_for_good_is_said(log: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is of what is left, and a remark tells how much is missing."""
    assert run("log", "prune", "--keep", "1ms", "--no-archive", "--yes")["pruned"]
    assert main(["status", "--rebuild"]) == Code.DONE
    shown = capsys.readouterr()
    assert "no workflows yet" in shown.out
    assert "offsets of the journal were gone before they were read" in shown.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "--archive: name a folder"),
        (("--archive", "a", "--no-archive"), "it would have a gap"),
        (("--no-archive", "--keep", "soon"), "--keep"),
        (("--no-archive", "--keep", "1ms"), "nobody is there to be asked"),
    ],
)
def test_a_prune_that_is_not_clear_is_refused(
    args: tuple[str, ...], said: str, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is changed then."""
    assert main(["log", "prune", *args]) != Code.DONE
    assert said in capsys.readouterr().err
    assert main(["topics", "--json"]) == Code.DONE
    shown = json.loads(capsys.readouterr().out)
    assert {span["start"] for topic in shown["topics"] for span in topic["spans"]} == {0}


def test_only_assets_that_nothing_speaks_of_are_removed(log: str, run: Run, tmp_path: Path) -> None:
    """Neither what an event names, whoever wrote it, nor what a table of the user names, nor what is young."""
    store = LocalAssets(tmp_path / "assets")
    named, escaped, kept, young, stray = (_put(store, tmp_path, name) for name in ("a", "b", "c", "d", "e"))
    for uri in (named, escaped, kept, stray):
        path = store.path(uri)
        os.utime(path, (OLD, OLD))
    values = [json.dumps({"x": named}), json.dumps({"x": escaped}).replace("/", "\\/")]
    asyncio.run(_append(log, [NewRecord("product.made", value.encode(), b"k") for value in values]))
    run("status")  # makes the tables
    _tabled(tmp_path / "log.observe.db", kept)
    shown = run("asset", "prune")
    assert shown == {"assets": 5, "go": [stray], "bytes": 1, "removed": 0}
    assert store.path(stray).exists()
    assert run("asset", "prune", "--yes") == shown | {"removed": 1}
    assert [one.uri for one in store.stored()] == sorted([named, escaped, kept, young])
    archive = str(tmp_path / "archive")
    assert run("log", "prune", "--keep", "1ms", "--archive", archive, "--yes")["pruned"]
    os.environ["FARANDOLE_ARCHIVE"] = archive
    try:
        assert run("asset", "prune")["go"] == []
        assert run("asset", "prune", "--archived")["go"] == sorted([named, escaped])
    finally:
        del os.environ["FARANDOLE_ARCHIVE"]


def _put(store: LocalAssets, folder: Path, content: str) -> str:
    path = folder / f"content-{content}"
    path.write_text(content)
    return store.put(path, "text/plain").uri


async def _append(url: str, records: list[NewRecord]) -> None:
    handle = await open_log(url)
    try:
        await handle.ensure([TopicSpec("product.made", 1)])
        await handle.append(records)
    finally:
        await handle.close()


def _tabled(path: Path, uri: str) -> None:
    """As a projection of a user keeps it."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE catalogue (product TEXT)"))
        connection.execute(text("INSERT INTO catalogue VALUES (:uri)"), {"uri": uri})
    engine.dispose()
