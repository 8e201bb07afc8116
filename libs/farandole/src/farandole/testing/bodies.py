"""A service with other bodies: its contracts, policies and names as declared, what its steps do as a test wants."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from farandole.events.errors import ConfigError
from farandole.runtime.declare import Service


def with_bodies(service: Service, bodies: Mapping[str, Callable[..., Any]]) -> Service:
    """A copy of the service in which these functions, by the step's name, are called with the step's arguments.

    What a body gives is checked against the declared signature. Raises ConfigError for a step that is not there.
    """
    if strange := [name for name in bodies if name not in service.steps]:
        raise ConfigError(f"service {service.name} has no step {strange[0]!r}; it has {', '.join(service.steps)}")
    copy = Service(service.name, version=service.version, accepts=service.accepts, resources=service.resources)
    copy.provided = service.provided
    copy.steps = {name: replace(step, fn=bodies.get(name, step.fn)) for name, step in service.steps.items()}
    return copy
