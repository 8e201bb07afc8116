"""The JSON of `farandole lineage`; changed only by adding fields.

Of a workflow: {"workflow", "status", "truncated", "events": [event…], "makings": [making…], "settings": [settings…],
"age", "gaps"}, events in causal order. Of an asset: {"asset", "workflows": [{… as above, without age and gaps,
"carriers": [number…], "origins": [number…]}…], "age", "gaps"}, with only those events and makings that it came of (with
`--down`, and that came of it). Events, makings and settings are known by their `number`, which means nothing outside of
one answer; what a making took may stand outside of it. Times are RFC 3339 in UTC; what is not known is null.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from farandole.cli.say import instant
from farandole.events.ids import Parent
from farandole.events.manifest import Manifest
from farandole.fold import WorkflowState
from farandole_observe.questions.carried import Carried
from farandole_observe.questions.declared import Declared, declared
from farandole_observe.questions.lineage import Lineage, Made, Making

Json = dict[str, Any]
Assets = Mapping[Parent, Sequence[Carried] | None]
"""By event what it carries; None where the log does not keep its data any more."""


def lineage(
    found: Lineage, state: WorkflowState, assets: Assets, manifests: Mapping[str, Manifest], only: Collection[int]
) -> Json:
    """workflow, status, truncated, events, makings, settings; of the events whose numbers are in `only`."""
    settings: list[Json] = []
    told = [_making(n, found.makings[n], manifests, settings) for n in found.within(only)]
    return {
        "workflow": found.workflow,
        "status": state.status,
        "truncated": state.summary.truncated,
        "events": [_event(n, found.events[n], assets) for n in sorted(only)],
        "makings": told,
        "settings": settings,
    }


def _event(number: int, made: Made, assets: Assets) -> Json:
    """`role` is product, used or nowhere; `by` the making that gave it, null of an input; `assets` null where the log
    has dropped its data.
    """
    view, carried = made.view, assets.get(made.identity)
    return {
        "number": number,
        "source": view.source,
        "id": view.id,
        "type": view.type or None,
        "topic": view.topic,
        "key": view.key,
        "time": instant(view.time),
        "absent": view.absent,
        "pending": view.pending,
        "role": made.role,
        "by": made.by,
        "taken_by": [{"step": step, "state": state} for step, state in made.fates],
        "assets": None
        if carried is None
        else [{"uri": a.uri, "size": a.size, "media_type": a.media_type} for a in carried],
    }


def _making(number: int, making: Making, manifests: Mapping[str, Manifest], settings: list[Json]) -> Json:
    """A delivery: step, delivery, group, generation, state, took and gave (numbers of events), attempts, settings."""
    last, number_of_settings = making.last, None
    if last is not None:
        found = declared(manifests, making.step, last.version, last.started)
        number_of_settings = _number_of(settings, making.step, last.version, found)
    return {
        "number": number,
        "step": making.step,
        "delivery": making.delivery or None,
        "group": making.group or None,
        "generation": making.generation,
        "state": making.state,
        "took": list(making.took),
        "gave": list(making.gave),
        "attempts": [
            {
                "attempt": a.attempt,
                "version": a.version or None,
                "worker": a.worker or None,
                "started": instant(a.started),
                "finished": instant(a.finished),
                "ending": a.ending,
                "error": a.error or None,
            }
            for a in making.attempts
        ],
        "settings": number_of_settings,
    }


def _number_of(settings: list[Json], step: str, version: str, found: Declared | None) -> int:
    shape: Json = {"step": step, "version": version or None, "declared": None, "configured": None}
    if found is not None:
        c = found.contract
        said = {"runs": c.runs, "order_by": c.order_by, "timeout": c.timeout, "attempts": c.attempts}
        shape |= {"declared": said, "configured": found.configured}
    for one in settings:
        if {name: one[name] for name in shape} == shape:
            return int(one["number"])
    settings.append({"number": len(settings)} | shape)
    return len(settings) - 1
