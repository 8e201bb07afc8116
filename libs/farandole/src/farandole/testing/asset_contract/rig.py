"""`AssetRig`: what the contract suite needs beside the port, given by each store's tests; no store is named here."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from farandole.log.ports import AssetStore


class AssetRig(Protocol):
    """One fresh store, and what an outsider can do to it."""

    @property
    def folder(self) -> Path:
        """Empty, and the case's own."""
        ...

    @property
    def large(self) -> int:
        """Bytes that are surely not stored in one go."""
        ...

    def open(self) -> AssetStore:
        """Another handle on the same store, as a process on another machine would have."""
        ...

    def source(self) -> str:
        """Python that binds `store` to such a handle; it runs in another process."""
        ...

    def contents(self) -> list[str]:
        """The digests under which anything is found in the store, whatever it is."""
        ...

    def damage(self, uri: str, content: bytes) -> None:
        """Put other bytes in place of content, behind the store's back."""
        ...

    def age(self, uri: str) -> None:
        """It was put long ago: at LONG_AGO."""
        ...


LONG_AGO = 1e9  # seconds since the epoch

Case = Callable[[AssetRig], None]
"""One thing that every store must do; raises AssertionError where it does not."""
