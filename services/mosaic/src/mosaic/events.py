"""What the mosaic needs of a scene's tiles, and the mosaic that it publishes."""

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
    """The scene that the tiles were cut from: its grid, and how many they were."""

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    tiles: int
    origin: Origin


class TileIndexed(Event, type="tile.indexed", key="tile_id"):
    """A tile's share of the product."""

    scene_id: str
    index: int
    tile_id: str
    image: Asset
    scene: Scene


class SceneMosaicked(Event, type="scene.mosaicked", key="scene_id"):
    """The tiles of a scene lie together again. `missing`: indices of those, of `tiles`, that did not come.

    The area of a missing tile is without data.
    """

    scene_id: str
    image: Asset
    tiles: int
    missing: list[int]
    origin: Origin
