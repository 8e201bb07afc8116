"""Reading: what is handed out has its digest and its length, or an error says what it has."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from farandole.events.asset import asset_uri
from farandole.events.errors import AssetCorrupt, AssetMissing, AssetRefused
from farandole.testing.asset_contract.given import CONTENT, DIGEST, URI, refused, written
from farandole.testing.asset_contract.rig import AssetRig, Case
from farandole.testing.contract.checks import expect, same


def content_that_is_not_there_is_missing(rig: AssetRig) -> None:
    """A retryable error that names it; and it is found once somebody has put it."""
    reader = rig.open()
    refused(AssetMissing, reader.path, URI, said=f"{URI} is not in the store")
    rig.open().put(written(rig), "a/b")
    same(reader.path(URI).read_bytes(), CONTENT, "the content")


def what_is_no_asset_uri_names_nothing(rig: AssetRig) -> None:
    """No text becomes a name in the store but 64 hex digits."""
    store = rig.open()
    for uri in ("", "asset:sha256/../../etc/passwd", asset_uri(DIGEST.upper()), asset_uri("a" * 63)):
        refused(AssetRefused, store.path, uri, said="no asset URI")
        refused(AssetRefused, store.remove, uri, 0.0, said="no asset URI")


def content_that_is_not_what_its_name_says_is_never_handed_out(rig: AssetRig) -> None:
    """Changed, torn, emptied or longer: refused, with and without the length."""
    store, source = rig.open(), written(rig)
    for damage in (b"twenty bytes, nearlY", b"twenty", b"", CONTENT + b"!"):
        asset = store.put(source, "a/b")
        rig.damage(asset.uri, damage)
        reader = rig.open()
        refused(AssetCorrupt, reader.path, asset, said=DIGEST)
        refused(AssetCorrupt, reader.path, asset.uri, said=DIGEST)


def a_length_that_does_not_fit_is_corrupt_although_the_digest_fits(rig: AssetRig) -> None:
    """The asset's length counts too; a URI alone has none."""
    store = rig.open()
    asset = store.put(written(rig), "a/b")
    wrong = asset.model_copy(update={"size": 21})
    for reader in (store, rig.open()):
        refused(AssetCorrupt, reader.path, wrong, said="20 bytes, not 21")
        same(reader.path(asset.uri).read_bytes(), CONTENT, "the content")


def putting_damaged_content_again_heals_it(rig: AssetRig) -> None:
    """A put is the remedy that the error names; whoever puts it need not know of the damage."""
    store, source = rig.open(), written(rig)
    asset = store.put(source, "a/b")
    rig.damage(asset.uri, b"twenty bytes, nearlY")
    refused(AssetCorrupt, rig.open().path, asset)
    same(store.put(source, "a/b"), asset, "the asset")
    same(rig.open().path(asset).read_bytes(), CONTENT, "the content")


def readers_never_see_part_of_content(rig: AssetRig) -> None:
    """While contents are put, another thread that looks for them finds nothing or the whole."""
    contents = [bytes([number]) * 300_000 for number in range(8)]
    uris = [asset_uri(hashlib.sha256(content).hexdigest()) for content in contents]
    looking, done, seen = rig.open(), threading.Event(), set[tuple[int, bytes]]()

    def look() -> None:
        while not done.is_set() or len(seen) < len(uris):
            for number, uri in enumerate(uris):
                with suppress(AssetMissing):
                    path = looking.path(uri)
                    seen.add((number, path.read_bytes()[-1:]))
                    looking.release(path)

    with ThreadPoolExecutor(1) as threads:
        reader = threads.submit(look)
        for number, content in enumerate(contents):
            rig.open().put(written(rig, content, f"source{number}"), "a/b")
        done.set()
        reader.result(timeout=60)
    same(seen, {(number, bytes([number])) for number in range(8)}, "what was seen")


def what_was_handed_out_stays_until_it_is_released(rig: AssetRig) -> None:
    """Each hand-out counts; a release of anything else does nothing."""
    store = rig.open()
    asset = store.put(written(rig), "a/b")
    first, second = store.path(asset), store.path(asset)
    store.release(first)
    store.release(rig.folder / "source")
    same(second.read_bytes(), CONTENT, "what is still held")
    store.release(second)
    store.release(second)
    same(store.path(asset).read_bytes(), CONTENT, "what is held again")
    expect((rig.folder / "source").exists(), "the source is gone")


CASES: tuple[Case, ...] = (
    content_that_is_not_there_is_missing,
    what_is_no_asset_uri_names_nothing,
    content_that_is_not_what_its_name_says_is_never_handed_out,
    a_length_that_does_not_fit_is_corrupt_although_the_digest_fits,
    putting_damaged_content_again_heals_it,
    readers_never_see_part_of_content,
    what_was_handed_out_stays_until_it_is_released,
)
