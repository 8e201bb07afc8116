"""Local copies: verified, of bounded size, shared by processes, and never gone under the hands of who reads them."""

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

import pytest

from farandole.assets.copies import Copies
from farandole.assets.files import Wanted
from farandole.events.asset import asset_uri
from farandole.events.errors import AssetMissing

LIMIT = 10_000


class Elsewhere:
    """Contents of a thousand bytes each, by number; counts what is fetched."""

    def __init__(self) -> None:
        self.fetched: list[int] = []

    @staticmethod
    def content(number: int) -> bytes:
        return number.to_bytes(2, "big") * 500

    def wanted(self, number: int) -> Wanted:
        return Wanted(asset_uri(hashlib.sha256(self.content(number)).hexdigest()), 1000)

    def take(self, copies: Copies, number: int) -> Path:
        def fetch(file: FileIO) -> None:
            self.fetched.append(number)
            file.write(self.content(number))

        return copies.hold(self.wanted(number), fetch)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


def kept(root: Path) -> int:
    """Bytes of all copies."""
    return sum(path.stat().st_size for path in (root / "sha256").glob("??/*"))


def test_a_copy_is_fetched_once_whoever_wants_it(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """It is read-only, and its name is one of this process alone."""
    one, other = Copies(tmp_path, LIMIT), Copies(tmp_path, LIMIT)
    paths = [elsewhere.take(one, 1), elsewhere.take(one, 1), elsewhere.take(other, 1)]
    assert elsewhere.fetched == [1]
    assert paths[0] == paths[1] != paths[2]
    assert paths[0].samefile(paths[2])
    assert {path.read_bytes() for path in paths} == {elsewhere.content(1)}
    assert paths[0].stat().st_mode & 0o777 == 0o444


def test_many_that_want_the_same_at_once_fetch_it_once(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Threads of one process as well as processes."""
    handles = [Copies(tmp_path, LIMIT) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: elsewhere.take(handles[number % 4], 1), range(32)))
    assert elsewhere.fetched == [1]


def test_what_was_longest_unused_goes_first(
    elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are never more bytes than the limit, and what is used again stays."""
    now = iter(range(1, 1000))
    monkeypatch.setattr("time.time_ns", lambda: next(now) * 10**9)
    copies = Copies(tmp_path, LIMIT)
    for number in range(25):
        copies.release(elsewhere.take(copies, number))
        copies.release(elsewhere.take(copies, 0))
        assert kept(tmp_path) <= LIMIT
    assert kept(tmp_path) == LIMIT
    assert elsewhere.fetched == list(range(25))
    copies.release(elsewhere.take(copies, 24))
    assert elsewhere.fetched == list(range(25))
    elsewhere.take(copies, 5)
    assert elsewhere.fetched[-1] == 5


def test_what_is_held_never_goes(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Not even where that alone is more than the limit; afterwards it does."""
    holding, other = Copies(tmp_path, LIMIT), Copies(tmp_path, LIMIT)
    held = [elsewhere.take(holding, number) for number in range(15)]
    again = elsewhere.take(holding, 0)
    for number in range(100, 110):
        other.release(elsewhere.take(other, number))
    assert [path.read_bytes() for path in held] == [elsewhere.content(number) for number in range(15)]
    for path in held:
        holding.release(path)
    assert again.exists(), "it was handed out twice"
    holding.release(again)
    assert not again.exists()
    other.release(elsewhere.take(other, 200))
    assert kept(tmp_path) <= LIMIT


def test_a_copy_that_was_damaged_is_fetched_again(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Torn by a crash, or changed by somebody; also while another one holds it."""
    first = Copies(tmp_path, LIMIT)
    elsewhere.take(first, 1)
    [place] = (tmp_path / "sha256").glob("??/*")
    place.chmod(0o644)
    place.write_bytes(b"torn")
    assert elsewhere.take(Copies(tmp_path, LIMIT), 1).read_bytes() == elsewhere.content(1)
    assert elsewhere.take(first, 1).read_bytes() == elsewhere.content(1)
    assert elsewhere.fetched == [1, 1]


def test_a_fetch_that_fails_leaves_nothing(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Neither a copy nor a draft; the next one is tried."""
    copies = Copies(tmp_path, LIMIT)

    def failing(file: FileIO) -> None:
        file.write(b"half")
        raise AssetMissing("not yet")

    with pytest.raises(AssetMissing):
        copies.hold(elsewhere.wanted(1), failing)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert kept(tmp_path) == 0
    copies.release(elsewhere.take(copies, 1))
    with pytest.raises(AssetMissing):
        copies.hold(elsewhere.wanted(1)._replace(size=1), failing)
    [place] = (tmp_path / "sha256").glob("??/*")
    assert place.stat().st_nlink == 1, "held by nobody"
    assert elsewhere.take(copies, 1).read_bytes() == elsewhere.content(1)


def test_a_draft_that_is_kept_is_a_copy(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Nothing is fetched then; one that is not kept leaves nothing."""
    copies, wanted = Copies(tmp_path, LIMIT), elsewhere.wanted(1)
    for keep in (False, True):
        with copies.draft() as draft:
            draft[0].write(elsewhere.content(1))
            if keep:
                copies.keep(draft, wanted.digest)
        assert list((tmp_path / "tmp").iterdir()) == []
        assert kept(tmp_path) == (1000 if keep else 0)
    assert elsewhere.take(copies, 1).read_bytes() == elsewhere.content(1)
    assert elsewhere.fetched == []


def test_what_ended_processes_held_is_let_go_after_a_while(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Not at once, for one may have printed where it is; and never what a living one holds."""
    living = Copies(tmp_path, LIMIT)
    path = elsewhere.take(living, 1)
    code = (
        "import sys; from pathlib import Path; from farandole.assets.copies import Copies\n"
        "from farandole.assets.files import Wanted\n"
        f"print(Copies(Path({str(tmp_path)!r}), 10_000).hold(Wanted({elsewhere.wanted(1).uri!r}, 1000), print))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = Path(
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    elsewhere.take(Copies(tmp_path, LIMIT), 1)
    assert ended.read_bytes() == elsewhere.content(1)
    long_ago = time.time() - 7200
    for folder in (ended.parent, path.parent):
        os.utime(folder, (long_ago, long_ago))
    elsewhere.take(Copies(tmp_path, LIMIT), 1)
    assert not ended.parent.exists()
    assert path.read_bytes() == elsewhere.content(1)
