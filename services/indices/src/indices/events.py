"""What indices needs of a masked tile, and the tile's share of the product that it publishes."""

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


class TileMasked(Event, type="tile.masked", key="tile_id"):
    """A tile of reflectance and its mask; `core`: (col_off, row_off, width, height) without the halo."""

    scene_id: str
    tile_id: str
    index: int
    reflectance: Asset
    mask: Asset
    core: tuple[int, int, int, int]
    scene: Scene


class TileIndexed(Event, type="tile.indexed", key="tile_id"):
    """A tile's share of the product is there: classes, indices and true colour of its core, int16."""

    scene_id: str
    tile_id: str
    index: int
    image: Asset
    scene: Scene
