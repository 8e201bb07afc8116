"""Opens what a service's steps ask for by name, settings and resources, once a process, and closes it after."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from farandole.events.errors import ConfigError, DeclarationError
from farandole.events.event import explain
from farandole.runtime.declare import AnyStep, Resource, Service
from farandole.telemetry.redact import Secrets


class Provided:
    """What was opened for one process: values by parameter name, per step."""

    def __init__(
        self, service: Service, replaced: Mapping[str, Any] | None = None, secrets: Secrets | None = None
    ) -> None:
        self._service = service
        self.secrets = secrets or Secrets()
        """Those of the settings that were read."""
        self._values: dict[str, Any] = dict(replaced or {})
        self._settings: dict[type[BaseSettings], BaseSettings] = {}
        self._stack = AsyncExitStack()

    async def open(self, steps: Iterable[AnyStep]) -> None:
        """Open the settings and resources that these steps take.

        Raises ConfigError for a setting that is missing or wrong (no service starts with it).
        """
        for step in steps:
            for _, kind in step.signature.settings:
                self.setting(kind)
            for name in step.signature.resources:
                await self._resource(name, ())

    def for_step(self, step: AnyStep) -> dict[str, Any]:
        """Values by parameter name."""
        values = {name: self._settings[kind] for name, kind in step.signature.settings}
        return values | {name: self._values[name] for name in step.signature.resources}

    async def close(self) -> None:
        """Close the resources, last opened first."""
        await self._stack.aclose()

    def setting(self, kind: type[BaseSettings]) -> BaseSettings:
        """The settings of a class, read once. Raises ConfigError."""
        if kind not in self._settings:
            replaced = self._values.get(kind.__name__)
            self._settings[kind] = replaced if replaced is not None else load_settings(kind, self._service.name)
            self.secrets.learn(self._settings[kind])
        return self._settings[kind]

    async def _resource(self, name: str, asking: tuple[str, ...]) -> Any:
        if name in self._values:
            return self._values[name]
        if name in asking:
            raise DeclarationError(f"service {self._service.name}: resources ask for each other: {asking}")
        resource = self._service.provided[name]
        arguments = {}
        for parameter, hint in inspect.get_annotations(resource.open, eval_str=True).items():
            if parameter == "return":
                continue
            if isinstance(hint, type) and issubclass(hint, BaseSettings):
                arguments[parameter] = self.setting(hint)
            else:
                arguments[parameter] = await self._resource(parameter, (*asking, name))
        self._values[name] = await self._enter(resource, arguments)
        return self._values[name]

    async def _enter(self, resource: Resource, arguments: dict[str, Any]) -> Any:
        opened: Callable[..., Any] = resource.open
        if inspect.isasyncgenfunction(opened):
            return await self._stack.enter_async_context(asynccontextmanager(opened)(**arguments))
        if inspect.isgeneratorfunction(opened):
            return self._stack.enter_context(contextmanager(opened)(**arguments))
        value = opened(**arguments)
        return await value if inspect.isawaitable(value) else value


def load_settings(kind: type[BaseSettings], service: str) -> BaseSettings:
    """Read a settings class from the environment. Raises ConfigError naming each field, never a value."""
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        raise ConfigError(
            f"service {service}: settings {kind.__name__}: {explain(error)}; set {prefix.upper()}<FIELD> in the "
            "environment (or <FIELD>_FILE naming a file that holds it)"
        ) from None
