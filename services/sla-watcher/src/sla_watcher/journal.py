"""Reading Farandole's journal from outside: a CloudEvent in binary mode whose data is a JSON list of facts."""

import json
from collections.abc import Iterable
from typing import Any

from sla_watcher.tally import Attempt

TOPIC = "farandole.journal"
FACTS = "farandole.facts.v1"
_FAILED = {"retrying": True, "dead": True, "completed": False}  # every other fact ends no attempt


class NotFacts(Exception):
    """The record is none of the journal's that we can read."""


def is_facts(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Whether the headers of a record say that it holds facts."""
    return any(name.lower() == "ce_type" and value == FACTS.encode() for name, value in headers)


def attempts_of(data: bytes) -> list[Attempt]:
    """The attempts whose end the facts tell; facts and fields that we do not know are left out. Raises NotFacts."""
    try:
        facts = json.loads(data)
    except ValueError as error:
        raise NotFacts(f"no JSON: {error}") from error
    if not isinstance(facts, list):
        raise NotFacts("no list of facts")
    found = (_attempt(fact) for fact in facts if isinstance(fact, dict))
    return [attempt for attempt in found if attempt is not None]


def _attempt(fact: dict[str, Any]) -> Attempt | None:
    failed = _FAILED.get(str(fact.get("fact")))
    service, step = fact.get("service"), fact.get("step")
    if failed is None or not isinstance(service, str) or not isinstance(step, str):
        return None
    started, finished = fact.get("started"), fact.get("finished")
    timed = isinstance(started, int | float) and isinstance(finished, int | float) and started > 0
    if not timed:
        return Attempt(f"{service}/{step}", True, None) if failed else None
    seconds = max(0.0, float(finished) - float(started))  # type: ignore[arg-type]  # `timed` says that both are numbers
    if seconds == 0 and not failed:
        return None  # an absence was handed on: the step itself was not called
    return Attempt(f"{service}/{step}", failed, seconds)
