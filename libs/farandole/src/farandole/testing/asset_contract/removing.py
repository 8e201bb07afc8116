"""Removing: what nobody has put for long goes, and never under the hands of who puts it."""

import time
from concurrent.futures import ThreadPoolExecutor

from farandole.events.errors import AssetMissing
from farandole.testing.asset_contract.given import CONTENT, DIGEST, URI, refused, written
from farandole.testing.asset_contract.rig import LONG_AGO, AssetRig, Case
from farandole.testing.contract.checks import expect, same

_ROUNDS = 40
LATER = LONG_AGO + 10


def what_is_there_is_listed_with_its_age(rig: AssetRig) -> None:
    """Name, size, and when it was last put, whoever put it."""
    same(list(rig.open().stored()), [], "an empty store")
    for content in (CONTENT, b"other"):
        rig.open().put(written(rig, content), "a/b")
    found = {one.uri: one for one in rig.open().stored()}
    same(sorted(one.size for one in found.values()), [5, 20], "sizes")
    expect(all(abs(one.put - time.time()) < 60 for one in found.values()), f"not put now: {found}")
    rig.age(URI)
    same([one.put for one in rig.open().stored() if one.uri == URI], [LONG_AGO], "the age")


def what_is_removed_is_gone_and_can_be_put_again(rig: AssetRig) -> None:
    """Once; and nothing else goes with it."""
    store, source = rig.open(), written(rig)
    store.put(source, "x/y")
    other = store.put(written(rig, b"other", "other"), "x/y")
    rig.age(URI)
    same([store.remove(URI, LONG_AGO), store.remove(URI, LATER)], [False, True], "too young, then old enough")
    same(rig.open().remove(URI, LATER), False, "what is gone")
    same([one.uri for one in store.stored()], [other.uri], "what is left")
    expect(DIGEST not in rig.contents(), "it is still there")
    refused(AssetMissing, rig.open().path, URI)
    same(rig.open().path(store.put(source, "x/y")).read_bytes(), CONTENT, "the content")


def putting_what_is_there_makes_it_young(rig: AssetRig) -> None:
    """It is not removed then, although its content did not change."""
    store, source = rig.open(), written(rig)
    store.put(source, "x/y")
    rig.age(URI)
    rig.open().put(source, "x/y")
    same(store.remove(URI, LATER), False, "what is young")
    same(rig.open().path(URI).read_bytes(), CONTENT, "the content")


def damaged_content_can_be_removed(rig: AssetRig) -> None:
    """Whatever its bytes are."""
    store = rig.open()
    store.put(written(rig), "x/y")
    rig.damage(URI, b"broken")
    rig.age(URI)
    same(store.remove(URI, LATER), True, "what is damaged")
    same(rig.contents(), [], "what is left")


def nothing_is_removed_between_being_found_and_being_put(rig: AssetRig) -> None:
    """Two at once, over and over: whoever has put content finds it; both ways of the race come up."""
    source = written(rig)
    putting, removing = rig.open(), rig.open()
    putting.put(source, "x/y")
    removed = 0
    with ThreadPoolExecutor(2) as threads:
        for number in range(_ROUNDS):
            rig.age(URI)
            taking = threads.submit(removing.remove, URI, LATER)
            time.sleep(number % 8 / 1000)
            threads.submit(putting.put, source, "x/y").result()
            removed += taking.result()
            same(rig.open().path(URI).read_bytes(), CONTENT, "what was put just now")
    expect(removed, "never were both at work at once")


CASES: tuple[Case, ...] = (
    what_is_there_is_listed_with_its_age,
    what_is_removed_is_gone_and_can_be_put_again,
    putting_what_is_there_makes_it_young,
    damaged_content_can_be_removed,
    nothing_is_removed_between_being_found_and_being_put,
)
