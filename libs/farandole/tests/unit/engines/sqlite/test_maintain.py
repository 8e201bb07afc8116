"""A backup is one moment of a log in use, and a check finds whatever is not as it must be."""

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.maintain import backup, check
from farandole.events.errors import BadInput, LogFormatError
from farandole.log.ports import Interest, Unit
from farandole.log.record import NewRecord, TopicSpec
from libs.farandole.tests.golden.make_sqlite import fill
from libs.farandole.tests.unit.engines.sqlite.support import everything, numbered, only, opened, values

STEP = Interest("group/step", "work")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A log with a bit of everything, closed."""
    async with opened(tmp_path / "log.db") as log:
        await fill(log)
    return tmp_path / "log.db"


def spoil(path: Path, *statements: str) -> list[str]:
    """Do damage, and see what is found."""
    db = apsw.Connection(str(path))
    for statement in statements:
        db.execute(statement)
    db.close()
    return check(path)


async def test_a_backup_of_a_log_in_use_is_one_moment(tmp_path: Path) -> None:
    """While a step commits: as many outputs as its position says, and the copy is sound."""
    path = tmp_path / "log.db"
    async with opened(path, TopicSpec("work"), TopicSpec("out")) as log:
        await log.append(numbered(2000))
        step = asyncio.create_task(_work(log))
        copies = [tmp_path / f"copy-{n}.db" for n in range(4)]
        for copy in copies:
            await asyncio.to_thread(backup, path, copy)
        step.cancel()
    found = []
    for copy in copies:
        assert check(copy) == []
        assert copy.stat().st_mode & 0o777 == 0o600
        async with opened(copy) as log:
            found.append(values(await everything(log, "out")))
            assert found[-1] == [*range((await log.committed("group/step")).get(("work", 0), 0))]
    assert found[0] != found[-1], "the log stood still meanwhile"
    assert not [name for name in os.listdir(tmp_path) if "part" in name]


async def _work(log: SqliteLog) -> None:
    subscription = await log.subscribe(STEP)
    lease = only(await subscription.poll(limit=0, timeout=5))
    while True:
        for record in (await subscription.poll(limit=3, timeout=5)).records:
            unit = Unit(lease, [NewRecord("out", record.value)], {"work": record.offset + 1})
            await subscription.commit([unit])


def test_a_backup_replaces_nothing(path: Path) -> None:
    """What exists stays; what is not there cannot be copied; no half copy is left."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(BadInput, match="exists; give another path"):
        backup(path, path)
    with pytest.raises(BadInput, match="there is no log at"):
        backup(path.with_name("none.db"), path.with_name("copy.db"))
    with pytest.raises(BadInput, match="No such file or directory; give another path"):
        backup(path, path.parent / "nowhere" / "copy.db")
    (path.parent / "other.db").write_bytes(b"not a log" * 1000)
    with pytest.raises(LogFormatError):
        backup(path.parent / "other.db", path.with_name("copy.db"))
    assert sorted(os.listdir(path.parent)) == sorted([*before, "other.db"])


async def test_a_sound_log_has_no_findings(path: Path) -> None:
    """At rest, in use, and held by members."""
    assert check(path) == []
    async with opened(path) as log:
        await log.subscribe(Interest("group/step", "scene.received"))
        assert await asyncio.to_thread(check, path) == []


async def test_what_was_pruned_is_no_damage(tmp_path: Path) -> None:
    """But what else is missing from the beginning is; more frames go than one transaction removes."""
    path = tmp_path / "log.db"
    async with opened(path) as log:
        await log.ensure([TopicSpec("work", 2)])
        for n in range(1203):
            await log.append([NewRecord("work", b"%d" % n, partition=1)])
        assert await log.prune({("work", 1): 1201}) == {("work", 1): 1201}
        assert await asyncio.to_thread(check, path) == []
        assert await log.prune({("work", 1): 1203}) == {("work", 1): 1203}
        await log.append([NewRecord("work", b"last", partition=1), NewRecord("work", b"more", partition=1)])
        assert await asyncio.to_thread(check, path) == []
    assert spoil(path, "DELETE FROM frame")[0].endswith("its frames end at 1203, its end is 1205")


TWO = 3 << 40  # where the frames of scene.stacked begin


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (f"DELETE FROM frame WHERE id = {TWO | 2}", "a frame begins at offset 3, not at 2"),
        (f"DELETE FROM frame WHERE id = {TWO | 3}", "its frames end at 3, its end is 4"),
        (f"UPDATE frame SET id = id + 1 WHERE id = {TWO | 3}", "a frame begins at offset 4, not at 3"),
        (f"UPDATE frame SET count = 3 WHERE id = {TWO}", "2 records at offset 0, not 3"),
        (f"UPDATE frame SET body = x'00' WHERE id = {TWO}", "the frame at offset 0 is damaged"),
        (f"UPDATE frame SET time = 1 WHERE id = {TWO | 2}", "time falls at offset 2"),
        ("UPDATE position SET next = 9 WHERE id = 3", "its frames end at 4, its end is 9"),
        ("DELETE FROM position WHERE id = 3", "it has no end"),
        ("UPDATE position SET next = 99 WHERE id = 1 << 24 | 1", "position 99 in 'scene.received'/0 lies beyond"),
        ("UPDATE latest SET tp = 7 WHERE key = 'a'", "is not where it belongs"),
        ("UPDATE latest SET tp = 7 WHERE key = x'61'", "is not where it belongs"),
        ("UPDATE position SET next = 1 WHERE id = 6", "is not where it belongs"),
        ("UPDATE latest SET headers = x'00' WHERE key = x'61'", "the headers of a record are damaged"),
        ("INSERT INTO frame VALUES (6 << 40, 1, 1, x'00')", "table frame: records of partition number 6"),
        ("INSERT INTO latest VALUES (3 << 40, 3, 'k', 1, 'v', NULL)", "table latest: records of partition number 3"),
        ("UPDATE lease SET member = 77", "2 leases are held by nobody"),
        ("UPDATE meta SET value = '7' WHERE name = 'format'", "states format 7 in one place and 1 in another"),
    ],
)
def test_each_kind_of_damage_is_found(path: Path, damage: str, finding: str) -> None:
    """By name and place; the check changes nothing, so it finds the same again."""
    if "key = 'a'" in damage:
        damage = damage.replace("'a'", "x'61'")
    found = spoil(path, damage)
    assert any(finding in line for line in found), found
    assert check(path) == found


def test_a_key_that_stands_twice_is_found(path: Path) -> None:
    """Even where the index that should prevent it is gone."""
    copy = "INSERT INTO latest SELECT id + 1000, tp, key, time, value, headers FROM latest"
    rebuilt = "CREATE TABLE l AS SELECT * FROM latest; DROP TABLE latest; CREATE TABLE latest AS SELECT * FROM l"
    found = spoil(path, rebuilt, copy, "UPDATE position SET next = 9999 WHERE id = 6")
    assert any("key b'a' stands twice" in line for line in found), found


def test_flipped_bits_in_a_page_are_found(path: Path) -> None:
    """Damage below our tables is SQLite's to find, and comes as findings too, not as a crash."""
    content = bytearray(path.read_bytes())
    size = 8192
    for page in range(1, len(content) // size):
        content[page * size] ^= 0xFF
    path.write_bytes(content)
    assert any("damaged" in line for line in check(path))


def test_what_is_no_log_cannot_be_checked(tmp_path: Path) -> None:
    """It is refused, not found unsound."""
    with pytest.raises(BadInput, match="there is no log"):
        check(tmp_path / "none.db")
    db = apsw.Connection(str(tmp_path / "theirs.db"))
    db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(LogFormatError, match="not a log of Farandole"):
        check(tmp_path / "theirs.db")
