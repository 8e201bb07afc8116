"""Puts and removals within one another: at each request of the one, the other is done as a whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farandole.assets.objects import ObjectAssets
from farandole.events.errors import AssetError
from farandole.testing.asset_contract.given import CONTENT, URI, written
from farandole.testing.asset_contract.removing import LATER
from scripts.s3 import S3
from tests.objects.rig import ObjectRig

pytestmark = pytest.mark.slow

REQUESTS = 8  # of either, and of what it does again


class Interrupted:
    """A bucket before whose n-th request, or after it, something is done."""

    def __init__(self, bucket: Any, at: int, deed: Callable[[], object]) -> None:
        self._bucket, self._left, self._deed = bucket, at, deed
        self.url = bucket.url

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._bucket, name)

        def call(*args: Any) -> Any:
            if self._left == 0:
                self._deed()
            self._left -= 1
            found = method(*args)
            return found if name in ("head", "read_small", "read", "upload", "write", "delete") else iter(list(found))

        return call


def interrupted(rig: ObjectRig, at: int, deed: Callable[[], object]) -> ObjectAssets:
    """A handle on the store."""
    store = rig.open()
    assert isinstance(store, ObjectAssets)
    store._bucket = Interrupted(store._bucket, at, deed)  # type: ignore[assignment]
    return store


@pytest.fixture
def rig(s3: S3, tmp_path: Path) -> ObjectRig:
    return ObjectRig(s3, tmp_path)


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("at", range(REQUESTS))
def test_a_removal_within_a_put_takes_nothing_from_it(rig: ObjectRig, at: int, damaged: bool) -> None:
    """Old content, whole or damaged, is removed at whatever point of the put: it is there when the put has returned."""
    source = written(rig)
    rig.open().put(source, "a/b")
    if damaged:
        rig.damage(URI, b"broken")
    rig.age(URI)
    done: list[bool] = []
    interrupted(rig, at, lambda: done.append(rig.open().remove(URI, LATER))).put(source, "a/b")
    assert rig.open().path(URI).read_bytes() == CONTENT
    assert done or (at > 3 and not damaged), "it was not met"
    assert rig.names("going") == []


@pytest.mark.parametrize("at", range(REQUESTS))
def test_a_put_within_a_removal_keeps_its_content(rig: ObjectRig, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the mark is written it is young; while the mark is there it waits, and is told to come again."""
    monkeypatch.setattr("farandole.assets.objects._PATIENCE", 0.0)
    source = written(rig)
    rig.open().put(source, "a/b")
    rig.age(URI)
    said: list[str] = []

    def come() -> None:
        try:
            said.append(rig.open().put(source, "a/b").uri)
        except AssetError as error:
            said.append(str(error))

    removed = interrupted(rig, at, come).remove(URI, LATER)
    [found] = said
    if found == URI:
        assert not removed
    else:
        assert "is being removed" in found
        rig.open().put(source, "a/b")
    assert rig.open().path(URI).read_bytes() == CONTENT
