"""The JSON that `--json` prints: one shape a command, documented here, changed only by adding fields.

Times are RFC 3339 in UTC with milliseconds; durations are seconds; what is not known is null.

- `status`: {"workflows": [workflow…], "more", "age", "gaps"}, newest first; of one workflow also `left`. As of every
  question to the tables: `age`, null before they first lacked nothing; `gaps`: {"cut", "unknown", "undeclared": […]},
  offsets of the journal that were gone, facts that are not understood, steps that no manifest declares.
- `events`: {"workflow", "events": [event…]}, in causal order; with `--data` each with its `data`.
- `publish`: {"id", "source", "workflow", "topic", "partition", "offset"}; where it waited, also `status`, `left`.
- `dlq list`: {"dead_letters": [letter…]}, latest first; `dlq show`: one letter with `headers` and `value`.
- `dlq redrive`, `dlq discard`: {"asked": [{"delivery", "step", "workflow"}…]}.
- `topics`: {"topics": [{"topic", "partitions", "compacted", "spans": [{"partition", "start", "end"}…], "lag"}…]};
  offsets; `lag` by group. `topics apply`: {"changes": [{"topic", "action", "setting", "there", "wanted"}…], "applied"};
  `action` is create, set or by-hand (never done), the rest is text; `applied`: whether anything was done.
- `ps`: {"services": [{"service", "target", "host", "pid", "state", "restarts", "started", "steps"}…]}; `state` is
  starting, running, restarting, refused, stopped or gone; `steps`: the partitions that it leases, per step.
- `config`: {"file", "settings": [{"name", "value", "from"}…], "ignored": [variable…]}.
- `schemas export`: {"written": [{"type", "version", "revision", "path"}…]}.
- `schemas check`: {"problems": [text…], "warnings": [text…]}.
- `asset put`: {"uri", "size", "media_type"}, which is also how an asset stands in an event.
- `log backup`: {"log", "backup", "bytes"}; `log check`: {"log", "sound", "problems": [text…]}.
- `doctor`: {"log", "well", "findings": [{"check", "verdict", "said", "remedy"}…]}; `verdict` is ok, warn or fail;
  `well`: nothing fails.
- `new`: {"project", "folder", "files": [path…]}.
"""

from collections.abc import Iterable
from typing import Any

from farandole.cli.say import instant
from farandole.client import DeadLetter
from farandole.events.facts import Place
from farandole.fold import EventView, Left, Missing, StepCount, Summary, WorkflowState

Json = dict[str, Any]


def summary(found: Summary) -> Json:
    """workflow, status (complete, running, dead, waiting), moves, truncated, started, updated, inputs, steps."""
    return {
        "workflow": found.workflow,
        "status": found.status,
        "moves": found.moves,
        "truncated": found.truncated,
        "started": instant(found.started),
        "updated": instant(found.updated),
        "inputs": [{"source": v.source, "id": v.id, "type": v.type, "key": v.key} for v in found.inputs],
        "steps": {name: step(count) for name, count in found.steps.items()},
    }


def state(found: WorkflowState) -> Json:
    """As `summary`, with what is left."""
    return summary(found.summary) | {"left": [left(entry) for entry in found.left]}


def step(count: StepCount) -> Json:
    """Deliveries by how they stand, open groups, and the time that attempts took."""
    return {
        "waiting": count.waiting,
        "retrying": count.retrying,
        "parked": count.parked,
        "dead": count.dead,
        "held": count.held,
        "completed": count.completed,
        "discarded": count.discarded,
        "cancelled": count.cancelled,
        "gathering": count.gathering,
        "attempts": count.attempts,
        "seconds": round(count.seconds, 6),
        "longest": round(count.longest, 6),
    }


def left(entry: Left) -> Json:
    """One thing that keeps a workflow from being complete; see `farandole.fold.Left` for what each field says."""
    return {
        "kind": entry.kind,
        "step": entry.step,
        "moves": entry.moves,
        "since": instant(entry.since),
        "delivery": entry.delivery or None,
        "source": entry.source or None,
        "id": entry.id or None,
        "type": entry.type or None,
        "key": entry.key,
        "attempt": entry.attempt,
        "due": None if entry.due is None else instant(entry.due),
        "reason": entry.reason or None,
        "error": entry.error or None,
        "behind": entry.behind or None,
        "group": entry.group or None,
        "present": entry.present,
        "missing": entry.missing,
        "members": [missing(member) for member in entry.members],
    }


def missing(member: Missing) -> Json:
    """A member of a group that nothing settled, and where it was last seen."""
    return {
        "param": member.param,
        "index": member.index,
        "pending": member.pending,
        "ends": [{"kind": e.kind, "step": e.step or None, "type": e.type, "id": e.id} for e in member.ends],
    }


def event(view: EventView) -> Json:
    """One event; `place` is null where no fact tells it."""
    return {
        "id": view.id,
        "source": view.source,
        "type": view.type,
        "topic": view.topic,
        "key": view.key,
        "time": instant(view.time),
        "cause": view.cause or None,
        "scope": view.scope or None,
        "absent": view.absent,
        "pending": view.pending,
        "place": place(view.place),
    }


def letter(dead: DeadLetter) -> Json:
    """One dead letter."""
    return {
        "delivery": dead.delivery,
        "workflow": dead.workflow,
        "step": dead.step,
        "reason": dead.reason,
        "error": dead.error,
        "attempt": dead.attempt,
        "since": instant(dead.since),
        "source": dead.source or None,
        "id": dead.id or None,
        "type": dead.type or None,
        "key": dead.key,
        "place": place(dead.place),
        "group": dead.group or None,
    }


def asked(letters: Iterable[DeadLetter]) -> Json:
    """What was asked of which step."""
    return {"asked": [{"delivery": d.delivery, "step": d.step, "workflow": d.workflow} for d in letters]}


def place(found: Place | None) -> Json | None:
    """Where a record stands in the log."""
    return None if found is None else {"topic": found[0], "partition": found[1], "offset": found[2]}
