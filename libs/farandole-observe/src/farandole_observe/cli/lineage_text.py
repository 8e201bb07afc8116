"""A lineage for people: a tree, what its steps were set to, and what led nowhere."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from farandole.cli.say import line, moment, rows
from farandole.events.manifest import Manifest
from farandole_observe.cli.lineage_shapes import Assets
from farandole_observe.questions.carried import Carried
from farandole_observe.questions.declared import Declared, declared
from farandole_observe.questions.layers import Layer
from farandole_observe.questions.lineage import Lineage, Made

_HEADER = ("EVENT", "KEY", "MADE BY", "AT", "WORKER", "ATTEMPTS", "ASSETS")
_DIGITS = 12  # of an asset's name, where it is one of several
_SHOWN = 3  # assets, or workers, of one line
_NOWHERE_SHOWN = 20


def tree(found: Lineage, shown: Iterable[Layer], assets: Assets) -> None:
    """One line a layer."""
    rows(_HEADER, (_row(found, layer, assets) for layer in shown))


def _row(found: Lineage, layer: Layer, assets: Assets) -> tuple[object, ...]:
    made = [found.events[n] for n in layer.events]
    several = f" ×{len(made)}" if len(made) > 1 else ""
    name = f"{'absent: ' if layer.absent else ''}{layer.type}{several}"
    label = "  " * layer.depth + ("└ " if layer.depth else "") + name
    keys = {m.view.key for m in made}
    key = next(iter(keys)) if len(keys) == 1 else f"{len(keys)} keys"
    if layer.again:
        return label, key, "see above", "", "", "", ""
    by = f"{layer.step} {layer.version}".strip() or _origin(made)
    ran = [a for n in dict.fromkeys(m.by for m in made if m.by is not None) for a in found.makings[n].attempts]
    workers = sorted({a.worker for a in ran if a.worker})
    first = min(m.view.time for m in made)
    return label, key, by, moment(first), _some(workers, "workers"), len(ran) or "", _assets(made, assets)


def _origin(made: Collection[Made]) -> str:
    """Of inputs: who published them, and as what."""
    texts = sorted(f"{m.view.source}, as {m.view.id}" for m in made)
    return texts[0] if len(texts) == 1 else f"{len(texts)} inputs"


def _some(texts: list[str], what: str) -> str:
    return " ".join(texts) if len(texts) <= _SHOWN else f"{len(texts)} {what}"


def _assets(made: Collection[Made], assets: Assets) -> str:
    known = [assets.get(m.identity) for m in made if not m.view.absent]
    uris = list(dict.fromkeys(a.uri for carried in known for a in carried or ()))
    gone = sum(carried is None for carried in known)
    dropped = ["the log has dropped the data" + (f" of {gone}" if len(known) > 1 else "")] if gone else []
    said = [_short(uri) for uri in uris] if len(uris) <= _SHOWN else [f"{len(uris)} assets"]
    return "; ".join([*([" ".join(said)] if uris else []), *dropped])


def _short(uri: str) -> str:
    scheme, _, digits = uri.rpartition("/")
    return f"{scheme}/{digits[:_DIGITS]}…"


def settings(found: Lineage, events: Collection[int], manifests: Mapping[str, Manifest]) -> None:
    """What made these events was configured with; and where that is not known."""
    told: dict[str, None] = {}
    for number in dict.fromkeys(found.events[n].by for n in sorted(events)):
        last = None if number is None else found.makings[number].last
        if number is not None and last is not None:
            step = found.makings[number].step
            told.update(dict.fromkeys(_said(step, last.version, declared(manifests, step, last.version, last.started))))
    if told:
        line()
    for text in told:
        line(text)


def _said(step: str, version: str, found: Declared | None) -> Iterator[str]:
    name = f"{step} {version}".strip()
    if found is None:
        yield f"{name}: its manifest is not in the log, so its settings are not known"
    elif found.configured is None:
        yield f"{name}: what it was configured with then is not known"
    elif found.configured:
        yield f"{name} was configured with {' '.join(_pairs(found.configured))}"


def _pairs(configured: dict[str, dict[str, Any]]) -> Iterator[str]:
    for kind, values in configured.items():
        yield from (f"{kind}.{name}={value}" for name, value in values.items())


def nowhere(found: Lineage) -> None:
    """Which events no product came of, and how each stands; where there is none yet, how the last events stand."""
    numbers = range(len(found.events)) if found.products else found.tips
    lost = [found.events[n] for n in numbers if found.events[n].role == "nowhere"]
    if not lost:
        return
    line()
    line("no product came of these:" if found.products else "how the last of them stand:")
    for made in lost[:_NOWHERE_SHOWN]:
        line(f"  {_fate(made)}")
    if len(lost) > _NOWHERE_SHOWN:
        line(f"  and {len(lost) - _NOWHERE_SHOWN} more; --json names them all")


def _fate(made: Made) -> str:
    view = made.view
    name = f"absence of {view.topic}" if view.absent else view.type
    fates = ", ".join(f"{step}: {state}" for step, state in made.fates) or "nobody takes it"
    return f"{name} {view.id}{'' if view.key is None else f' ({view.key})'}; {fates}"


def asset(one: Carried) -> str:
    """An asset, with what is known of it."""
    size = "" if one.size is None else f", {one.size} bytes"
    return f"{one.uri}{'' if one.media_type is None else f' {one.media_type}'}{size}"
