"""From `module:attribute` to a service that can run, with the capacity that the settings give its steps."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from farandole.config import Loaded
from farandole.config.near import or_else
from farandole.events.errors import BadInput, ConfigError
from farandole.fold import Topology
from farandole.runtime.declare import Service, with_capacity
from farandole.runtime.manifests import make_manifest
from farandole.runtime.remote import EXAMPLE
from farandole.targets import load_named

TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODULE:SERVICE…", help="Default: `services` in [up] of farandole.toml."),
]


def chosen_services(targets: list[str] | None, loaded: Loaded) -> list[Service]:
    """The services that a command is about. Raises BadInput where none is named, and as `load_services`."""
    chosen = targets or loaded.config.up.services
    if not chosen:
        place = loaded.file or "farandole.toml"
        raise BadInput(
            f"{place}: up.services: no services; name them, or write [up] services = ['tiling.steps:service']"
        )
    return [service for _, service in load_services(chosen, loaded)]


def topology_of(services: Iterable[Service]) -> Topology:
    """The topology that these services declare together, as they stand in code now."""
    now = time.time()
    return Topology.of(make_manifest(service, service.steps.values(), [], now) for service in services)


def load_services(targets: Iterable[str], loaded: Loaded) -> list[tuple[str, Service]]:
    """Each target with its service. Raises BadInput for what cannot be imported or is no service."""
    import_from(loaded)
    services = [(target, _load(target, loaded)) for target in dict.fromkeys(targets)]
    _check_names([service for _, service in services])
    return services


def import_from(loaded: Loaded) -> None:
    """The project's folders come first, so that targets are found without being installed."""
    folders = [*map(str, loaded.config.path), str(loaded.base)]
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]


def _load(target: str, loaded: Loaded) -> Service:
    """The service that a target names, its steps with the capacity that is configured. Raises BadInput."""
    service = load_named(target, Service, example=EXAMPLE)
    for name, capacity in loaded.config.step.get(service.name, {}).items():
        if name not in service.steps:
            place = f"step.{service.name}.{name}"
            raise ConfigError(
                f"{_origin(loaded, service.name, name)}: {place}: no such step{or_else(name, service.steps)}"
            )
        service.steps[name] = with_capacity(service.steps[name], **capacity.changes())
    return service


def _origin(loaded: Loaded, service: str, step: str) -> str:
    return next((o for keys, o in loaded.origins.items() if keys[:3] == ("step", service, step)), "settings")


def _check_names(services: Sequence[Service]) -> None:
    names = [service.name for service in services]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"service {name!r} is given twice; run each once a process")
