"""What facts say was published, one by one; a fan-out's members are named by their index alone."""

from collections.abc import Iterator

from farandole.events.ids import Derivation, Parent
from farandole.testing.stories import Told

Output = tuple[str, Parent]
"""Topic, and the event's source and id."""


def outputs_of(told: Told) -> Iterator[Output]:
    """The outputs that a fact names, absences among them, in their order."""
    for out in told.fact.outputs:
        if "group" not in out:
            topic = out["type"] if "absent" in out else out["type"].rpartition(".v")[0]
            yield topic, Parent(told.step, out["id"])
            continue
        make_id = Derivation.of(told.delivery).event
        for index, _ in enumerate(out["keys"]):
            wire = out["types"][out["of"][index] if "of" in out else 0]
            yield wire.rpartition(".v")[0], Parent(told.step, make_id(out["slot"], out.get("start", 0) + index))
