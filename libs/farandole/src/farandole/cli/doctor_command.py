"""`farandole doctor`: whether the log is well, and what to do where it is not."""

import asyncio
from typing import Annotated

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, rows
from farandole.cli.services import load_services
from farandole.config.redact import redacted_url
from farandole.engines.keep import examine
from farandole.runtime.ground import kinds
from farandole.runtime.rights import rights


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODULE:SERVICE…", help="Whether this user has the rights that these need (kafka:)."),
    ] = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> int:
    """Check the log and what it lies on; nothing is written. Exit 1 where anything fails."""
    loaded = settings(config, log=log)
    url = loaded.config.log
    services = [service for _, service in load_services(targets, loaded)] if targets else []
    wanted = [right for service in services for right in rights(service)]
    findings = asyncio.run(examine(url, kinds, wanted or None))
    failed = sum(finding.verdict == "fail" for finding in findings)
    if as_json:
        shown = [finding._asdict() for finding in findings]
        emit({"log": redacted_url(url), "well": not failed, "findings": shown})
    else:
        rows(("CHECK", "VERDICT", "FOUND", "WHAT TO DO"), findings)
        warned = sum(finding.verdict == "warn" for finding in findings)
        line(f"{failed} fail, {warned} warn")
    return Code.FAULT if failed else Code.DONE
