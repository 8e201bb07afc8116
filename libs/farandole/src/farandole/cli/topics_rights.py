"""`farandole topics rights`: what each service has to be allowed on a Kafka that asks; nobody is asked."""

from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, rows
from farandole.cli.services import TargetsArgument, chosen_services
from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.granting import entry, granting
from farandole.engines.kafka.names import Names
from farandole.events.errors import BadInput
from farandole.log.care import Right
from farandole.runtime.rights import rights


def show(
    targets: TargetsArgument = None,
    acls: Annotated[bool, typer.Option("--acls", help="As lines that give them: kafka-acls … --add.")] = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """List the rights that services need on Kafka, and no more than these; each service as a user of its own name.

    The names are those under the namespace of the log's URL. Nothing is connected to.
    """
    loaded = settings(config, log=log)
    if not loaded.config.log.lower().startswith("kafka:"):
        raise BadInput("--log: an embedded log knows of no rights; name a kafka:// log")
    address = read_address(loaded.config.log)
    names = Names(address.namespace)
    found = {service.name: rights(service) for service in chosen_services(targets, loaded)}
    if as_json:
        emit({"services": {name: [_shape(right, names) for right in of] for name, of in found.items()}})
    elif acls:
        for name, of in found.items():
            for right in of:
                line(f"kafka-acls --bootstrap-server {address.servers} {granting(right, names, f'User:{name}')}")
    else:
        header = ("SERVICE", "RESOURCE", "NAME", "PATTERN", "OPERATIONS")
        rows(header, (_row(name, right, names) for name, of in found.items() for right in of))


def _shape(right: Right, names: Names) -> dict[str, object]:
    """kind, name (as Kafka has it), pattern, operations."""
    name, pattern = entry(right, names)
    return {"kind": right.kind, "name": name, "pattern": pattern, "operations": list(right.operations)}


def _row(service: str, right: Right, names: Names) -> tuple[object, ...]:
    return service, right.kind, *entry(right, names), ", ".join(right.operations)
