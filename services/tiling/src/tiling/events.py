"""What tiling needs of a stacked scene, and the tiles that it publishes."""

from pydantic import AwareDatetime, BaseModel

from farandole import Asset, Event


class Calibration(BaseModel, frozen=True, extra="forbid"):
    """How counts become reflectance; handed on as it came."""

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
    """What every tile says of the scene that it is cut from, for whoever lays the tiles together again.

    Size in pixels, the affine transform (a, b, c, d, e, f), and into how many tiles it was cut.
    """

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    tiles: int
    origin: Origin


class SceneStacked(Event, type="scene.stacked", key="scene_id"):
    """A scene in one GeoTIFF; `bands`: the role of each of its bands, in order."""

    scene_id: str
    image: Asset
    bands: list[str]
    calibration: Calibration
    origin: Origin


class TileExtracted(Event, type="tile.extracted", key="tile_id"):
    """A tile was cut out, with `halo` pixels of its neighbours on every side where the scene goes on.

    `index` counts row by row; `core` is (col_off, row_off, width, height) of what the tile answers for, in
    pixels of its own image, whose bands are named by their roles.
    """

    scene_id: str
    tile_id: str
    index: int
    image: Asset
    core: tuple[int, int, int, int]
    halo: int
    calibration: Calibration
    scene: Scene
