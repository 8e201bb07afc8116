"""The data of `farandole.absent.v1`: for which type it stands, how many levels it lacks, whether it may still end."""

from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from farandole.events.envelope import Envelope


class Why(NamedTuple):
    """`pending`: a dead letter's; it fills its slot but closes nothing. `depth`: fan-outs that never happened."""

    depth: int = 0
    pending: bool = False
    reason: str = ""

    def data(self, stands_for: str) -> bytes:
        """The JSON of an absence of that type."""
        body: dict[str, Any] = {"for": stands_for}
        if self.depth:
            body["depth"] = self.depth
        if self.pending:
            body["pending"] = True
        if self.reason:
            body["reason"] = self.reason
        return to_json(body)


class Absence(NamedTuple):
    """An absence as read: the type's name that it stands for, and why."""

    stands_for: str
    why: Why


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, or an empty one where there is none."""
    try:
        body = from_json(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def read_absence(envelope: Envelope) -> Absence | None:
    """What an absence says; None where its data is not what the type promises."""
    body = json_object(envelope.data)
    name, depth = body.get("for"), body.get("depth", 0)
    if not isinstance(name, str) or not isinstance(depth, int) or not 0 <= depth <= 100:
        return None
    return Absence(name, Why(depth, body.get("pending") is True, str(body.get("reason", ""))))
