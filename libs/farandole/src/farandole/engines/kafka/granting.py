"""Rights under a namespace, as Kafka's access control lists name them; nothing here connects."""

import shlex
from typing import Literal, NamedTuple

from farandole.engines.kafka.names import Names
from farandole.log.care import Right

Pattern = Literal["literal", "prefixed"]


class Entry(NamedTuple):
    """The resource of a right: Kafka's name, or what names begin with. `*`, literal, is every name there is."""

    name: str
    pattern: Pattern


def entry(right: Right, names: Names) -> Entry:
    """Where it stands. Everything of a log without a namespace is everything of the cluster."""
    outer = names.outer(right.name)
    return Entry(outer or "*", "prefixed" if right.prefixed and outer else "literal")


def granting(right: Right, names: Names, principal: str) -> str:
    """The words by which `kafka-acls` gives it to a principal, such as `User:tiling`; quoted for a shell."""
    resource = entry(right, names)
    words = ["--add", "--allow-principal", principal]
    for operation in right.operations:
        words += ["--operation", operation.title().replace("_", "")]
    words += [f"--{right.kind}", resource.name, "--resource-pattern-type", resource.pattern]
    return shlex.join(words)
