"""`farandole projection`: what the commands print, on an embedded log, and a process that keeps a table."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from farandole.cli import main
from farandole.cli.codes import Code
from farandole.cli.say import instant
from farandole.engines.open import open_log
from farandole.log.record import NewRecord
from farandole_observe.projection import keeping
from farandole_observe.projection.keeping import Standing
from farandole_observe.store.opening import open_store
from tests.observe.projections import Sold, SoldLater, make_topics, record

Run = Callable[..., str]
TARGET = "stall:sold"
STALL = """
from sqlalchemy import JSON, Column, DateTime, Integer, MetaData, Numeric, Table, Text
from farandole import Event
from farandole_observe import Projection
from datetime import UTC, datetime


class Sold(Event, type="item.sold", key="item"):
    item: str
    order: str
    pieces: int


def fold(row, found):
    if found.event.order == "bad":
        raise LookupError("no such order")
    if not found.event.pieces:
        return None
    orders = [] if row is None else row["orders"]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return {"orders": [*orders, found.event.order], "pieces": found.event.pieces, "at": at, "price": 2}


def declared(name, version=1, table=None):
    columns = Column("pieces", Integer), Column("orders", JSON), Column("at", DateTime), Column("price", Numeric(5, 2))
    made = Table(table or name, MetaData(), Column("item", Text, primary_key=True), *columns)
    return Projection(name, of=[Sold], table=made, key=lambda found: found.event.item, fold=fold, version=version)


sold = declared("sold")
later = declared("sold", version=2)
twin = declared("twin", table="sold")
other = declared("other")
"""
ROW = {"item": "i1", "pieces": 2, "orders": ["o1", "o2"], "at": "2026-01-01T00:00:00Z", "price": "2.00"}


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The commands set it up for their process, which is this one."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


@pytest.fixture
def stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A folder with projections and a log; writes events."""
    (tmp_path / "stall.py").write_text(STALL)
    (tmp_path / "farandole.toml").write_text(f'log = "sqlite:///{tmp_path}/log.db"\npath = ["."]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "stall", raising=False)

    def write(*orders: str, item: str = "i1", pieces: int = 2) -> None:
        records = [record(Sold(item=item, order=order, pieces=pieces), n) for n, order in enumerate(orders)]
        asyncio.run(_append(f"sqlite:///{tmp_path}/log.db", records))

    write()
    return write


async def _append(url: str, records: list[NewRecord]) -> None:
    log = await open_log(url)
    try:
        await make_topics(log)
        await log.append(records)
    finally:
        await log.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line that has to succeed; what it prints."""

    def run(*args: str) -> str:
        assert main(["projection", *args]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_show_brings_the_table_up_to_date_and_its_shape_is_frozen(run: Run, stall: Callable[..., None]) -> None:
    """Fields may be added, none may go or change its meaning."""
    stall("o1", "o2")
    found = json.loads(run("show", TARGET, "--json"))
    assert found.pop("age") < 1.0
    assert found == {
        "projection": "sold",
        "version": 1,
        "rows": [ROW],
        "more": 0,
        "as_of": None,
        "missing": 0,
        "unread": 0,
        "stopped": None,
    }
    stall("o3", item="i2")
    assert json.loads(run("show", TARGET, "--json", "--limit", "1"))["more"] == 1
    assert json.loads(run("show", TARGET, "--key", "i2", "--json"))["rows"][0]["orders"] == ["o3"]
    lines = run("show", TARGET).splitlines()
    assert lines[0].split() == ["ITEM", "PIECES", "ORDERS", "AT", "PRICE"]
    assert lines[1].split() == ["i1", "2", '["o1","o2"]', "2026-01-01T00:00:00Z", "2.00"]
    assert len(lines) == 3


def test_show_as_of_a_time_writes_nothing_and_takes_what_status_takes(
    run: Run, stall: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the log alone, and from a snapshot; a time without a zone is UTC, and that is said."""
    stall("o1")
    between = instant(time.time() + 0.001)
    time.sleep(0.002)
    stall("o2")
    early = json.loads(run("show", TARGET, "--as-of", between, "--json"))
    assert (early["rows"][0]["orders"], early["as_of"], early["age"]) == (["o1"], between, None)
    assert json.loads(run("show", TARGET, "--as-of", "2h ago", "--json"))["rows"] == []
    assert not (tmp_path / "log.observe.db").exists()
    made = json.loads(run("snapshot", TARGET, "--json"))
    assert made == {"projection": "sold", "version": 1, "snapshot": 1, "rows": 1}
    assert run("snapshot", TARGET, "--keep", "1") == "snapshot 2 of sold: 1 row\n"
    assert json.loads(run("show", TARGET, "--as-of", "2100-01-01T00:00:00Z", "--json"))["rows"] == [ROW]
    assert json.loads(run("show", TARGET, "--as-of", between, "--json"))["rows"] == early["rows"]
    assert main(["projection", "show", TARGET, "--as-of", "2100-01-01"]) == 0
    assert "no zone was named, so it is UTC" in capsys.readouterr().err


def test_rebuild_folds_again_from_the_beginning_or_from_the_latest_snapshot(
    run: Run, stall: Callable[..., None]
) -> None:
    """The table is the same either way."""
    stall("o1", "o2")
    run("snapshot", TARGET)
    stall("o3", item="i2")
    whole = json.loads(run("show", TARGET, "--json"))["rows"]
    from_snapshot = json.loads(run("rebuild", TARGET, "--from-snapshot", "--json"))
    assert from_snapshot == {"projection": "sold", "version": 1, "snapshot": 1, "rows": 2}
    assert json.loads(run("show", TARGET, "--json"))["rows"] == whole
    assert json.loads(run("rebuild", TARGET, "--json"))["snapshot"] is None
    assert json.loads(run("show", TARGET, "--json"))["rows"] == whole
    assert run("rebuild", TARGET) == "sold, from the beginning of the log: 2 rows\n"


def test_a_function_that_fails_is_told_with_the_rows_before_it_and_exit_1(
    stall: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also as JSON, and for a time that lies behind it."""
    stall("o1", "bad", "o2")
    assert main(["projection", "show", TARGET, "--json"]) == Code.FAULT
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["orders"] == ["o1"]
    assert "LookupError: no such order" in found["stopped"]
    assert main(["projection", "show", TARGET]) == Code.FAULT
    assert "projection 'sold' stands before item.sold/" in capsys.readouterr().err
    for again in (["show", TARGET, "--as-of", "2100-01-01T00:00:00Z"], ["snapshot", TARGET], ["rebuild", TARGET]):
        assert main(["projection", *again]) == Code.FAULT
        assert "projection 'sold' stands before item.sold/" in capsys.readouterr().err


def test_what_was_skipped_is_told(
    stall: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted in the answer; who folds names each in a log line, on stderr."""
    stall("o1")
    later = record(SoldLater(item="i1", order="o", pieces=1, price=Decimal(1)), 9)
    asyncio.run(_append(f"sqlite:///{tmp_path}/log.db", [later]))
    for when in ([], ["--as-of", "2100-01-01T00:00:00Z"]):
        assert main(["projection", "show", TARGET, "--json", *when]) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["unread"] == 1
        if not when:
            (line,) = (found for found in said.err.splitlines() if "a record is skipped" in found)
            assert "/1" in json.loads(line)["place"]
            assert json.loads(line)["reason"] == "item.sold.v2, where item.sold.v1 is known"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["show", "stall"], Code.BAD_INPUT, "names no projection; write module:attribute, such as catalogue.products"),
        (["show", "nowhere:sold"], Code.BAD_INPUT, "install it, or run where it can be imported"),
        (["show", "stall:Sold"], Code.BAD_INPUT, "'Sold' is no Projection in stall"),
        (["show", TARGET, "--as-of", "yesterday"], Code.BAD_INPUT, "RFC 3339"),
        (["show", TARGET, "--key", "nothing"], Code.NOT_FOUND, "has no row 'nothing'"),
        (["show", TARGET, "--store", "mysql://host/db"], Code.BAD_INPUT, "postgresql://"),
        (["rebuild", TARGET, "--from-snapshot"], Code.NOT_FOUND, "there is no snapshot of version 1"),
        (["snapshot", TARGET, "--store", "memory:"], Code.BAD_INPUT, "give --store"),
        (["run", TARGET, "stall:twin"], Code.BAD_INPUT, "two of the projections have the table 'sold'"),
        (["run", TARGET, "stall:later"], Code.BAD_INPUT, "two of the projections have the name 'sold'"),
        (["show", TARGET, "--log", "sqlite:///nowhere.db"], Code.NOT_FOUND, "no log at "),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(
    args: list[str], code: Code, said: str, stall: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exit code of its kind."""
    assert main(["projection", *args]) == code
    assert said in capsys.readouterr().err


@contextmanager
def keeper(*targets: str) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps tables, and is killed at the end, if it is there still."""
    argv = [sys.executable, "-m", "farandole", "projection", "run", *targets]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def _until(wanted: Callable[[dict[str, Standing]], bool], tables: str) -> None:
    """Wait until the projections of a store stand as is wanted."""
    until = time.monotonic() + 30.0
    store = await open_store(tables)
    try:
        while True:
            async with store.reading() as connection:
                found = {name: await keeping.standing(connection, name) for name in ("sold", "broken", "other")}
            if wanted({name: stands for name, stands in found.items() if stands is not None}):
                return
            assert time.monotonic() < until, f"still {found}"
            await asyncio.sleep(0.05)
    finally:
        await store.close()


@pytest.mark.slow
def test_a_process_keeps_several_tables_and_one_that_stops_stops_no_other(
    run: Run, stall: Callable[..., None], tmp_path: Path
) -> None:
    """What is written is in the tables soon; told to stop, it gives them back, and ends with 1 for the one."""
    (tmp_path / "second.py").write_text(
        "import dataclasses, stall\n"
        "broken = dataclasses.replace(stall.declared('broken'), fold=lambda row, found: 1 / 0)\n"
    )
    tables = f"sqlite:///{tmp_path}/log.observe.db"
    stall("o1")
    with keeper(TARGET, "second:broken", "stall:other") as process:
        asyncio.run(_until(lambda found: all(found[name].seen for name in ("sold", "other") if name in found), tables))
        asyncio.run(_until(lambda found: "broken" in found and bool(found["broken"].stopped), tables))
        owned = time.time()
        stall("o2", item="i2")
        asyncio.run(_until(lambda found: all(found[name].seen > owned for name in ("sold", "other")), tables))
        for target in (TARGET, "stall:other"):
            assert len(json.loads(run("show", target, "--json"))["rows"]) == 2
        again = json.loads(run("rebuild", TARGET, "--json"))
        assert again["rows"] in (2, None)
        asyncio.run(_until(lambda found: found["sold"].owner != "" and found["sold"].seen > owned, tables))
        assert len(json.loads(run("show", TARGET, "--json"))["rows"]) == 2
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30.0)[1]
    assert "projection 'broken' stands before item.sold/" in said
    assert "ZeroDivisionError" in said
    assert "has stopped" in said
    assert process.returncode == Code.FAULT
    asyncio.run(_until(lambda found: {stands.owner for stands in found.values()} == {""}, tables))
