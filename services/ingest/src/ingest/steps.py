"""The service: whether a received scene can be processed."""

from collections.abc import Iterator
from pathlib import Path

from farandole import Asset, Context, Resources, Retry, Service, Settings
from ingest.events import Band, Origin, SceneReceived, SceneRejected, SceneValidated
from ingest.jp2 import is_jpeg2000
from ingest.sensors import Sensor, load_sensors
from ingest.validation import RejectedScene, needed_bands, validate_scene

service = Service("ingest", version="0.1.0", accepts=[SceneReceived], resources=Resources(cpu="1", memory="512Mi"))


class IngestSettings(Settings, env_prefix="INGEST_"):
    """`INGEST_SENSORS`: a TOML file that declares further sensors, or replaces packaged ones."""

    sensors: Path | None = None


class Unsuitable(Exception):
    """What the scene says of itself rules it out; the text says why."""


@service.resource
def sensors(settings: IngestSettings) -> Iterator[dict[str, Sensor]]:
    """Every declared sensor by name."""
    yield load_sensors(settings.sensors)


# In a process of its own: it decodes files that strangers made, and a decoder that crashes or hangs on one of
# them must not take the service along.
@service.step(runs="process", concurrency=1, timeout="10m", retry=Retry(attempts=4, delay="1s"))
def validate(scene: SceneReceived, ctx: Context, sensors: dict[str, Sensor]) -> SceneValidated | SceneRejected:
    """Look at the bands that the sensor's declaration asks for; a refusal is an outcome, not an error."""
    try:
        return _validated(scene, ctx, sensors)
    except (RejectedScene, Unsuitable) as error:
        return SceneRejected(scene_id=scene.scene_id, reason=str(error))


def _validated(scene: SceneReceived, ctx: Context, sensors: dict[str, Sensor]) -> SceneValidated:
    sensor = sensors.get(scene.sensor)
    if sensor is None:
        raise Unsuitable(f"sensor {scene.sensor!r} is not declared; those are: {', '.join(sorted(sensors))}")
    try:
        calibration = sensor.calibration(scene.sun_elevation)
    except ValueError as error:
        raise Unsuitable(str(error)) from error
    origin = _origin(scene, sensor)
    needed = [name for name in needed_bands(sensor).values() if name in scene.bands]
    paths = {name: ctx.fetch(scene.bands[name]) for name in needed}
    facts = validate_scene(paths, sensor, sha256=scene.sha256)
    bands = [Band(role=band.role, image=_save(paths[band.name], ctx)) for band in facts]
    return SceneValidated(scene_id=scene.scene_id, bands=bands, calibration=calibration, origin=origin)


def _origin(scene: SceneReceived, sensor: Sensor) -> Origin:
    """What is known of the acquisition; where its time is not, what bounds it. Nothing is taken from the clock."""
    attribution = sensor.attribution_for(scene.acquired)
    if scene.acquired is not None:
        return Origin(
            sensor=sensor.title,
            attribution=attribution,
            licence_url=sensor.licence_url,
            acquired=scene.acquired,
        )
    earliest = sensor.not_before()
    if scene.received is None:
        raise Unsuitable("neither the time of acquisition nor that of receipt is known; give one of them")
    if scene.received < earliest:
        raise Unsuitable(f"was received at {scene.received}, but {sensor.title} operates since {earliest}")
    return Origin(
        sensor=sensor.title,
        attribution=attribution,
        licence_url=sensor.licence_url,
        acquired=None,
        not_before=earliest,
        not_after=scene.received,
    )


def _save(path: Path, ctx: Context) -> Asset:
    """The band as an asset of known type, wherever it was fetched from."""
    with path.open("rb") as file:
        start = file.read(12)
    return ctx.save(path, "image/jp2" if is_jpeg2000(start) else "image/tiff")
