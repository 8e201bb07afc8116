"""The object store as the contract of asset stores wants it, on a real server."""

import os
import uuid
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from farandole.assets.bucket import PART
from farandole.assets.objects import ObjectAssets
from farandole.assets.open import Whereabouts, open_assets
from farandole.log.ports import AssetStore
from farandole.testing.asset_contract.rig import LONG_AGO
from scripts.s3 import S3


class ObjectRig:
    """A prefix of its own in the bucket; each handle has copies of its own, as if on another machine."""

    def __init__(self, s3: S3, folder: Path) -> None:
        self.s3, self.folder = s3, folder / "case"
        self.folder.mkdir()
        self._caches = folder / "caches"
        self.prefix = f"t/{uuid.uuid4().hex}"
        self.url = f"s3://{s3.bucket}/{self.prefix}"
        self.large = PART + (1 << 20)

    def whereabouts(self) -> Whereabouts:
        """With a folder for copies that is new."""
        return Whereabouts(self.url, str(self._caches / uuid.uuid4().hex))

    def open(self) -> AssetStore:
        store = open_assets(self.whereabouts())
        assert isinstance(store, ObjectAssets)
        return store

    def source(self) -> str:
        return (
            "from farandole.assets.open import Whereabouts, open_assets\n"
            f"store = open_assets(Whereabouts(*{tuple(self.whereabouts())!r}))"
        )

    def contents(self) -> list[str]:
        return sorted(name.removeprefix("sha256/").replace("/", "") for name in self.names("sha256"))

    def damage(self, uri: str, content: bytes) -> None:
        obstore.put(self.raw(), self._key("sha256", uri), content)

    def age(self, uri: str) -> None:
        if self.s3.server is None:
            pytest.skip("the clock of a server that is not ours cannot be set")
        for kind in ("sha256", "put"):
            os.utime(self.s3.server.data / self.s3.bucket / self.prefix / self._key(kind, uri), (LONG_AGO, LONG_AGO))

    def names(self, prefix: str | None = None) -> list[str]:
        """All objects, as anybody would list them."""
        return [one["path"] for some in obstore.list(self.raw(), prefix) for one in some]

    def raw(self) -> S3Store:
        """The same objects, without us in between."""
        return S3Store(
            self.s3.bucket,
            prefix=self.prefix,
            endpoint=self.s3.endpoint,
            region="us-east-1",
            access_key_id=self.s3.key,
            secret_access_key=self.s3.secret,
            client_options={"allow_http": True},
        )

    @staticmethod
    def _key(kind: str, uri: str) -> str:
        return f"{kind}/{uri[-64:-62]}/{uri[-62:]}"
