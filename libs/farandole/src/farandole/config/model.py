"""What can be set, with its defaults and limits; where a value comes from is not this module's business."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from farandole.assets.address import read_address as read_assets
from farandole.assets.open import CACHE_SIZE, Whereabouts
from farandole.events.durations import seconds
from farandole.events.errors import ConfigError
from farandole.telemetry.address import read_address
from farandole.telemetry.switch import OFF, destination

PREFIX = "FARANDOLE_"
NESTING = "__"
FILE_NAME = "farandole.toml"
STORE_PASSWORD = f"{PREFIX}STORE_PASSWORD"
STORE_PASSWORD_FILE = f"{STORE_PASSWORD}_FILE"
"""Environment: of the user in the store's URL; secrets, so no settings that are shown."""


def _seconds(value: Any) -> float:
    try:
        return seconds(value)
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2]) from None


def _address(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return value
    try:
        return str(read_address(value))
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2]) from None


def _split_paths(value: Any) -> Any:
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def _split_names(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _receiver(value: str) -> str:
    try:
        if value not in ("", OFF):
            destination(value)
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return value


def _assets(value: Any) -> Any:
    """A folder, or a URL that can be one of a store; checked, and left as it is."""
    if not isinstance(value, str | Path) or not str(value):
        return value
    try:
        read_assets(str(value))
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
    return str(value)


Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds; may be given as text such as "30s"."""
Where = Annotated[str, BeforeValidator(_address)]
"""`host:port`, or empty."""
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)]
"""Folders; in the environment separated as in PATH."""
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
"""In the environment separated by spaces or commas."""


class Capacity(BaseModel):
    """What may be said of a step from outside of its code; None: as the code says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    timeout: Duration | None = None
    attempts: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    def changes(self) -> dict[str, Any]:
        """What is set, by name."""
        return self.model_dump(exclude_none=True)


class Up(BaseModel):
    """What `farandole up` starts where it is not told: services as `module:attribute`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    services: Names = ()


class Config(BaseSettings):
    """All settings. Relative places in `farandole.toml` are relative to its folder.

    `log`: URL of the event log. `store`: URL of the tables that farandole-observe keeps; empty: beside an embedded
    log, in memory for any other. `archive`: folder of what `farandole log prune` took out of the log, which observers
    read with the rest. `assets`: the asset store, a folder or the URL of a bucket. `asset_cache`: folder of the local
    copies of what lies in a bucket; None: below `scratch`, or the system's folder for temporary files.
    `asset_cache_size`: bytes of it at most, beside what is in use; may be given as "10GiB". `roots`: folders whose
    files a `file:` URI may name. `scratch`: parent of the folders that attempts work in. `schemas`: folder of the
    exported schemas. `path`: folders that services are imported from, beside the project's own. `partitions`: of the
    topics that a service creates. `grace`: seconds that what runs is given to end when its service stops or scales
    out. `log_level` and `log_format`: of the log lines on stderr. `metrics`: where /metrics, /livez and /readyz are
    served; empty: nowhere. `stalled_after`: seconds that work may stand still until /livez says so. `traces`: URL of
    the receiver of traces, or "off"; empty: as OpenTelemetry's variables say. `trace_ratio`: the share of workflows
    that are traced; None: as these say, else all. `up`: what to start. `step`: by service and step, its capacity.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTING,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )
    log: str = "sqlite:///var/farandole/log.db"
    store: str = ""
    archive: Path | None = None
    assets: Annotated[str, Field(min_length=1), BeforeValidator(_assets)] = "var/farandole/assets"
    asset_cache: Path | None = None
    asset_cache_size: Annotated[ByteSize, Field(ge=0)] = ByteSize(CACHE_SIZE)
    roots: Paths = ()
    scratch: Path | None = None
    schemas: Path = Path("schemas")
    path: Paths = ()
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    grace: Duration = 30.0
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)] = "INFO"
    log_format: Literal["auto", "console", "json"] = "auto"
    metrics: Where = ""
    stalled_after: Annotated[Duration, Field(gt=0)] = 900.0
    traces: Annotated[str, AfterValidator(_receiver)] = ""
    trace_ratio: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    up: Up = Up()
    step: dict[str, dict[str, Capacity]] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load` reads the sources one by one, to know where each value came from."""
        return (init_settings,)

    @property
    def where_assets_lie(self) -> Whereabouts:
        """What opens the asset store."""
        cache = self.asset_cache
        if cache is None and self.scratch is not None:
            cache = self.scratch / "farandole-assets"
        return Whereabouts(self.assets, "" if cache is None else str(cache), self.asset_cache_size)

    @property
    def log_json(self) -> bool | None:
        """Whether log lines are JSON; None: where stderr is no terminal."""
        return None if self.log_format == "auto" else self.log_format == "json"
