"""The ten Earth-observation services and their input, for tests that run them together."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path

from farandole import Service
from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.events.facts import Fact
from farandole.runtime.context import Tools
from ingest.events import SceneReceived
from tests.support.plain_chain import Scene

NAMES = (
    "ingest",
    "stacking",
    "tiling",
    "calibration",
    "masking",
    "indices",
    "mosaic",
    "cog",
    "quicklook",
    "catalogue",
)

TILE_STEPS = ("calibration/calibrate", "masking/mask", "indices/index")


def services() -> list[Service]:
    """The services, in the order of the chain."""
    found: list[Service] = [import_module(f"{name}.steps").service for name in NAMES]
    return found


def tools(folder: Path, roots: Iterable[Path]) -> Tools:
    """An asset store below `folder`, and leave to read below `roots`."""
    store = LocalAssets(folder / "assets")
    return Tools(store, Resolver(store, list(roots)))


def received(
    scene: Scene, sensor: str = "sentinel-2-l1c", *, at: datetime | None = None, bands: Mapping[str, Path] | None = None
) -> SceneReceived:
    """The event that tells of a scene; `bands` take the place of some of its own."""
    paths = {**scene.bands, **(bands or {})}
    return SceneReceived(
        scene_id=scene.scene_id,
        sensor=sensor,
        bands={name: path.as_uri() for name, path in paths.items()},
        acquired=scene.acquired if isinstance(scene.acquired, datetime) else None,
        received=at,
        sun_elevation=scene.sun_elevation,
    )


def expected_endings(tiles: int) -> Counter[tuple[str, str]]:
    """How the deliveries of one scene end, by step and fact: one a scene, one a tile, members of groups held."""
    steps = ("ingest/validate", "stacking/stack", "tiling/extract", "mosaic/merge", "cog/write", "quicklook/render")
    counts = Counter({(step, "completed"): 1 for step in (*steps, "catalogue/shelve")})
    counts |= Counter({(step, "completed"): tiles for step in TILE_STEPS})
    return counts + Counter({("mosaic/merge", "held"): tiles, ("catalogue/shelve", "held"): 2})


def endings(facts: Iterable[Fact]) -> Counter[tuple[str, str, str]]:
    """How often each delivery (or member of a group) ended, by step, what was taken, and fact."""
    return Counter((f"{fact.service}/{fact.step}", _taken(fact), fact.fact) for fact in facts)


def _taken(fact: Fact) -> str:
    """What a fact is about: an event, or a closed group's delivery."""
    if fact.group is not None:
        return fact.group.delivery
    assert fact.event is not None
    return f"{fact.event.source} {fact.event.id}"
