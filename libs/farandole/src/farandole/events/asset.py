"""`Asset`: a name for content, never for a place; storing and fetching are the store's business."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

URI_PATTERN = r"^asset:sha256/[0-9a-f]{64}$"
_URI = re.compile(URI_PATTERN)


class Asset(BaseModel):
    """A reference to bytes by their SHA-256 (`asset:sha256/…`), with their length and media type."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    uri: Annotated[str, StringConstraints(pattern=URI_PATTERN)]
    size: Annotated[int, Field(ge=0)]
    media_type: str = "application/octet-stream"

    @property
    def sha256(self) -> str:
        """The content's digest, 64 hex digits."""
        return self.uri.rpartition("/")[2]


def asset_uri(sha256: str) -> str:
    """The URI that names the content with this digest."""
    return f"asset:sha256/{sha256}"


def is_asset_uri(uri: str) -> bool:
    """Whether `uri` names content of the asset store."""
    return _URI.fullmatch(uri) is not None
