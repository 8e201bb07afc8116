"""The settings that a step runs with, as its manifest tells them: without secrets, and of bounded length."""

import inspect
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json, to_jsonable_python
from pydantic_settings import BaseSettings

from farandole.runtime.declare import AnyStep, Service
from farandole.runtime.provide import Provided
from farandole.telemetry.redact import Hide, redacted

_LONGEST = 1000  # characters of one value as JSON; a manifest is read by everybody who starts


def configured(service: Service, step: AnyStep, provided: Provided) -> dict[str, Any]:
    """By settings class and field, what the step and the resources that it asks for are given.

    Raises ConfigError where a setting is missing or wrong.
    """
    found = {kind.__name__: provided.setting(kind) for kind in _kinds(service, step)}
    return {name: _told(settings, provided.secrets.hide) for name, settings in sorted(found.items())}


def _kinds(service: Service, step: AnyStep) -> Iterator[type[BaseSettings]]:
    yield from (kind for _, kind in step.signature.settings)
    asked = dict.fromkeys(step.signature.resources)
    seen: set[str] = set()
    while asked:
        name, _ = asked.popitem()
        seen.add(name)
        for parameter, hint in inspect.get_annotations(service.provided[name].open, eval_str=True).items():
            if isinstance(hint, type) and issubclass(hint, BaseSettings):
                yield hint
            elif parameter in service.provided and parameter not in seen:
                asked[parameter] = None


def _told(settings: object, hide: Hide) -> dict[str, Any]:
    if not isinstance(settings, BaseModel):
        return {}  # a test put something else in its place
    plain = redacted(settings.model_dump(), hide)
    return {name: _bounded(to_jsonable_python(value, fallback=str)) for name, value in plain.items()}


def _bounded(value: Any) -> Any:
    length = len(to_json(value))
    return value if length <= _LONGEST else f"… ({length} characters)"
