"""From `module:attribute` to a service that can run, with the capacity that the settings give its steps."""

import sys
from collections.abc import Iterable, Sequence

from farandole.config import Loaded
from farandole.config.near import or_else
from farandole.events.errors import ConfigError
from farandole.runtime.declare import Service, with_capacity
from farandole.runtime.remote import EXAMPLE
from farandole.targets import load_named


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
