"""The choreographies that several tests of the fold use."""

from collections.abc import Callable

from farandole.events.manifest import Manifest
from libs.farandole.tests.unit.fold.dance import Behaviour, Dance, Given, Retry, Terminal
from libs.farandole.tests.unit.fold.declared import fan, one, service, step, take
from libs.farandole.tests.unit.fold.model import Owed

EARTH_OBSERVATION = (
    service(
        "ingest",
        step("validate", take("scene", "scene.received"), gives=(one("scene.validated", "scene.rejected"),)),
        accepts=("scene.received",),
        final=("scene.rejected",),
    ),
    service("stacking", step("stack", take("scene", "scene.validated"), gives=(one("scene.stacked"),))),
    service("tiling", step("extract", take("scene", "scene.stacked"), gives=(fan("tile.extracted"),))),
    service("calibration", step("calibrate", take("tile", "tile.extracted"), gives=(one("tile.calibrated"),))),
    service("masking", step("mask", take("tile", "tile.calibrated"), gives=(one("tile.masked"),))),
    service("indices", step("index", take("tile", "tile.masked"), gives=(one("tile.indexed"),))),
    service("mosaic", step("merge", take("tiles", "tile.indexed", many=True), gives=(one("scene.mosaicked"),))),
    service("cog", step("write", take("scene", "scene.mosaicked"), gives=(one("cog.written"),))),
    service("quicklook", step("render", take("scene", "scene.mosaicked"), gives=(one("quicklook.rendered"),))),
    service(
        "catalogue",
        step("add", take("cog", "cog.written"), take("look", "quicklook.rendered"), gives=(one("product.catalogued"),)),
        final=("product.catalogued",),
    ),
)

NESTED = (
    service(
        "split",
        step("split", take("job", "job.given"), gives=(fan("part.cut", "part.odd"),)),
        step("split-again", take("part", "part.cut"), gives=(fan("crumb.cut"),)),
        accepts=("job.given",),
    ),
    service(
        "work",
        step("chew", take("crumb", "crumb.cut"), gives=(one("crumb.chewed", "crumb.refused"),)),
        step(
            "gather",
            take("crumbs", "crumb.chewed", "crumb.refused", many=True),
            gives=(one("part.done", optional=True),),
        ),
        step("even", take("part", "part.odd"), gives=(one("part.done", optional=True),)),
        step(
            "either",
            take("part", "part.done"),
            gives=(one("part.marked", "part.rejected"), one("part.noted", optional=True)),
        ),
    ),
    service(
        "close",
        step("mark", take("any", "part.marked", "part.rejected"), gives=(one("part.stamped"),)),
        step("pair", take("stamp", "part.stamped"), take("note", "part.noted"), gives=(one("part.paired"),)),
        step("all", take("parts", "part.paired", many=True), gives=(one("job.done"),)),
        final=("job.done",),
    ),
)
"""Nested fan-outs, either-of, refusals and absences inside groups, and a join whose side may be missing."""


def full_inside() -> tuple[Dance, str, float]:
    """A group that lacks a member, for an inner group that is full has no outcome; the workflow, and since when."""
    dance = Dance(
        service("a", step("split", take("job", "job"), gives=(fan("part", "done"),)), accepts=("job",)),
        service("b", step("again", take("part", "part"), gives=(fan("crumb"),))),
        service("c", step("gather", take("crumbs", "crumb", many=True), gives=(one("done"),))),
        service("d", step("all", take("parts", "done", many=True), gives=(one("end"),)), final=("end",)),
        behave={"a/split": lambda delivery, attempt: [["part", "done"]]},
    )
    workflow = dance.publish("job", "j1")
    while not any(delivery.group is not None for delivery in dance.queue):
        dance.settle(1)
    full, dance.queue = dance.now, [delivery for delivery in dance.queue if delivery.group is None]
    dance.settle()
    return dance, workflow, full


def flaky(*services: Manifest, seed: int, dying: float = 0.1) -> Dance:
    """Services whose attempts go well, fail, die, refuse, fan out to nothing or give nothing, by the seed."""
    dance = Dance(*services, seed=seed)
    dance.behave.update({name: _by_chance(dance, name, dying) for name in dance.steps})
    return dance


def _by_chance(dance: Dance, name: str, dying: float) -> Behaviour:
    slots = dance.steps[name].outputs
    rng = dance.rng

    def behave(delivery: Owed, attempt: int) -> Given:
        luck = rng.random()
        if luck < dying:
            raise Terminal("no luck")
        if luck < dying + 0.15:
            raise Retry(f"attempt {attempt} of {delivery.step}")
        given: Given = []
        for slot in slots:
            types = [name for name, _ in slot.types]
            if slot.many:
                given.append([rng.choice(types) for _ in range(rng.choice((0, 1, 2, 3, 7)))])
            else:
                given.append(None if slot.optional and rng.random() < 0.3 else rng.choice(types))
        return given

    return behave


def operate(dance: Dance, rounds: int = 6, choose: Callable[[Owed], bool] | None = None) -> None:
    """Settle; then redrive or discard every dead letter, until none is left; at the end all are discarded."""
    dance.settle()
    for n in range(rounds + 1):
        for delivery in list(dance.dead):
            redriven = choose(delivery) if choose is not None else dance.rng.random() < 0.5
            if redriven and n < rounds:
                dance.redrive(delivery)
            else:
                dance.discard(delivery)
        dance.settle()
        if not dance.dead:
            return
    while dance.dead:
        dance.discard(dance.dead[0])
        dance.settle()
