"""What a step fetched is its own until its attempt ends, and no longer."""

from pathlib import Path

import pytest

from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.events.errors import AssetMissing, AssetRefused
from farandole.runtime.context import Context, Tools
from farandole.testing.asset_contract.given import CONTENT, URI


class Lending(LocalAssets):
    """The real store, which notes what comes back."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.released: list[Path] = []

    def release(self, path: Path) -> None:
        self.released.append(path)


@pytest.fixture
def store(tmp_path: Path) -> Lending:
    return Lending(tmp_path / "store")


@pytest.fixture
def ctx(store: Lending) -> Context:
    return Context(workflow="w", delivery="d", tools=Tools(store, Resolver(store)))


def test_what_was_fetched_is_let_go_when_the_attempt_ends(ctx: Context, store: Lending, tmp_path: Path) -> None:
    """As often as it was fetched, and once; what could not be fetched is not."""
    (tmp_path / "file").write_bytes(CONTENT)
    with pytest.raises(AssetMissing):
        ctx.fetch(URI)
    asset = ctx.save(tmp_path / "file")
    paths = [ctx.fetch(asset), ctx.fetch(asset.uri)]
    assert store.released == []
    ctx.clean()
    assert sorted(store.released) == sorted(paths)
    ctx.clean()
    assert len(store.released) == 2


def test_without_a_store_the_remedy_is_said(tmp_path: Path) -> None:
    """For reading and for writing."""
    bare = Context(workflow="w", delivery="d")
    for call in (lambda: bare.fetch(URI), lambda: bare.save(tmp_path / "file")):
        with pytest.raises(AssetRefused, match="set FARANDOLE_ASSETS to a folder or the URL of a bucket"):
            call()
