"""`farandole lineage`: out of what, by which steps, versions and settings a product came about."""

import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings
from farandole.cli.say import emit, line, remark
from farandole.client.history import envelopes
from farandole.events.edge import check_id
from farandole.events.errors import NotFound
from farandole.events.ids import Parent
from farandole.fold import WorkflowState
from farandole.log.ports import Log
from farandole_observe.cli import lineage_shapes, lineage_text
from farandole_observe.cli.options import RebuildOption, StoreOption, ask_with_log, instant_of, say_age
from farandole_observe.questions.asking import Picture
from farandole_observe.questions.carried import SCHEME, Carried, Carrier, carried, carriers, check_asset
from farandole_observe.questions.layers import layers
from farandole_observe.questions.lineage import Lineage, lineage_of
from farandole_observe.questions.openlineage import run_events

_TELL_EVERY = 5.0  # seconds


def _checked(name: str) -> str:
    """Before anything is opened, or made."""
    return check_asset(name) if name.startswith(SCHEME) else check_id(name, "workflow")


@dataclass(frozen=True, slots=True)
class _Told:
    """A workflow's lineage, as far as it is wanted."""

    found: Lineage
    state: WorkflowState
    only: frozenset[int]
    assets: Mapping[Parent, tuple[Carried, ...] | None]


def lineage(
    product: Annotated[
        str,
        typer.Argument(
            metavar="ASSET|WORKFLOW",
            help="asset:sha256/ and its digits, of which 8 are enough; or a workflow, as the other commands take it.",
            callback=_checked,
        ),
    ],
    down: Annotated[bool, typer.Option("--down", help="Of an asset: also what was made of it.")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Of an asset: look only at events since then: RFC 3339, or '2h ago'."),
    ] = None,
    openlineage: Annotated[
        bool, typer.Option("--openlineage", help="As OpenLineage run events, one line of JSON each.")
    ] = False,
    namespace: Annotated[str, typer.Option(help="Of the jobs and datasets of OpenLineage.")] = "farandole",
    rebuild: RebuildOption = False,
    as_json: JsonOption = False,
    log: LogOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what a product was made of: events, assets, steps, versions and settings, back to the inputs."""
    start = 0.0 if since is None else instant_of(since)

    async def work(seen: Picture, opened: Log) -> None:
        if product.startswith(SCHEME):
            topics = sorted({name for name, _ in seen.topology.published})
            carrying = await carriers(opened, topics, product, since=start, tell=_Progress())
            if not carrying:
                raise NotFound(f"no event in the log carries {product}; retention may have removed those that did")
            told = [await _of_asset(seen, opened, name, carrying, down=down) for name in _workflows(carrying)]
        else:
            carrying, told = [], [await _of_workflow(seen, opened, product)]
        if openlineage:
            say_age(seen)  # its events have no place for it
            for one in told:
                for event in run_events(one.found, one.state, one.assets, seen.manifests, one.only, namespace):
                    emit(event)
        elif as_json:
            emit(_shape(seen, told, carrying))
        else:
            say_age(seen)
            _print(seen, told, carrying, down=down)

    ask_with_log(settings(config, log=log, store=store), work, rebuild=rebuild)


async def _of_workflow(seen: Picture, log: Log, name: str) -> _Told:
    workflow = await seen.workflow(await seen.find(name))
    found = lineage_of(workflow)
    return await _with_assets(seen.told(workflow), log, found, frozenset(range(len(found.events))))


async def _of_asset(seen: Picture, log: Log, name: str, carrying: list[Carrier], *, down: bool) -> _Told:
    workflow = await seen.workflow(name)
    found = lineage_of(workflow)
    start = _origins(found, _numbers(found, carrying))
    only = found.above(start) | found.below(start) if down else found.above(start)
    return await _with_assets(seen.told(workflow), log, found, only)


async def _with_assets(state: WorkflowState, log: Log, found: Lineage, only: frozenset[int]) -> _Told:
    """The data of its events, and of what they were made of, are read from the log, where it keeps them."""
    made = [found.events[n] for n in sorted(found.above(only))]
    there = [m for m in made if not m.view.absent]
    read = await envelopes(log, replace(state, events=tuple(m.view for m in there)))
    data = {m.identity: carried(e.data) if e.data else None for m, e in zip(there, read, strict=True)}
    return _Told(found, state, only, {m.identity: data.get(m.identity, ()) for m in made})


def _workflows(carrying: list[Carrier]) -> list[str]:
    return list(dict.fromkeys(carrier.workflow for carrier in carrying))


def _numbers(found: Lineage, carrying: list[Carrier]) -> list[int]:
    wanted = {Parent(c.source, c.id) for c in carrying if c.workflow == found.workflow}
    return [n for n, made in enumerate(found.events) if made.identity in wanted]


def _origins(found: Lineage, carrying: Collection[int]) -> list[int]:
    """Those that carry the asset first; the others hand it on."""
    handed = found.below(n for event in carrying for n in found.children(event))
    return [n for n in carrying if n not in handed]


def _shape(seen: Picture, told: list[_Told], carrying: list[Carrier]) -> lineage_shapes.Json:
    shapes = [lineage_shapes.lineage(t.found, t.state, t.assets, seen.manifests, t.only) for t in told]
    if not carrying:
        return shapes[0] | seen.standing
    for shape, one in zip(shapes, told, strict=True):
        numbers = _numbers(one.found, carrying)
        shape |= {"carriers": numbers, "origins": _origins(one.found, numbers)}
    return {"asset": carrying[0].asset, "workflows": shapes} | seen.standing


def _print(seen: Picture, told: list[_Told], carrying: list[Carrier], *, down: bool) -> None:
    for number, one in enumerate(told):
        found = one.found
        if number:
            line()
        if carrying:
            _say_carried(one, carrying)
            start = _origins(found, _numbers(found, carrying))
        else:
            line(f"workflow {found.workflow}: {one.state.status}")
            if not found.products:
                line("no product yet; this is what there is")
            start = list(found.products or found.tips)
        if one.state.summary.truncated:
            line("older history of this workflow is not in the log any more")
        lineage_text.tree(found, layers(found, start, found.parents), one.assets)
        if carrying and down:
            line()
            line("of which was made:")
            lineage_text.tree(found, layers(found, start, found.children), one.assets)
        lineage_text.settings(found, one.only, seen.manifests)
        if not carrying:
            lineage_text.nowhere(found)


def _say_carried(one: _Told, carrying: list[Carrier]) -> None:
    uri = carrying[0].asset
    known = (a for assets in one.assets.values() for a in assets or () if a.uri == uri)
    line(lineage_text.asset(next(known, Carried(uri, None, None))))
    numbers = _numbers(one.found, carrying)
    line(f"in workflow {one.found.workflow}, carried by {len(numbers)} of its events; came from:")


class _Progress:
    """How much of the topics was read, now and then, on stderr where that is a terminal."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _TELL_EVERY

    def __call__(self, read: int, whole: int) -> None:
        if sys.stderr.isatty() and time.monotonic() >= self._due:
            self._due = time.monotonic() + _TELL_EVERY
            remark(f"read {read} of {whole} events")
