"""What calibration needs of a tile, and the calibrated tile that it publishes."""

from pydantic import AwareDatetime, BaseModel

from farandole import Asset, Event


class Calibration(BaseModel, frozen=True, extra="forbid"):
    """How counts become reflectance: `(scale * DN + offset) / sin(sun_elevation)`, see `reflectance`."""

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


class Scene(BaseModel, frozen=True, extra="forbid"):
    """The scene that a tile is cut from; handed on as it came."""

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    tiles: int
    origin: Origin


class TileExtracted(Event, type="tile.extracted", key="tile_id"):
    """A tile of counts."""

    scene_id: str
    tile_id: str
    index: int
    image: Asset
    core: tuple[int, int, int, int]
    halo: int
    calibration: Calibration
    scene: Scene


class TileCalibrated(Event, type="tile.calibrated", key="tile_id"):
    """A tile's counts became float32 reflectance, NaN where there is no data; its bands keep their names."""

    scene_id: str
    tile_id: str
    index: int
    reflectance: Asset
    core: tuple[int, int, int, int]
    halo: int
    scene: Scene
