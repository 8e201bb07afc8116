"""Dead letters as they stand, and the words that tell a step to try one again or to let it go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic_core import to_json

from farandole.events.codec import encode
from farandole.events.edge import check_id
from farandole.events.envelope import Envelope
from farandole.events.errors import BadInput, NotFound
from farandole.events.facts import Place
from farandole.events.ids import content_id
from farandole.events.topics import inbox
from farandole.fold import Fold, Left, WorkflowState
from farandole.log.record import NewRecord
from farandole.runtime.commands import DISCARD, REDRIVE

Verb = Literal["redrive", "discard"]
_TYPES: dict[Verb, str] = {"redrive": REDRIVE, "discard": DISCARD}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery set aside. `reason` says in a word why, `error` what the last attempt said; `since` in seconds.

    `id`, `source`, `type`, `key`, `place`: of the event; of a closed group's delivery `group` stands instead.
    `partition`: of the step's inbox, where it is to be told; None where facts do not say.
    """

    delivery: str
    workflow: str
    step: str
    reason: str
    error: str
    attempt: int
    since: float
    source: str
    id: str
    type: str
    key: str | None
    place: Place | None
    group: str
    partition: int | None

    @property
    def service(self) -> str:
        """The service that set it aside."""
        return self.step.partition("/")[0]


def dead_letters(fold: Fold) -> list[DeadLetter]:
    """Every delivery that stands dead, the latest first."""
    found = [letter for state in _with_dead(fold) for letter in _of(state)]
    return sorted(found, key=lambda letter: (-letter.since, letter.delivery))


def _with_dead(fold: Fold) -> Iterator[WorkflowState]:
    for summary in fold.workflows():
        if any(count.dead for count in summary.steps.values()):
            state = fold.workflow(summary.workflow)
            if state is not None:
                yield state


def _of(state: WorkflowState) -> Iterator[DeadLetter]:
    places = {(event.source, event.id): event.place for event in state.events}
    for left in state.left:
        if left.kind == "dead":
            yield _letter(state.workflow, left, places.get((left.source, left.id)))


def _letter(workflow: str, left: Left, place: Place | None) -> DeadLetter:
    return DeadLetter(
        delivery=left.delivery,
        workflow=workflow,
        step=left.step,
        reason=left.reason,
        error=left.error,
        attempt=left.attempt,
        since=left.since,
        source=left.source,
        id=left.id,
        type=left.type,
        key=left.key,
        place=place,
        group=left.group,
        partition=left.partition,
    )


def choose(standing: Iterable[DeadLetter], name: str) -> DeadLetter:
    """The dead letter of this id, or of a unique prefix of one. Raises NotFound, BadInput."""
    check_id(name, "delivery")
    found = [letter for letter in standing if letter.delivery.startswith(name)]
    exact = [letter for letter in found if letter.delivery == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise BadInput(f"{name[:80]!r} means {len(found)} dead letters; write more of the delivery's id")
    raise NotFound(f"no dead letter {name[:80]!r}; `farandole dlq list` names those that there are")


def commands(letter: DeadLetter, verb: Verb, *, by: str, reason: str, partitions: int) -> list[NewRecord]:
    """The records that tell the step; where its partition is unknown, every one is told, and one of them knows."""
    service, _, step = letter.step.partition("/")
    data = to_json({"delivery": letter.delivery, "by": by, "reason": reason})
    # Derived from the death, not drawn: asking twice for the same death is asking once.
    event_id = content_id(f"{verb}/{letter.delivery}/{letter.attempt}".encode())
    envelope = Envelope(event_id, by, _TYPES[verb], 1, data, workflow=letter.workflow)
    parts = encode(envelope)
    numbers = range(partitions) if letter.partition is None else [letter.partition]
    return [NewRecord(inbox(service, step), parts.value, None, parts.headers, number) for number in numbers]
