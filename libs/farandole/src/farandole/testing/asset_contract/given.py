"""What the cases of asset stores put, and how they expect a refusal."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from farandole.events.asset import asset_uri
from farandole.testing.asset_contract.rig import AssetRig
from farandole.testing.contract.checks import expect, same

CONTENT = b"twenty bytes, nearly"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
URI = asset_uri(DIGEST)


def written(rig: AssetRig, content: bytes = CONTENT, name: str = "source") -> Path:
    """A file with this content, in the case's folder."""
    path = rig.folder / name
    path.write_bytes(content)
    return path


def refused(kind: type[Exception], call: Callable[..., object], *args: object, said: str = "") -> None:
    """The call raises just this, and says that."""
    try:
        found = call(*args)
    except kind as error:
        same(type(error).__name__, kind.__name__, "the error")
        expect(said in str(error), f"{said!r} is not said: {error}")
        return
    raise AssertionError(f"returned {found!r}; it has to raise {kind.__name__}")
