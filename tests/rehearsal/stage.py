"""One performance of a choreography under one seed: what is played, how rough it is, and what must hold after."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from farandole.events.errors import FarandoleError
from farandole.runtime.absence import read_absence
from farandole.runtime.declare import Service
from farandole.testing import Faults, History, Rehearsal, check
from tests.rehearsal import earth, orders

SEEDS = 200
_TIMERS = 60_000  # timers of one settling; undisturbed it needs some hundreds
_ROUNDS = 20
_OUTSIDE = ("cutting/cut", "cutting/print-slips", "closing/collect", "closing/close")  # in no group

Finals = dict[tuple[str, str, str], bytes | None]
"""Data by topic, source and id: everything that is visible in the end."""


@dataclass(frozen=True)
class Chain:
    """A choreography and what is done with it."""

    name: str
    services: Sequence[Service]
    play: Callable[[Rehearsal, str], None]
    variants: Sequence[str] = ("",)
    """What is played differs by these; a seed chooses one."""
    replaced: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Performance:
    """What came of it; `problems` is empty when all is well."""

    problems: list[str]
    happened: list[str]
    finals: Finals
    trace: str


def play_earth(r: Rehearsal, variant: str) -> None:
    """A scene, and one that is refused."""
    for name in ("berlin", "cloudy"):
        r.publish(earth.scene(f"{name}{variant}"))
    r.settle(timers=_TIMERS)


def play_orders(r: Rehearsal, variant: str) -> None:
    """All orders; then each dead letter is redriven or discarded, until none is left."""
    for number, order in enumerate(orders.ORDERS):
        r.publish(order, id=f"{variant}-{number}")
    r.settle(timers=_TIMERS)
    for _ in range(_ROUNDS):
        letters = sorted(r.dead_letters(), key=lambda letter: letter.delivery)
        if not letters:
            return
        let_go = [n for n in letters if n.step not in _OUTSIDE and int(n.delivery[3], 16) < 7]
        if let_go:
            r.discard(*let_go)
        if len(let_go) < len(letters):
            r.redrive(*(letter for letter in letters if letter not in let_go))
        r.settle(timers=_TIMERS)
    raise FarandoleError(f"after {_ROUNDS} rounds there are dead letters still")


CHAINS = {
    "earth": Chain("earth", earth.services(), play_earth, replaced=earth.REPLACED),
    "orders": Chain("orders", orders.SERVICES, play_orders, orders.SALTS),
}


def perform(chain: Chain, seed: int) -> Performance:
    """Play it under the seed's faults; then calm, and check everything."""
    faults, replicas = weather(seed)
    variant = chain.variants[seed % len(chain.variants)]
    try:
        with _opened(chain, seed=seed, faults=faults, replicas=replicas) as r:
            chain.play(r, variant)
            r.calm()
            r.settle(timers=_TIMERS)
            history, happened = r.history(), r.happened
    except Exception as error:
        return Performance([f"{type(error).__name__}: {error}"], [], {}, "")
    finals = finals_of(history)
    problems = [*check(history), *_differences(undisturbed(chain.name, variant), finals)]
    return Performance(problems, happened, finals, history.trace())


def _opened(chain: Chain, **more: Any) -> Rehearsal:
    return Rehearsal(*chain.services, replaced=chain.replaced, partitions=2, **more)


def weather(seed: int) -> tuple[Faults, int]:
    """How rough a seed is, and in how many processes each service runs: every seed is another mixture."""
    draw = random.Random(f"weather/{seed}")
    faults = Faults(
        crashes=draw.randint(0, 6),
        pauses=draw.randint(0, 2),
        expiries=draw.randint(0, 3),
        errors=draw.randint(0, 2),
        delays=draw.randint(0, 4),
        duplicates=draw.choice((0.0, 0.3, 0.6)),
        spread=draw.choice((100, 250, 500)),
    )
    return faults, draw.choice((1, 1, 1, 2))


@cache
def undisturbed(name: str, variant: str) -> Finals:
    """What a chain comes to when nothing befalls it."""
    chain = CHAINS[name]
    with _opened(chain) as r:
        chain.play(r, variant)
        history = r.history()
    if problems := check(history):
        raise AssertionError(f"undisturbed: {problems}")
    return finals_of(history)


def finals_of(history: History) -> Finals:
    """Everything visible, each once, but for absences of the dead, which do not last."""
    finals: Finals = {}
    for topic, records in history.events.items():
        for found in records:
            absence = read_absence(found.envelope) if found.envelope and found.envelope.is_absence else None
            if absence is None or not absence.why.pending:
                finals[topic, *found.identity] = found.record.value
    return finals


def command(chain: str, seed: int) -> str:
    """What replays one seed."""
    return f".venv/bin/python -m tests.rehearsal --chain {chain} --seed {seed}"


def _differences(expected: Finals, found: Finals) -> Iterator[str]:
    for output in expected.keys() | found.keys():
        if expected.get(output) != found.get(output):
            yield f"final: {output} is {found.get(output)!r}, undisturbed {expected.get(output)!r}"
