"""What a service may be made to read: assets and regular files under configured folders, and nothing else."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farandole.assets import resolve
from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.events.asset import Asset
from farandole.events.errors import (
    AssetCorrupt,
    AssetError,
    AssetMissing,
    AssetRefused,
    ConfigError,
)
from farandole.log.ports import Stored


class CountingStore:
    """The real store, which notes what is put."""

    def __init__(self, root: Path) -> None:
        self.assets, self.puts = LocalAssets(root), 0
        self.meanwhile: Callable[[], None] = lambda: None

    def put(self, path: Path, media_type: str) -> Asset:
        self.puts += 1
        self.meanwhile()
        return self.assets.put(path, media_type)

    def path(self, asset: Asset | str) -> Path:
        return self.assets.path(asset)

    def release(self, path: Path) -> None:
        self.assets.release(path)

    def stored(self) -> Iterator[Stored]:
        return self.assets.stored()

    def remove(self, uri: str, before: float) -> bool:
        return self.assets.remove(uri, before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "band 1.tif").write_bytes(b"pixels")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "store")


@pytest.fixture
def resolver(store: CountingStore, data: Path) -> Resolver:
    return Resolver(store, [data])


def test_a_file_under_a_root_is_fetched_as_a_verified_copy(resolver: Resolver, data: Path, tmp_path: Path) -> None:
    """Percent-decoded once; what is handed out lies in the store, so that no later change reaches it."""
    place = f"{data}/deep/band"
    uris = [f"file://{place}%201.tif", f"FILE://localhost{place} 1.tif", f"file:{place}%201.tif"]
    paths = [resolver.fetch(uri) for uri in uris]
    (data / "deep" / "band 1.tif").write_bytes(b"others")
    for path in paths:
        assert path.is_relative_to(tmp_path / "store")
        assert path.read_bytes() == b"pixels"
    assert resolver.fetch(uris[0]).read_bytes() == b"others"


def test_assets_are_fetched_by_name_and_by_uri(resolver: Resolver, store: CountingStore, data: Path) -> None:
    """An Asset with its length verified, a URI by its digest."""
    asset = store.put(data / "deep" / "band 1.tif", "a/b")
    assert resolver.fetch(asset) == resolver.fetch(asset.uri)
    with pytest.raises(AssetCorrupt):
        resolver.fetch(asset.model_copy(update={"size": 7}))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("file:///etc/passwd", "none of the folders"),
        ("file://{data}", "none of the folders"),
        ("file://{data}-other/x", "none of the folders"),
        ("file://{data}/../secret", "'..'"),
        ("file://{data}/deep/../../secret", "'..'"),
        ("file://{data}/%2e%2e/secret", "'..'"),
        ("file://{data}/.%2E/secret", "'..'"),
        ("file://{data}/./deep/band%201.tif", "'.'"),
        ("file://{data}//deep/band%201.tif", "empty segment"),
        ("file://{data}/deep/", "empty segment"),
        ("file://{data}/..%00/secret", "NUL"),
        ("file://{data}/deep%00.tif", "NUL"),
        ("file://{data}/deep%2fband%201.tif", "slash"),
        ("file://{data}/..%2fsecret", "slash"),
        ("file://{data}/deep/band%201.tif?x", "query"),
        ("file://{data}/deep/band%201.tif#x", "fragment"),
        ("file://{data}/deep/band%zz", "stray %"),
        ("file://user@host{data}/deep/band%201.tif", "host"),
        ("file://169.254.169.254/x", "host"),
        ("file://{data}@evil/x", "none of the folders"),
        ("file:deep/band%201.tif", "no absolute path"),
        ("file:////etc/passwd", "no absolute path"),
        ("file:", "no absolute path"),
        ("file://{data}/" + "x" * 300, "longer than names"),
        ("file://{data}/" + "x/" * 3000, "longer than 4096"),
        ("file://{data}/\ud800", "encoded"),
        ("{data}/deep/band 1.tif", "no scheme"),
        ("", "no scheme"),
        ("../secret", "no scheme"),
        ("http://169.254.169.254/latest/meta-data", "scheme http"),
        ("http://[::ffff:127.0.0.1]/", "scheme http"),
        ("http://0x7f000001/", "scheme http"),
        ("https://example.org/redirects-inside", "scheme https"),
        ("http://rebinds.example.org/", "scheme http"),
        ("https://user@host/x", "scheme https"),
        ("gopher://host/x", "scheme gopher"),
        ("s3://bucket/x", "scheme s3"),
        ("data:,x", "scheme data"),
        ("asset:sha256/../../secret", "names no content"),
        ("asset:md5/00", "names no content"),
    ],
)
def test_everything_else_is_refused_by_name(
    resolver: Resolver, store: CountingStore, data: Path, uri: str, why: str
) -> None:
    """AssetRefused that shows the URI, in one printable line, and why; nothing is read or stored."""
    uri = uri.replace("{data}", str(data))
    with pytest.raises(AssetRefused) as caught:
        resolver.fetch(uri)
    text = str(caught.value)
    assert why in text
    assert ascii(uri[:200])[:-1] in text
    assert len(text) < 1000
    assert text.isprintable()
    assert store.puts == 0


def test_what_is_shown_of_a_uri_cannot_write_to_a_terminal(resolver: Resolver, data: Path) -> None:
    """Control and bidirectional characters stand escaped in the error."""
    with pytest.raises(AssetRefused) as caught:
        resolver.fetch(f"file://{data}/\x1b[2J\n\u202e/..")
    assert str(caught.value).isprintable()
    assert "\\x1b[2J\\n\\u202e" in str(caught.value)


def test_links_lead_nowhere(resolver: Resolver, store: CountingStore, data: Path, tmp_path: Path) -> None:
    """As the file or on the way, out of the root or within it: the file itself has to be named."""
    (data / "out").symlink_to(tmp_path / "secret")
    (data / "away").symlink_to(tmp_path)
    (data / "within").symlink_to("deep")
    (data / "broken").symlink_to("nothing")
    for name in ("out", "away/secret", "within/band%201.tif", "broken", "away"):
        with pytest.raises(AssetRefused, match=r"name the file itself|regular file"):
            resolver.fetch(f"file://{data}/{name}")
    assert store.puts == 0


def test_a_root_may_itself_be_a_link(store: CountingStore, data: Path, tmp_path: Path) -> None:
    """It is the operator's; files may be named through it and through what it stands for."""
    (tmp_path / "link").symlink_to(data)
    resolver = Resolver(store, [tmp_path / "link"])
    for root in (tmp_path / "link", data):
        assert resolver.fetch(f"file://{root}/deep/band%201.tif").read_bytes() == b"pixels"


def test_what_is_no_regular_file_is_refused_at_once(
    store: CountingStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder, FIFO without a writer, endless device: refused unopened, for an opening can wait or act."""
    opened: list[object] = []
    real = os.open

    def noting(path: str, *args: int, **kwargs: int) -> int:
        opened.append(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", noting)
    os.mkfifo(data / "fifo")
    resolver = Resolver(store, [data, Path("/dev")])
    begun = time.monotonic()
    for uri in (f"file://{data}/deep", f"file://{data}/fifo", "file:///dev/zero", "file:///dev/null"):
        with pytest.raises(AssetRefused, match="name a regular file"):
            resolver.fetch(uri)
    with pytest.raises(AssetRefused, match="through a link or a file"):
        resolver.fetch(f"file://{data}/deep/band%201.tif/x")
    assert time.monotonic() - begun < 1
    assert store.puts == 0
    assert not {"fifo", "zero", "null"} & set(opened)


def test_a_file_that_is_not_there_is_missing_and_may_come(resolver: Resolver, data: Path) -> None:
    """Retryable, unlike what is refused."""
    with pytest.raises(AssetMissing):
        resolver.fetch(f"file://{data}/later.tif")
    (data / "later.tif").write_bytes(b"late")
    assert resolver.fetch(f"file://{data}/later.tif").read_bytes() == b"late"


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.EACCES, AssetRefused), (errno.EIO, AssetError), (errno.ESTALE, AssetError)]
)
def test_a_file_that_cannot_be_read_says_whether_trying_again_helps(
    resolver: Resolver, data: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[AssetError]
) -> None:
    """Permissions do not mend themselves; a disk or a file server may. (Given by hand: root may read all.)"""

    def failing(name: str, folder: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(resolve, "_open_regular", failing)
    with pytest.raises(expected) as caught:
        resolver.fetch(f"file://{data}/deep/band%201.tif")
    assert type(caught.value) is expected


def flip_names(data: Path, outside: Path, done: threading.Event) -> None:
    """Over and over: `file` is a link to a secret, then a file; `way` a link to a folder of secrets, then a folder."""
    number = 0
    while not done.is_set():
        number += 1
        spare = data / f".spare{number}"
        spare.symlink_to(outside / "band")
        os.rename(spare, data / "file")
        os.link(data / "inside" / "band", spare)
        os.rename(spare, data / "file")
        for name, kept in (("way", "kept"), ("away", "way")):  # a folder cannot be renamed over a link: move both
            os.rename(data / name, data / kept)
        os.rename(data / "kept", data / "away")


def test_no_swap_of_names_wins_against_the_check(store: CountingStore, data: Path, tmp_path: Path) -> None:
    """While names flip between a file and a link to a secret, only the file's content is ever handed out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "band").write_bytes(b"secret")
    for name in ("inside", "way"):
        (data / name).mkdir()
        (data / name / "band").write_bytes(b"pixels")
    (data / "away").symlink_to(outside)
    done, seen = threading.Event(), set[object]()
    thread = threading.Thread(target=flip_names, args=(data, outside, done))
    thread.start()
    resolver, until = Resolver(store, [data]), time.monotonic() + 0.8
    try:
        while time.monotonic() < until:
            for uri in (f"file://{data}/file", f"file://{data}/way/band"):
                try:
                    seen.add(resolver.fetch(uri).read_bytes())
                except AssetError as error:
                    seen.add(type(error))
    finally:
        done.set()
        thread.join()
    assert b"pixels" in seen
    assert AssetRefused in seen, "the race was never on"
    assert b"secret" not in seen


def test_a_link_that_comes_between_look_and_opening_is_not_followed(
    resolver: Resolver, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrowest swap, forced: the file was seen, then its name is a link to a secret."""
    look = resolve._check_regular

    def swapping(found: os.stat_result) -> None:
        look(found)
        (data / "deep" / "band 1.tif").unlink()
        (data / "deep" / "band 1.tif").symlink_to(tmp_path / "secret")

    monkeypatch.setattr(resolve, "_check_regular", swapping)
    with pytest.raises(AssetRefused, match="is a link"):
        resolver.fetch(f"file://{data}/deep/band%201.tif")


def test_an_unchanged_file_is_copied_once_a_process(
    resolver: Resolver, store: CountingStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its identity, times and size; a change of any of them, or a damaged store, copies it again."""
    monkeypatch.setattr(resolve, "_SETTLED", 0.0)
    uri = f"file://{data}/deep/band%201.tif"
    time.sleep(0.02)
    path = resolver.fetch(uri)
    assert resolver.fetch(uri) == resolver.fetch(uri) == path
    assert store.puts == 1
    (data / "deep" / "band 1.tif").write_bytes(b"PIXELS")
    time.sleep(0.02)
    assert resolver.fetch(uri).read_bytes() == b"PIXELS"
    assert store.puts == 2
    resolver.fetch(uri).unlink()
    assert resolver.fetch(uri).read_bytes() == b"PIXELS"
    assert path.read_bytes() == b"pixels"


def test_a_file_that_was_just_changed_is_not_remembered(resolver: Resolver, store: CountingStore, data: Path) -> None:
    """Within a tick of the clock a second change would leave the same times."""
    (data / "fresh").write_bytes(b"1")
    resolver.fetch(f"file://{data}/fresh")
    resolver.fetch(f"file://{data}/fresh")
    assert store.puts == 2


def test_a_file_that_changes_while_it_is_read_is_not_handed_out(
    resolver: Resolver, store: CountingStore, data: Path
) -> None:
    """Half of one state and half of another is no state; it is read again later."""
    file = data / "deep" / "band 1.tif"
    store.meanwhile = lambda: (file.write_bytes(b"pixels and more"), None)[1]
    with pytest.raises(AssetError, match="changed while it was read"):
        resolver.fetch(f"file://{data}/deep/band%201.tif")


@pytest.mark.parametrize("root", ["/", "relative", "/data/../etc"])
def test_a_root_that_would_open_too_much_is_no_root(store: CountingStore, root: str) -> None:
    """Refused when the service starts, with the remedy."""
    with pytest.raises(ConfigError, match=r"absolute|name the folders"):
        Resolver(store, [Path(root)])


def test_without_roots_no_file_is_read(store: CountingStore, data: Path) -> None:
    """The default is closed."""
    with pytest.raises(AssetRefused, match="none of the folders"):
        Resolver(store).fetch(f"file://{data}/deep/band%201.tif")
