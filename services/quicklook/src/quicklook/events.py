"""What quicklook needs of a mosaic, and the picture that it publishes."""

from farandole import Asset, Event


class SceneMosaicked(Event, type="scene.mosaicked", key="scene_id"):
    """A scene's tiles in one GeoTIFF."""

    scene_id: str
    image: Asset


class QuicklookRendered(Event, type="quicklook.rendered", key="scene_id"):
    """A scene can be looked at: a PNG, true colour beside classes, of `width` x `height` pixels."""

    scene_id: str
    quicklook: Asset
    width: int
    height: int
