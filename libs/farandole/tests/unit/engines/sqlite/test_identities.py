"""Identities are remembered for 7 days, and the last 100,000 however old; across handles, and per call."""

import asyncio
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite import identities
from farandole.engines.sqlite.requests import Txn
from farandole.events.errors import ConfigError, IdConflict
from farandole.log.record import NewRecord, Place, TopicSpec
from libs.farandole.tests.unit.engines.sqlite.support import everything, opened, values

WORK = TopicSpec("work", 2)
DAY = 24 * 3600 * 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def new(number: int) -> NewRecord:
    return NewRecord("work", b"%d" % number, b"k%d" % number)


async def test_known_and_new_ones_may_come_together(path: Path) -> None:
    """The known keep their places, in whatever topic and partition; only the new are written, in order."""
    async with opened(path, WORK, TopicSpec("other")) as log, opened(path) as later:
        first = await log.append([new(1), new(2)], identities=[b"1", b"2"])
        elsewhere = await log.append([NewRecord("other", b"o")], identities=[b"o"])
        records = [new(3), new(2), new(4), NewRecord("work", b"o"), new(1), new(5), new(4)]
        places = await later.append(records, identities=[b"3", b"2", b"4", b"o", b"1", None, b"4"])
        assert places[1] == first[1]
        assert places[3] == elsewhere[0]
        assert places[4] == first[0]
        assert places[6] == places[2]
        assert len({places[0], places[2], places[5], *first}) == 5
        assert sorted(values(await everything(log))) == [1, 2, 3, 4, 5]
        for place, number in zip(places, (3, 2, 4, None, 1, 5, 4), strict=True):
            record = await log.fetch(*place)
            assert record is not None
            assert record.value == (b"%d" % number if number else b"o")


async def test_a_conflict_writes_nothing_and_harms_no_neighbour(path: Path) -> None:
    """Among calls that commit together, only the one with the conflict fails."""
    async with opened(path, WORK) as log:
        await log.append([new(1)], identities=[b"1"])
        answers = await asyncio.gather(
            log.append([new(2)], identities=[b"2"]),
            log.append([new(3), new(9)], identities=[b"3", b"1"]),
            log.append([new(4), new(5)], identities=[b"4", b"4"]),
            log.append([new(6)], identities=[b"2x"]),
            log.append([new(7)], identities=[b"2x"]),
            return_exceptions=True,
        )
        assert [isinstance(answer, IdConflict) for answer in answers] == [False, True, True, False, True]
        assert "identity b'1' was appended before with another value" in str(answers[1])
        assert sorted(values(await everything(log))) == [1, 2, 6]


async def test_no_value_and_an_empty_one_differ(path: Path) -> None:
    """A null value is a value of its own."""
    async with opened(path, WORK) as log:
        (place,) = await log.append([NewRecord("work", None, b"k")], identities=[b"1"])
        assert await log.append([NewRecord("work", None, b"k")], identities=[b"1"]) == [place]
        with pytest.raises(IdConflict):
            await log.append([NewRecord("work", b"", b"k")], identities=[b"1"])


async def test_one_identity_a_record_is_wanted(path: Path) -> None:
    """Fewer or more are a mistake of the caller."""
    async with opened(path, WORK) as log:
        with pytest.raises(ConfigError, match="1 identities for 2 records"):
            await log.append([new(1), new(2)], identities=[b"1"])


async def test_the_old_are_forgotten_the_last_are_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither age nor number alone forgets one."""
    monkeypatch.setattr(identities, "AT_LEAST", 3)
    async with opened(path, WORK) as log:
        for number in range(10):
            await log.append([new(number)], identities=[b"%d" % number])

        def age(txn: Txn) -> None:
            txn.db.execute("UPDATE identity SET time = ? WHERE seq <= 5", (txn.now - 8 * DAY,))
            txn.db.execute("UPDATE identity SET time = ? WHERE seq > 8", (txn.now - 8 * DAY,))
            identities.forget(txn.db, txn.now)

        await log._handle.run(age)
        before = len(await everything(log))
        for number in range(10):
            await log.append([new(number)], identities=[b"%d" % number])
        written = values(await everything(log))
        assert len(written) == before + 5
        counts = {number: written.count(number) for number in range(10)}
        assert counts == {number: 2 if number < 5 else 1 for number in range(10)}


async def test_forgetting_is_done_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No commit waits for the whole of it."""
    monkeypatch.setattr(identities, "AT_LEAST", 0)
    monkeypatch.setattr(identities, "_FORGOTTEN_AT_ONCE", 4)
    async with opened(path, WORK) as log:
        await log.append([new(n) for n in range(10)], identities=[b"%d" % n for n in range(10)])
        left: list[int] = []
        db = apsw.Connection(str(path))
        for _ in range(4):
            await log._handle.run(lambda txn: identities.forget(txn.db, txn.now + 8 * DAY))
            ((count,),) = db.execute("SELECT count(*) FROM identity").fetchall()
            left.append(int(str(count)))
        db.close()
        assert left == [6, 2, 0, 0]
        assert await log.append([new(1)], identities=[b"1"]) != [Place("work", 0, 0)]
