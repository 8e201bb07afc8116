"""What stacking needs of a validated scene, and the stack that it publishes."""

from pydantic import AwareDatetime, BaseModel

from farandole import Asset, Event


class Calibration(BaseModel, frozen=True, extra="forbid"):
    """How counts become reflectance; of these only `nodata` matters here."""

    scale: float
    offset: float
    nodata: int
    sun_elevation: float | None


class Origin(BaseModel, frozen=True, extra="forbid"):
    """Where a product comes from; handed on as it came."""

    sensor: str
    attribution: str
    licence_url: str
    acquired: AwareDatetime | None
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None


class Band(BaseModel, frozen=True, extra="forbid"):
    """The file of one band, and which role the band plays."""

    role: str
    image: Asset


class SceneValidated(Event, type="scene.validated", key="scene_id"):
    """A scene whose bands are whole and fit each other; `bands` in stacking order, one of them red."""

    scene_id: str
    bands: list[Band]
    calibration: Calibration
    origin: Origin


class SceneStacked(Event, type="scene.stacked", key="scene_id"):
    """All bands of a scene lie on the red band's grid, in one GeoTIFF; `bands`: the role of each, in order."""

    scene_id: str
    image: Asset
    bands: list[str]
    calibration: Calibration
    origin: Origin
