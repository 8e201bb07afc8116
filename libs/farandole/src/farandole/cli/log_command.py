"""`farandole log`: a consistent copy of the embedded log, and whether it is sound."""

from pathlib import Path
from typing import Annotated

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line
from farandole.config import Loaded
from farandole.config.redact import redacted_url
from farandole.engines.open import sqlite_path
from farandole.engines.sqlite import maintain
from farandole.events.errors import BadInput, NotFound


def add(app: typer.Typer) -> None:
    """Add the commands."""
    log = typer.Typer(help="The embedded log's file: back it up, check it.", no_args_is_help=True)
    log.command("backup")(backup)
    log.command("check")(check)
    app.add_typer(log, name="log")


def backup(
    target: Annotated[Path, typer.Argument(help="The copy; it must not exist.")],
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy the log as it is at one moment, while services go on."""
    path = _path(settings(config, log=log))
    maintain.backup(path, target)
    size = target.stat().st_size
    emit({"log": str(path), "backup": str(target), "bytes": size}) if as_json else line(f"{target}: {size} bytes")


def check(as_json: JsonOption = False, log: LogOption = None, config: ConfigOption = None) -> int:
    """Read the whole log and say what is wrong with it; exit 1 where anything is."""
    path = _path(settings(config, log=log))
    problems = maintain.check(path)
    if as_json:
        emit({"log": str(path), "sound": not problems, "problems": problems})
    else:
        for problem in problems or [f"{path}: sound"]:
            line(problem)
    return Code.FAULT if problems else Code.DONE


def _path(loaded: Loaded) -> Path:
    path = sqlite_path(loaded.config.log)
    if path is None:
        raise BadInput(f"--log {redacted_url(loaded.config.log)}: only a sqlite:/// log has a file to look after")
    if not path.exists():
        raise NotFound(f"no log at {path}; name another with --log")
    return path
