"""The asset store in a bucket, which many machines may share.

    sha256/ab/cdef…        content, by its digest
    put/ab/cdef…           a note: when that was last put, and the ETag that it then had
    going/ab/cdef…/TOKEN   a removal that is at work

No lock is to be had in a bucket. So who removes writes a mark first and looks at the age then; who puts writes the
note first, looks for marks then, and for the content last. Whichever comes second sees the other, or what it did
(ADR 20).
"""

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from farandole.assets.bucket import Bucket
from farandole.assets.copies import Copies
from farandole.assets.files import Wanted, copy, corrupt, digest_of, readable, storing, write_all
from farandole.events.asset import Asset, asset_uri, is_asset_uri
from farandole.events.errors import AssetError, AssetMissing
from farandole.log.ports import Stored

_TICK = 1.0  # seconds in which stores tell time
_PROMPT = 30.0  # seconds from mark to deletion; who was stopped for longer gives up
_DEAD_AFTER = 3600.0  # seconds after which a mark is of nobody: longer than a deletion is tried, and clocks differ
_PATIENCE = 30.0  # seconds that a put waits for a removal to end
_LOOK = 0.2


class ObjectAssets:
    """Content in a bucket: an AssetStore. What it hands out are verified local copies.

    An object appears whole or not at all. What is there with the ETag that it was put with is not sent again.
    """

    def __init__(self, bucket: Bucket, copies: Copies) -> None:
        self._bucket, self._copies = bucket, copies

    def put(self, path: Path, media_type: str) -> Asset:
        """Store a file's content; returns when the store has acknowledged all of it. Idempotent.

        The content is copied first, so that what is sent is what was hashed; the copy serves who reads it here next.
        Raises BadInput where `path` is no readable regular file, AssetError where the store or the local folder cannot
        be written; then nobody sees any part of it.
        """
        with readable(path) as source, storing(path, self._copies.folder), self._copies.draft() as draft:
            file, name = draft
            copy(source, file)
            digest = digest_of(file)
            asset = Asset(uri=asset_uri(digest), size=file.tell(), media_type=media_type)
            self._send(asset, Path(name))
            self._copies.keep(draft, digest)
        return asset

    def path(self, asset: Asset | str) -> Path:
        """A local copy of the content, verified; it stays until it is released, or this process ends.

        Raises AssetMissing, AssetCorrupt, AssetError.
        """
        wanted = Wanted.of(asset)
        try:
            return self._copies.hold(wanted, lambda file: self._fetch(wanted, file))
        except OSError as error:
            raise AssetError(f"{wanted.uri} cannot be copied into {self._copies.folder}: {error.strerror}") from error

    def release(self, path: Path) -> None:
        """The copy may go when room is needed."""
        self._copies.release(path)

    def stored(self) -> Iterator[Stored]:
        """All content, as it is found while others go on."""
        put = {_digest(one.key): one.modified for one in self._bucket.list("put")}
        for one in self._bucket.list("sha256"):
            uri = asset_uri(digest := _digest(one.key))
            if is_asset_uri(uri):
                yield Stored(uri, one.size, max(one.modified, put.get(digest, 0.0)))

    def remove(self, uri: str, before: float) -> bool:
        """Remove content that nobody has put since a time (seconds, of the store's clock); whether it was.

        Raises AssetError; then nobody can tell, and for an hour whoever puts the content is told to try again.
        """
        digest = Wanted.of(uri).digest
        if not self._old(digest, before):
            return False
        mark = f"{_key('going', digest)}/{uuid.uuid4().hex}"
        self._bucket.write(mark, b"")
        marked = time.monotonic()
        old = self._old(digest, before) and time.monotonic() - marked < _PROMPT
        if old:
            self._bucket.delete(_key("sha256", digest))
            self._bucket.delete(_key("put", digest))
        self._bucket.delete(mark)  # last, and only here: after a failure a deletion may still be on its way
        return old

    def _old(self, digest: str, before: float) -> bool:
        """Whether it is there, and nobody has put it since."""
        found = self._bucket.head(_key("sha256", digest))
        if found is None:
            return False
        note = self._bucket.head(_key("put", digest))
        return max(found.modified, 0.0 if note is None else note.modified) + _TICK <= before

    def _send(self, asset: Asset, path: Path) -> None:
        """Returns when the content is there, young, and nobody is about to remove it.

        Looked for last: a removal that has come and gone meanwhile left no mark.
        """
        key, note = _key("sha256", asset.sha256), _key("put", asset.sha256)
        etag, sent = (self._bucket.read_small(note) or b"").decode(errors="replace"), False
        while True:
            if not etag:
                etag, sent = self._bucket.upload(key, path, asset.size), True
            self._bucket.write(note, etag.encode())
            self._await_removals(asset)
            found = self._bucket.head(key)
            if found is not None and found.size == asset.size and (sent or found.etag == etag):
                return
            etag = ""

    def _await_removals(self, asset: Asset) -> None:
        deadline = time.monotonic() + _PATIENCE
        while self._going(asset.sha256):
            if time.monotonic() > deadline:
                raise AssetError(f"{asset.uri} is being removed from {self._bucket.url}; put it again")
            time.sleep(_LOOK)

    def _going(self, digest: str) -> bool:
        marks = self._bucket.list(_key("going", digest))
        return any(time.time() - mark.modified < _DEAD_AFTER for mark in marks)

    def _fetch(self, wanted: Wanted, file: FileIO) -> None:
        key = _key("sha256", wanted.digest)
        found = self._bucket.head(key)
        if found is None:
            self._bucket.look()  # else a bucket that is not there would pass for content that is to come
            remedy = "put it there, or wait for it"
            raise AssetMissing(f"{wanted.uri} is not in the store {self._bucket.url}; {remedy}")
        if wanted.size not in (None, found.size):
            raise self._damaged(wanted, f"{found.size} bytes, not {wanted.size}")
        hashed = hashlib.sha256()
        for chunk in self._bucket.read(found):
            hashed.update(chunk)
            write_all(file, chunk)
        if hashed.hexdigest() != wanted.digest:
            raise self._damaged(wanted, f"digest {hashed.hexdigest()}")

    def _damaged(self, wanted: Wanted, how: str) -> AssetError:
        """With an empty note the content is sent again by whoever puts it next."""
        with suppress(AssetError):  # who may only read says no less
            self._bucket.write(_key("put", wanted.digest), b"")
        return corrupt(wanted.uri, f"{self._bucket.url}/{_key('sha256', wanted.digest)}", how)


def _key(kind: str, digest: str) -> str:
    return f"{kind}/{digest[:2]}/{digest[2:]}"


def _digest(key: str) -> str:
    return "".join(key.split("/")[1:])
