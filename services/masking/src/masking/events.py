"""What masking needs of a calibrated tile, and the masked tile that it publishes."""

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


class Scene(BaseModel, frozen=True, extra="forbid"):
    """The scene that a tile is cut from; handed on as it came."""

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    tiles: int
    origin: Origin


class TileCalibrated(Event, type="tile.calibrated", key="tile_id"):
    """A tile of reflectance, with `halo` pixels of its neighbours around its core."""

    scene_id: str
    tile_id: str
    index: int
    reflectance: Asset
    core: tuple[int, int, int, int]
    halo: int
    scene: Scene


class TileMasked(Event, type="tile.masked", key="tile_id"):
    """A tile's clouds were marked; `mask`: 0 clear, 1 cloud, 255 no data, on the grid of `reflectance`."""

    scene_id: str
    tile_id: str
    index: int
    reflectance: Asset
    mask: Asset
    core: tuple[int, int, int, int]
    scene: Scene
