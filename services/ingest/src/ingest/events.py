"""What ingest takes from outside and what it publishes: a scene that was received, and what became of it."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from farandole import Asset, Event
from ingest.sensors import Calibration, Role

SceneId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
"""Names a scene, and in the end the folder of its product."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]


class SceneReceived(Event, type="scene.received", key="scene_id"):
    """A scene lies ready to be read.

    `sensor`: a declared one, such as sentinel-2-l1c. `bands`: by the sensor's own names, a `file:` or `asset:`
    URI each; bands that nobody needs may be among them. `sha256`: the hex digest that a band must have, for
    those of which it is known. `acquired`: null where the time of acquisition is not known; `received` must
    then be given, for it bounds that time. `sun_elevation`: degrees above the horizon, null where not known.
    """

    scene_id: SceneId
    sensor: str
    bands: dict[str, str]
    sha256: dict[str, Sha256] = Field(default_factory=dict)
    acquired: AwareDatetime | None = None
    received: AwareDatetime | None = None
    sun_elevation: float | None = None


class Band(BaseModel, frozen=True, extra="forbid"):
    """The file of one band, and which role the band plays."""

    role: Role
    image: Asset


class Origin(BaseModel, frozen=True, extra="forbid"):
    """Where a product comes from: what its licence and its readers ask for.

    Where `acquired` is null, the acquisition lies between `not_before` and `not_after`.
    """

    sensor: str
    attribution: str
    licence_url: str
    acquired: AwareDatetime | None
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None


class SceneValidated(Event, type="scene.validated", key="scene_id"):
    """Every band that is needed is there, whole, and fits the others; `bands` in stacking order."""

    scene_id: str
    bands: list[Band]
    calibration: Calibration
    origin: Origin


class SceneRejected(Event, type="scene.rejected", key="scene_id", final=True):
    """The scene cannot be processed; `reason` is one sentence for people, naming the band where it is one's."""

    scene_id: str
    reason: str
