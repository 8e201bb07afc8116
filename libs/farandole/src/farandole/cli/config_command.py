"""`farandole config`: the settings in force, where each came from, and no secret."""

from typing import Any

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, rows
from farandole.config.redact import redacted_url


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(config)


def config(as_json: JsonOption = False, log: LogOption = None, config: ConfigOption = None) -> None:
    """Show the settings in force: flags over FARANDOLE_* over farandole.toml. Durations are seconds."""
    loaded = settings(config, log=log)
    shown = [(name, _plain(value), origin) for name, value, origin in loaded.values()]
    if as_json:
        found = [{"name": name, "value": value, "from": origin} for name, value, origin in shown]
        file = None if loaded.file is None else str(loaded.file)
        emit({"file": file, "settings": found, "ignored": list(loaded.ignored)})
        return
    line(f"file: {loaded.file or 'none; no farandole.toml here or above'}")
    rows(("SETTING", "VALUE", "FROM"), ((name, _told(value), origin) for name, value, origin in shown))
    for name in loaded.ignored:
        line(f"ignored: {name} (no setting has this name)")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return redacted_url(value)
    return value if value is None or isinstance(value, int | float) else str(value)


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
