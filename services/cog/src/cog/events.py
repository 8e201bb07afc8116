"""What cog needs of a mosaic, and the Cloud-Optimised GeoTIFF that it publishes."""

from pydantic import AwareDatetime, BaseModel

from farandole import Asset, Event


class Origin(BaseModel, frozen=True, extra="forbid"):
    """Where a product comes from; handed on as it came."""

    sensor: str
    attribution: str
    licence_url: str
    acquired: AwareDatetime | None
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None


class SceneMosaicked(Event, type="scene.mosaicked", key="scene_id"):
    """A scene's tiles in one GeoTIFF; what is missing is handed on as it came."""

    scene_id: str
    image: Asset
    tiles: int
    missing: list[int]
    origin: Origin


class CogWritten(Event, type="cog.written", key="scene_id"):
    """A scene's product is there as a Cloud-Optimised GeoTIFF that passed validation."""

    scene_id: str
    product: Asset
    tiles: int
    missing: list[int]
    origin: Origin
