"""Reads the settings: flags over the environment over the file, and which of them gave each value."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from farandole.assets.access import VARIABLES as ACCESS
from farandole.config.layers import Keys, Layer, blamed, merged, rebased
from farandole.config.model import NESTING, PREFIX, STORE_PASSWORD, STORE_PASSWORD_FILE, Capacity, Config
from farandole.config.near import did_you_mean, nearest
from farandole.config.tomlfile import find_file, read_toml
from farandole.engines.kafka.security import VARIABLES
from farandole.events.errors import ConfigError

FILE_VARIABLE = f"{PREFIX}CONFIG"
_ELSEWHERE = {FILE_VARIABLE, STORE_PASSWORD, STORE_PASSWORD_FILE, *VARIABLES, *ACCESS}
"""Read, but by others; what they hold may be a secret and is not shown."""
_OTHERS = [name.removeprefix(PREFIX).lower() for name in (*VARIABLES, *ACCESS)]


@dataclass(frozen=True)
class Loaded:
    """The settings in force. `file`: the `farandole.toml` that was read; `base`: where the project is.

    `origins`: where each value that was given came from. `ignored`: variables that look like settings of ours but
    are none.
    """

    config: Config
    file: Path | None
    base: Path
    origins: Mapping[Keys, str]
    ignored: tuple[str, ...] = ()

    def capacity(self, service: str, step: str) -> Capacity:
        """What is set for one step."""
        return self.config.step.get(service, {}).get(step, Capacity())

    def values(self) -> Iterator[tuple[str, Any, str]]:
        """Every setting as (dotted name, value, where it came from), in the model's order."""
        for keys, value in _leaves((), self.config):
            yield ".".join(keys), value, self.origins.get(keys, "default")


def load(flags: Mapping[str, Any] | None = None, *, file: Path | None = None, cwd: Path | None = None) -> Loaded:
    """Read the settings. `flags`: what the command line says, by field; None is not said.

    `file` (else what FARANDOLE_CONFIG names, else the nearest `farandole.toml` in `cwd` or above) must exist where
    it is named. Raises ConfigError naming file or variable, field and remedy.
    """
    here = Path.cwd() if cwd is None else cwd
    found = _file(file, here)
    base = here if found is None else found.parent
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environment, ignored = _environment()
    layers = [
        Layer("--{}", rebased(given, here)),
        Layer("", rebased(environment, here)),
        Layer("" if found is None else str(found), rebased({} if found is None else read_toml(found), base)),
    ]
    defaults = rebased({name: Config.model_fields[name].default for name in ("log", "assets", "schemas")}, base)
    try:
        config = Config(**merged([*layers, Layer("default", defaults)]))
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(e, layers) for e in error.errors(include_url=False))) from None
    origins = {keys: _origin(layer, keys) for layer in reversed(layers) for keys, _ in _leaves((), layer.values)}
    return Loaded(config, found, base, origins, tuple(ignored))


def _file(named: Path | None, here: Path) -> Path | None:
    if named is None and os.environ.get(FILE_VARIABLE):
        named = Path(os.environ[FILE_VARIABLE])
    return find_file(here) if named is None else Path(os.path.abspath(here / named))


def _environment() -> tuple[dict[str, Any], list[str]]:
    """What the environment sets, and which of its variables only look as if they did."""
    try:
        values = EnvSettingsSource(Config)()
    except SettingsError as error:
        raise ConfigError(f"{PREFIX}*: {error}") from None
    if isinstance(steps := values.get("step"), dict):  # a variable's name cannot hold the '-' of a step's
        values["step"] = {_dashed(s): _dashed_keys(inner) for s, inner in steps.items()}
    return values, _ignored()


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _dashed_keys(value: Any) -> Any:
    return {_dashed(name): inner for name, inner in value.items()} if isinstance(value, dict) else value


def _ignored() -> list[str]:
    """Variables that nothing reads. Raises ConfigError where one is likely a slip of the pen."""
    ignored = []
    for name in sorted(os.environ):
        field = name.upper().removeprefix(PREFIX).partition(NESTING)[0].lower()
        if not name.upper().startswith(PREFIX) or field in Config.model_fields or name in _ELSEWHERE:
            continue
        if meant := nearest(field, [*Config.model_fields, *_OTHERS]):
            raise ConfigError(f"environment: {name} is no setting; did you mean {PREFIX}{meant.upper()}?")
        ignored.append(name)
    return ignored


def _origin(layer: Layer, keys: Keys) -> str:
    if layer.origin == "":
        return PREFIX + NESTING.join(keys).upper().replace("-", "_")
    return layer.origin.format(keys[0].replace("_", "-"))


def _problem(error: ErrorDetails, layers: list[Layer]) -> str:
    keys = tuple(str(part) for part in error["loc"])
    layer = blamed(layers, keys)
    place = "settings" if layer is None else _origin(layer, keys)
    if layer is not None and layer.origin not in ("", "--{}"):
        place = f"{place}: {'.'.join(keys)}"
    if error["type"] == "extra_forbidden":
        return f"{place}: is no setting{did_you_mean(keys[-1], _siblings(keys))}"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def _siblings(keys: Keys) -> list[str]:
    """The names that may stand where the last of `keys` does."""
    if len(keys) == 1:
        return list(Config.model_fields)
    kind: type[BaseModel] = Capacity if keys[0] == "step" else type(Config.model_fields["up"].default)
    return list(kind.model_fields)


def _leaves(before: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
        if before and before[0] == "step":
            value = {name: inner for name, inner in value.items() if inner is not None}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves((*before, str(name)), inner)
    elif before:
        yield before, value
