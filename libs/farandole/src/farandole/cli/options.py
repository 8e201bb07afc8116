"""What many commands share: their common options, the settings in force, and a client on the log."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from farandole.client import AsyncClient
from farandole.config import Loaded, load
from farandole.config.redact import redacted_url
from farandole.engines.open import sqlite_path
from farandole.events.errors import NotFound

T = TypeVar("T")

LogOption = Annotated[
    str | None, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:///var/log.db.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings; default: the nearest farandole.toml."),
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="[HOST:]PORT", help="Serve /metrics, /livez and /readyz there; 0: any free port."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One line of JSON instead of text.")]
WorkflowArgument = Annotated[
    str, typer.Argument(help="A workflow's id, a unique prefix of it, its input's id, or type:key of its input.")
]


def settings(config: Path | None = None, **flags: Any) -> Loaded:
    """The settings in force. Raises ConfigError."""
    return load(flags, file=config)


def with_client(loaded: Loaded, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Run `work` with a client on the log that the settings name. Raises NotFound where there is no such log."""
    existing_log(loaded)

    async def run() -> T:
        async with AsyncClient(loaded.config.log, schemas=_contracts(loaded)) as client:
            return await work(client)

    return asyncio.run(run())


def existing_log(loaded: Loaded) -> None:
    """Raises NotFound where the settings name an embedded log that is not there."""
    path = sqlite_path(loaded.config.log)
    if path is not None and not path.exists():
        raise NotFound(f"no log at {path}; name another with --log, or start a service, which makes it (farandole up)")


def _contracts(loaded: Loaded) -> Path | None:
    return loaded.config.schemas if loaded.config.schemas.is_dir() else None


def again(command: str, loaded: Loaded) -> str:
    """A command line that works where this one did, without secrets."""
    origin = loaded.origins.get(("log",), "")
    where = f" --log {redacted_url(loaded.config.log)}" if origin == "--log" else ""
    return f"farandole {command}{where}"


def who() -> str:
    """Whom a command is attributed to."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid-{os.getuid()}"
