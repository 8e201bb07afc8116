"""Why a workflow is not complete: what each step waits for, who owes it, and how it comes that it is not there."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from farandole.fold import End, Left, Missing, Topology, WorkflowState

Lasted = Callable[[float], str]
_AT_MOST = 10  # members of a group that are followed to where they are


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is not there. `kind` as in `Left`, or where a member of a group ended.

    `step` owes it since `since` (seconds; 0.0: not known): an outcome for the event `id` of `type`. `attempt`: of
    the latest one; the next is due at `due`, None where none is. `error`: of the latest one. `moves`: by itself.
    """

    kind: str
    step: str
    type: str
    id: str
    key: str | None
    since: float
    attempt: int
    due: float | None
    error: str
    reason: str
    delivery: str
    moves: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """A step, and what it waits for. `types`: what would do (names), where it gathers a group or joins.

    `param`: of the step's signature, `index` the member; both empty where the step itself owes the outcome.
    `missing`: members that the group lacks, `present` those that it has.
    """

    step: str
    param: str
    index: int | None
    types: tuple[str, ...]
    group: str
    present: int
    missing: int
    causes: tuple[Cause, ...]


def waits(state: WorkflowState, topology: Topology, step: str | None = None) -> list[Wait]:
    """What keeps a workflow from being complete, in causal order; of one step (`service/step`, or its name) only."""
    told = {(left.step, left.id or left.group): left for left in state.left if left.kind != "group"}
    found: list[Wait] = []
    gathered: set[tuple[str, str]] = set()
    for left in state.left:
        if left.kind == "group":
            for wait in _of_group(left, topology, told):
                gathered.update((cause.step, cause.id) for cause in wait.causes if cause.id)
                found.append(wait)
    own = [_of_step(left) for left in state.left if left.kind != "group" and (left.step, left.id) not in gathered]
    return [wait for wait in (*own, *found) if step is None or _concerns(wait, step)]


def _concerns(wait: Wait, step: str) -> bool:
    names = {wait.step, *(cause.step for cause in wait.causes)}
    return any(step in (name, name.partition("/")[2], name.partition("/")[0]) for name in names)


def _of_step(left: Left) -> Wait:
    return Wait(left.step, "", None, (), left.group, left.present, left.missing, (_cause(left),))


def _of_group(left: Left, topology: Topology, told: dict[tuple[str, str], Left]) -> Iterator[Wait]:
    for member in left.members[:_AT_MOST]:
        types = _types(left.step, member, topology)
        causes = tuple(_cause_of(end, told) for end in member.ends)
        yield Wait(left.step, member.param, member.index, types, left.group, left.present, left.missing, causes)


def _types(step: str, member: Missing, topology: Topology) -> tuple[str, ...]:
    info = topology.steps.get(step)
    ports = info.contract.inputs if info is not None else []
    return next((tuple(dict.fromkeys(n for n, _ in port.types)) for port in ports if port.name == member.param), ())


def _cause_of(end: End, told: dict[tuple[str, str], Left]) -> Cause:
    left = told.get((end.step, end.id))
    if left is not None:
        return _cause(left)
    return Cause(end.kind, end.step, end.type, end.id, None, 0.0, 0, None, "", "", "", moves=False)


def _cause(left: Left) -> Cause:
    return Cause(
        left.kind,
        left.step,
        left.type,
        left.id,
        left.key,
        left.since,
        left.attempt,
        left.due,
        left.error,
        left.reason,
        left.delivery,
        left.moves,
    )


def sentences(found: Iterable[Wait], now: float, lasted: Lasted) -> Iterator[str]:
    """Each in words; `lasted` writes a number of seconds."""
    for wait in found:
        if not wait.param:
            yield from (f"{_subject(cause)} {_predicate(cause, now, lasted)}" for cause in wait.causes)
            continue
        what = " or ".join(wait.types) or wait.param
        place = "" if wait.index is None else f" as member {wait.index} of {wait.present + wait.missing}"
        reasons = "; ".join(_owed(cause, now, lasted) for cause in wait.causes) or "nothing of it was seen yet"
        yield f"{wait.step} waits for {what}{place}, {reasons}"


def _subject(cause: Cause) -> str:
    event = f"{cause.type} {cause.id}" if cause.id else "a group that is full"
    return f"{cause.step} owes an outcome for {event}" if cause.kind == "owed" else f"{cause.step}: {event}"


def _predicate(cause: Cause, now: float, lasted: Lasted) -> str:
    for_ = f"for {lasted(now - cause.since)}" if cause.since else ""
    if cause.kind == "owed":
        return for_
    if cause.kind == "unconsumed":
        return "is taken by no step"
    if cause.kind == "unread":
        return "has members that no fact has named yet"
    return _how(cause, now, lasted)


def _owed(cause: Cause, now: float, lasted: Lasted) -> str:
    since = f" for {lasted(now - cause.since)}" if cause.since else ""
    if cause.kind in ("owed", "retrying", "dead", "parked"):
        how = f"; {_how(cause, now, lasted)}" if cause.kind != "owed" else ""
        about = f" ({cause.type} {cause.key})" if cause.key is not None else ""
        return f"owed by {cause.step}{about}{since}{how}"
    if cause.kind == "group":
        return f"which is held in another open group, at {cause.step}"
    if cause.kind == "leaf":
        return f"but {cause.step} published nothing for {cause.type} {cause.id}"
    return f"but its way ended in {cause.type} {cause.id}, which {_ENDS.get(cause.kind, 'leads nowhere')}"


_ENDS = {"unconsumed": "no step takes", "final": "is final", "absent": "is an absence that no step takes"}


def _how(cause: Cause, now: float, lasted: Lasted) -> str:
    error = f": {cause.error}" if cause.error else ""
    if cause.kind == "retrying":
        due = cause.due or now
        when = f"in {lasted(due - now)}" if due > now else f"since {lasted(now - due)}"
        return f"attempt {cause.attempt + 1} is due {when}{error}"
    if cause.kind == "dead":
        return f"set aside ({cause.reason}) after attempt {cause.attempt}{error}; dead letter {cause.delivery}"
    return "held behind a dead letter of its order value"
