"""`farandole schemas`: write the contracts of services, and check that everyone keeps to them."""

from collections.abc import Iterable
from typing import Annotated

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, JsonOption, settings
from farandole.cli.say import emit, line, remark
from farandole.cli.services import TargetsArgument, chosen_services, topology_of
from farandole.config import Loaded
from farandole.events.compatibility import Published, View, gate
from farandole.events.event import Event
from farandole.events.schema import Change, Committed, export, load, pending, view_of
from farandole.fold import check_groups, check_types
from farandole.runtime.declare import Service

SchemasOption = Annotated[str | None, typer.Option("--schemas", metavar="FOLDER", help="Where the schemas stand.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    schemas = typer.Typer(help="The contracts between services: export them, check them.", no_args_is_help=True)
    schemas.command("export")(export_schemas)
    schemas.command("check")(check_schemas)
    app.add_typer(schemas, name="schemas")


def export_schemas(
    targets: TargetsArgument = None,
    schemas: SchemasOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the JSON Schema of every type that the services own; refuse what breaks with a committed one."""
    loaded = settings(config, schemas=schemas)
    services = chosen_services(targets, loaded)
    written = export([event for service in services for event in _owned(service)], loaded.config.schemas)
    if as_json:
        emit({"written": [_shape(c) for c in written]})
        return
    for change in written:
        line(f"{change.path}: {change.type} v{change.version}.{change.revision}")
    if not written:
        line(f"{loaded.config.schemas}: nothing new")


def check_schemas(
    targets: TargetsArgument = None,
    schemas: SchemasOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> int:
    """Check every consumer's view against every published version, and that no member of a group can get lost."""
    loaded = settings(config, schemas=schemas)
    services = chosen_services(targets, loaded)
    problems, warnings = _problems(services, loaded), _warnings(services)
    if as_json:
        emit({"problems": problems, "warnings": warnings})
    else:
        for text in problems:
            remark(text)
        for text in warnings:
            remark(f"warning: {text}")
        if not problems:
            keep = "service keeps" if len(services) == 1 else "services keep"
            line(f"{len(services)} {keep} to {loaded.config.schemas}")
    return Code.BAD_INPUT if problems else Code.DONE


def _shape(change: Change) -> dict[str, object]:
    return {
        "type": change.type,
        "version": change.version,
        "revision": change.revision,
        "path": str(change.path),
    }


def _owned(service: Service) -> list[type[Event]]:
    published = [event for step in service.steps.values() for event in step.signature.published]
    return list(dict.fromkeys([*published, *service.accepts]))


def _problems(services: list[Service], loaded: Loaded) -> list[str]:
    folder = loaded.config.schemas
    late = pending([event for service in services for event in _owned(service)], folder)
    problems = [f"{c.path} is not exported; run `farandole schemas export`, and commit it" for c in late]
    published = _published(services, load(folder))
    problems += [str(problem) for problem in gate(_views(services), published)]
    return problems + [problem.text for problem in check_groups(topology_of(services))]


def _warnings(services: list[Service]) -> list[str]:
    """Types that nobody takes or publishes: of some of the services only, that is no fault."""
    return [problem.text for problem in check_types(topology_of(services))]


def _views(services: Iterable[Service]) -> list[View]:
    taken = dict.fromkeys(
        (service.name, event)
        for service in services
        for step in service.steps.values()
        for event in step.signature.consumed
    )
    return [View(name, e.event_type.name, e.event_type.version, view_of(e)) for name, e in taken]


def _published(services: Iterable[Service], committed: Iterable[Committed]) -> list[Published]:
    owners = {event.event_type.name: service.name for service in services for event in _owned(service)}
    return [Published(owners.get(c.type, ""), c.type, c.version, c.revision, c.schema) for c in committed]
