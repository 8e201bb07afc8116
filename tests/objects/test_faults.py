"""What can go wrong between us and an object store: each is told by its name, and leaves nothing that is half."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import obstore
import pytest

from farandole.assets import bucket, objects
from farandole.assets.address import Address
from farandole.assets.bucket import PART, Bucket
from farandole.assets.open import Whereabouts, open_assets
from farandole.events.asset import asset_uri
from farandole.events.errors import AssetError, AssetMissing
from farandole.testing.asset_contract.given import CONTENT, DIGEST, URI, written
from farandole.testing.asset_contract.rig import LONG_AGO
from scripts.s3 import S3
from tests.objects.proxy import Proxy, before
from tests.objects.rig import ObjectRig

pytestmark = pytest.mark.slow

CANARY = "canary-6a0f"
QUICK = {
    "max_retries": 2,
    "backoff": {"init_backoff": timedelta(seconds=0.05), "max_backoff": timedelta(seconds=0.2), "base": 2},
    "retry_timeout": timedelta(seconds=2),
}


@pytest.fixture
def rig(s3: S3, tmp_path: Path) -> ObjectRig:
    return ObjectRig(s3, tmp_path)


@pytest.fixture
def proxy(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """On the way to the server."""
    with before(s3) as (there, between):
        monkeypatch.setenv("FARANDOLE_ASSETS_ENDPOINT", there.endpoint)
        yield between


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few retries, soon after one another."""
    monkeypatch.setattr(bucket, "RETRIES", QUICK)


def test_what_is_large_goes_in_parts_and_what_is_there_is_not_sent_again(rig: ObjectRig, proxy: Proxy) -> None:
    """Two parts of at most 8 MiB for 9 MiB; the second time a few small requests."""
    source = written(rig, os.urandom(rig.large))
    asset = rig.open().put(source, "a/b")
    assert (
        proxy.count(r"^POST .*\?uploads"),
        proxy.count(r"^PUT .*partNumber="),
        proxy.count(r"^POST .*uploadId="),
    ) == (1, 2, 1)
    assert proxy.sent > rig.large
    sent = proxy.sent
    assert rig.open().put(source, "a/b") == asset
    assert proxy.sent - sent < 20_000
    assert proxy.count("partNumber=") == 2


def test_what_is_large_is_fetched_in_ranges(rig: ObjectRig, proxy: Proxy) -> None:
    """None of them so long that it could not be tried again."""
    content = os.urandom(rig.large)
    asset = rig.open().put(written(rig, content), "a/b")
    before_it = proxy.count("^GET .*/sha256/")
    assert rig.open().path(asset).read_bytes() == content
    assert proxy.count("^GET .*/sha256/") - before_it == 2


def test_a_local_copy_is_fetched_once_and_serves_who_put_it(rig: ObjectRig, proxy: Proxy) -> None:
    """Whoever put the content on this machine reads it without asking; others ask once."""
    where = rig.whereabouts()
    asset = open_assets(where).put(written(rig), "a/b")
    asked = len(proxy.asked)
    for _ in range(2):
        assert open_assets(where).path(asset).read_bytes() == CONTENT
    assert len(proxy.asked) == asked
    other = rig.whereabouts()
    for _ in range(3):
        assert open_assets(other).path(asset).read_bytes() == CONTENT
    assert proxy.count("^GET .*/sha256/") == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("cut", [100_000, PART // 2, PART + 600_000])
def test_a_connection_that_is_cut_off_in_an_upload_leaves_nothing_to_be_seen(
    rig: ObjectRig, proxy: Proxy, cut: int
) -> None:
    """In the beginning, the middle and the end: no object, no local copy; and the same put succeeds later."""
    store, source = rig.open(), written(rig, os.urandom(rig.large))
    proxy.cut = cut
    with pytest.raises(AssetError, match=r"broke the connection off|does not answer|cannot be reached"):
        store.put(source, "a/b")
    assert rig.names() == []
    proxy.cut = None
    assert rig.open().path(store.put(source, "a/b")).read_bytes() == source.read_bytes()


def test_a_request_whose_connection_breaks_is_tried_again(rig: ObjectRig, proxy: Proxy) -> None:
    """A cut that heals within a second is not even told."""
    proxy.cut = PART // 2
    healing = threading.Timer(0.7, lambda: setattr(proxy, "cut", None))
    healing.start()
    source = written(rig, os.urandom(rig.large))
    assert rig.open().path(rig.open().put(source, "a/b")).read_bytes() == source.read_bytes()
    healing.join()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_answers_is_given_up(rig: ObjectRig, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within what the timeouts and retries say, not for ever; for reading, writing and listing."""
    monkeypatch.setattr(bucket, "_TIMEOUT", timedelta(seconds=1))
    store, source = rig.open(), written(rig)
    proxy.silent = True
    began = time.monotonic()
    for call in (lambda: store.put(source, "a/b"), lambda: store.path(URI), lambda: list(store.stored())):
        with pytest.raises(AssetError, match="does not answer in time"):
            call()
    assert time.monotonic() - began < 60


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_is_no_missing_content_and_comes_back(rig: ObjectRig, s3: S3) -> None:
    """AssetError says so while it is away; afterwards the same handle goes on."""
    if s3.server is None:
        pytest.skip("a server that is not ours is not ended")
    store, source = rig.open(), written(rig)
    s3.server.kill()
    try:
        for call in (lambda: store.put(source, "a/b"), lambda: store.path(URI)):
            with pytest.raises(AssetError, match="cannot be reached; check FARANDOLE_ASSETS_ENDPOINT") as caught:
                call()
            assert not isinstance(caught.value, AssetMissing)
    finally:
        s3.server.start()
    assert rig.open().path(store.put(source, "a/b")).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["KEY", "SECRET"])
def test_a_wrong_login_is_refused_by_name_and_not_shown(
    rig: ObjectRig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither content that is missing nor the secret is told."""
    monkeypatch.setenv(f"FARANDOLE_ASSETS_{name}", CANARY)
    store = rig.open()
    for call in (lambda: store.put(written(rig), "a/b"), lambda: store.path(URI), lambda: list(store.stored())):
        with pytest.raises(AssetError, match=r"refuses us \(.* 403\); check FARANDOLE_ASSETS_KEY") as caught:
            call()
        assert not isinstance(caught.value, AssetMissing)
        assert CANARY not in repr(caught.value)
        assert caught.value.__cause__ is None
    assert CANARY not in f"{store!r} {vars(store)!r} {vars(store._bucket)!r}"  # type: ignore[attr-defined]


def test_a_secret_that_is_replaced_in_its_file_is_taken(
    rig: ObjectRig, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart: the files are read anew from time to time."""
    monkeypatch.setattr(bucket, "_FRESH", timedelta(seconds=0))
    monkeypatch.delenv("FARANDOLE_ASSETS_SECRET")
    monkeypatch.setenv("FARANDOLE_ASSETS_SECRET_FILE", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("old\n")
    store = rig.open()
    with pytest.raises(AssetError, match="refuses us"):
        store.put(written(rig), "a/b")
    (tmp_path / "secret").write_text(f"{s3.secret}\n")
    assert store.put(written(rig), "a/b").uri == URI


def test_a_bucket_that_is_not_there_is_no_missing_content(rig: ObjectRig, tmp_path: Path) -> None:
    """Whoever reads, writes or lists is told to make it, or to name another."""
    store = open_assets(Whereabouts("s3://nobody-made-it/x", str(tmp_path / "cache")))
    for call in (lambda: store.put(written(rig), "a/b"), lambda: store.path(URI), lambda: list(store.stored())):
        with pytest.raises(AssetError, match="s3://nobody-made-it/x does not exist: make the bucket") as caught:
            call()
        assert not isinstance(caught.value, AssetMissing)


def test_an_object_that_changes_while_it_is_read_is_not_mixed(rig: ObjectRig) -> None:
    """What is left of it is not read, and the text says that it is tried again."""
    content = os.urandom(rig.large)
    asset = rig.open().put(written(rig, content), "a/b")
    at = Bucket(Address("s3", rig.s3.bucket, rig.prefix))
    found = at.head(f"sha256/{asset.sha256[:2]}/{asset.sha256[2:]}")
    assert found is not None
    reading = at.read(found)
    next(reading)
    rig.damage(asset.uri, os.urandom(rig.large))
    with pytest.raises(AssetError, match="changed while it was read"):
        next(reading)
    reading = at.read(found)
    obstore.delete(rig.raw(), found.key)
    with pytest.raises(AssetError, match="has lost an object while it was read"):
        next(reading)


def test_who_puts_waits_for_a_removal_that_is_at_work(rig: ObjectRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as its mark is there; then it is told. When the mark goes, the content is looked for again."""
    monkeypatch.setattr(objects, "_PATIENCE", 0.5)
    store, source = rig.open(), written(rig)
    mark = f"going/{DIGEST[:2]}/{DIGEST[2:]}/somebody"
    obstore.put(rig.raw(), mark, b"")
    with pytest.raises(AssetError, match=r"is being removed from .*; put it again"):
        store.put(source, "a/b")
    monkeypatch.setattr(objects, "_PATIENCE", 30.0)

    def removed() -> None:
        obstore.delete(rig.raw(), f"sha256/{DIGEST[:2]}/{DIGEST[2:]}")
        obstore.delete(rig.raw(), mark)

    removing = threading.Timer(0.5, removed)
    removing.start()
    store.put(source, "a/b")
    removing.join()
    assert rig.open().path(URI).read_bytes() == CONTENT


def test_the_mark_of_a_removal_that_nobody_is_at_holds_up_nobody_for_ever(rig: ObjectRig) -> None:
    """One that is older than any removal takes is passed over."""
    mark = f"going/{DIGEST[:2]}/{DIGEST[2:]}/dead"
    obstore.put(rig.raw(), mark, b"")
    if rig.s3.server is None:
        pytest.skip("the clock of a server that is not ours cannot be set")
    os.utime(rig.s3.server.data / rig.s3.bucket / rig.prefix / mark, (LONG_AGO, LONG_AGO))
    assert rig.open().put(written(rig), "a/b").uri == URI


@pytest.mark.usefixtures("impatient")
def test_a_removal_that_fails_leaves_its_mark(rig: ObjectRig, proxy: Proxy) -> None:
    """Nobody can tell whether the deletion is still on its way, so who puts the content has to wait."""
    store = rig.open()
    store.put(written(rig), "a/b")
    rig.age(URI)

    def cut() -> None:
        while proxy.count("^PUT .*/going/") == 0:
            time.sleep(0.001)
        proxy.cut = 0

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(AssetError):
        store.remove(URI, LONG_AGO + 10)
    cutting.join()
    proxy.cut = None
    assert [name.rpartition("/")[0] for name in rig.names("going")] == [f"going/{DIGEST[:2]}/{DIGEST[2:]}"]


def test_what_others_left_below_the_prefix_is_no_content(rig: ObjectRig) -> None:
    """It is not listed, and does not stop what is."""
    store = rig.open()
    asset = store.put(written(rig), "a/b")
    for name in ("sha256/readme.txt", "sha256/ab/short", "put/x/y", "elsewhere"):
        obstore.put(rig.raw(), name, b"x")
    assert [one.uri for one in store.stored()] == [asset.uri]
    assert asset_uri(DIGEST) == asset.uri
