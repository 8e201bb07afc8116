"""What the tables answer: which workflow a name means, why it is not complete, what is stuck, when what happened."""

from dataclasses import replace

import pytest

from farandole.events.errors import BadInput, NotFound
from farandole.fold import Topology
from farandole_observe.questions import drawing
from farandole_observe.questions.explaining import sentences, waits
from farandole_observe.questions.instants import read_instant
from farandole_observe.questions.rates import rates
from farandole_observe.questions.stuck import stuck
from farandole_observe.questions.summaries import Filter, count, summaries
from farandole_observe.questions.timing import bars
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, full_inside
from libs.farandole.tests.unit.fold.dance import Dance, Given, Retry, Terminal
from libs.farandole.tests.unit.fold.model import Owed
from tests.observe.given import asked, full_group


def _one_tile_dies(members: int = 3) -> tuple[Dance, str]:
    """A scene whose second tile is refused by the step that computes indices."""
    dance = Dance(*EARTH_OBSERVATION, members=members)

    def behave(delivery: Owed, attempt: int) -> Given:
        if delivery.event is not None and delivery.event.scope[-1].index == 1 and not dance.dead and attempt == 1:
            raise Terminal("no light")
        return ["tile.indexed"]

    dance.behave["indices/index"] = behave
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    return dance, workflow


async def test_a_dead_tile_is_named_by_the_group_that_waits_for_it_until_it_is_redriven() -> None:
    """Which member, where it ended, why, and which dead letter has to be mended."""
    dance, workflow = _one_tile_dies()
    async with asked(dance) as seen:
        found = waits(await seen.state(workflow), seen.topology, "mosaic/merge")
        (wait,) = found
        (cause,) = wait.causes
        assert (wait.step, wait.param, wait.index, wait.types) == ("mosaic/merge", "tiles", 1, ("tile.indexed",))
        assert (cause.kind, cause.step, cause.reason) == ("dead", "indices/index", "terminal")
        (text,) = sentences(found, seen.now, lambda seconds: f"{seconds:.0f}s")
        assert "mosaic/merge waits for tile.indexed as member 1 of 3, owed by indices/index" in text
        assert "Terminal: no light" in text
        assert cause.delivery in text
        kinds = {(entry.kind, entry.step) for entry in await stuck(seen, None, 20)}
        assert kinds == {("dead", "indices/index"), ("group", "mosaic/merge")}
    dance.redrive(dance.dead[0])
    dance.settle()
    async with asked(dance) as seen:
        assert (await seen.state(workflow)).status == "complete"
        assert waits(await seen.state(workflow), seen.topology) == []
        assert await stuck(seen, None, 20) == []


async def test_a_join_says_which_event_it_waits_for_who_owes_it_and_when_the_next_attempt_is_due() -> None:
    """As a person would say it."""
    dance = Dance(*EARTH_OBSERVATION, members=2)

    def behave(delivery: Owed, attempt: int) -> Given:
        raise Retry("no route to host")

    dance.behave["quicklook/render"] = behave
    workflow = dance.publish("scene.received", "s1")
    while not any(d.step == "quicklook/render" and d.retrying for d in dance.queue):
        dance.settle(1)
    dance.queue = [d for d in dance.queue if d.step != "quicklook/render"]
    dance.settle()
    async with asked(dance, now=dance.now) as seen:
        (text,) = sentences(waits(await seen.state(workflow), seen.topology), seen.now, lambda s: f"{s:.0f}s")
        assert text.startswith("catalogue/add waits for quicklook.rendered, owed by quicklook/render for ")
        assert "; attempt 2 is due in " in text
        assert text.endswith(": Retry: no route to host")


async def test_a_workflow_is_found_by_its_id_a_prefix_its_inputs_id_or_type_and_key() -> None:
    """And by nothing that means several."""
    dance = Dance(*EARTH_OBSERVATION, members=1)
    workflows = [dance.publish("scene.received", f"s{n}", key=f"k{n}") for n in range(3)]
    dance.publish("scene.received", "other", key="k0")
    dance.settle()
    async with asked(dance) as seen:
        for name in (workflows[1], workflows[1][:8], "s1", "scene.received:k1", "scene.received.v1:k1"):
            assert await seen.find(name) == workflows[1]
        with pytest.raises(BadInput, match="means several workflows"):
            await seen.find("scene.received:k0")
        for name in ("nobody", workflows[1][:3], "scene.received:k9", "tile.extracted:k1"):
            with pytest.raises(NotFound):
                await seen.find(name)
        assert await count(seen, Filter(status="complete")) == 4
        assert await count(seen, Filter(input_type="scene.received")) == 4
        assert await count(seen, Filter(input_type="nothing")) == 0


async def test_every_delivery_has_its_bar_and_none_before_it_could_begin() -> None:
    """Attempts that failed are there too."""
    dance, workflow = _one_tile_dies()
    async with asked(dance) as seen:
        found = bars(await seen.workflow(workflow))
        ran = [bar for bar in found if bar.attempts]
        assert [bar.step for bar in ran].count("indices/index") == 3
        assert {bar.state for bar in ran} == {"completed", "dead"}
        assert all(bar.waited is not None and bar.waited >= 0 for bar in ran)
        assert found == sorted(found, key=lambda bar: bar.ready)


async def test_what_nobody_serves_or_takes_and_what_is_overdue_is_stuck() -> None:
    """By the declared steps alone, and by the leases that are in force."""
    dance = Dance(*EARTH_OBSERVATION[:4], members=2)
    dance.publish("scene.received", "s1")
    dance.settle()
    async with asked(dance) as seen:
        found = await stuck(seen, {"ingest/validate"}, 20)
        assert {(entry.kind, entry.step) for entry in found} == {("unconsumed", "calibration/calibrate")}
    dance = Dance(*EARTH_OBSERVATION, members=2)
    workflow = dance.publish("scene.received", "s1")
    async with asked(dance) as seen:
        (entry,) = await stuck(seen, set(), 20)
        assert (entry.kind, entry.step) == ("no-worker", "ingest/validate")
        assert await stuck(seen, {"ingest/validate"}, 20) == []
        assert (await seen.state(workflow)).status == "running"


async def test_a_full_group_is_owed_like_an_event_since_its_last_member_was_held() -> None:
    """A mosaic that hangs, or whose service died, is seen by every question."""
    dance, workflow, _ = full_group(timeout=60.0)
    full = dance.now
    async with asked(dance, now=full + 30.0) as seen:
        assert await stuck(seen, {"mosaic/merge"}, 20) == []
        (entry,) = await stuck(seen, set(), 20)
        assert (entry.kind, entry.step, entry.since) == ("no-worker", "mosaic/merge", full)
    async with asked(dance, now=full + 90.0) as seen:
        (entry,) = await stuck(seen, {"mosaic/merge"}, 20)
        assert (entry.kind, entry.step, entry.since, entry.limit) == ("overdue", "mosaic/merge", full, 60.0)
        assert entry.id
        (rate,) = (rate for rate in await rates(seen) if rate.owed)
        assert (rate.step, rate.owed, rate.since) == ("mosaic/merge", 1, full)
        (summary,) = await summaries(seen, Filter(step="mosaic/merge"), 20)
        assert (summary.steps["mosaic/merge"].waiting, summary.steps["mosaic/merge"].gathering) == (1, 0)
        assert await count(seen, Filter(step="masking/mask")) == 0
        (bar,) = (bar for bar in bars(await seen.workflow(workflow)) if bar.ended is None)
        assert (bar.step, bar.state, bar.ready, bar.id) == ("mosaic/merge", "owed", full, entry.id)
        (text,) = sentences(waits(await seen.state(workflow), seen.topology), seen.now, lambda s: f"{s:.0f}s")
        assert text == "mosaic/merge owes an outcome for a group that is full for 90s"


async def test_a_group_that_lacks_what_a_full_one_gives_says_who_owes_it_and_for_how_long() -> None:
    """The inner step owes it, once, though each of its members leads there; and stands for itself too."""
    dance, workflow, full = full_inside()
    async with asked(dance, now=full + 90.0) as seen:
        found = waits(await seen.state(workflow), seen.topology)
        assert list(sentences(found, seen.now, lambda s: f"{s:.0f}s")) == [
            "c/gather owes an outcome for a group that is full for 90s",
            "d/all waits for done as member 0 of 2, owed by c/gather for 90s",
        ]


async def test_an_open_group_is_left_at_its_step() -> None:
    """Whoever asks for what is left there is shown its workflow."""
    dance, workflow = _one_tile_dies()
    async with asked(dance) as seen:
        assert [s.workflow for s in await summaries(seen, Filter(step="mosaic/merge"), 20)] == [workflow]
        assert await count(seen, Filter(step="cog/write")) == 0


async def test_a_retry_is_overdue_from_when_it_was_due() -> None:
    """Not while it waits for that."""
    dance, _, owed = full_group(timeout=60.0)

    def behave(delivery: Owed, attempt: int) -> Given:
        raise Retry("no room")

    dance.behave["mosaic/merge"] = behave
    dance.queue = [owed]
    dance.settle(1)
    due = dance.now + 59.0  # the model has them due 60 s after the attempt, which is a second before its fact
    async with asked(dance, now=due + 59.0) as seen:
        assert await stuck(seen, {"mosaic/merge"}, 20) == []
    async with asked(dance, now=due + 61.0) as seen:
        (entry,) = await stuck(seen, {"mosaic/merge"}, 20)
        assert (entry.kind, entry.step, entry.since) == ("overdue", "mosaic/merge", due)


async def test_what_is_dead_hides_nothing_that_is_overdue() -> None:
    """The limit is for each kind, whatever else the step has to do."""
    ingest = EARTH_OBSERVATION[0]
    validate = ingest.steps[0].model_copy(update={"timeout": 60.0})
    dance = Dance(ingest.model_copy(update={"steps": [validate]}), *EARTH_OBSERVATION[1:], members=1)

    def behave(delivery: Owed, attempt: int) -> Given:
        raise Terminal("no scene")

    dance.behave["ingest/validate"] = behave
    dance.publish("scene.received", "s1")
    dance.settle()
    dance.publish("scene.received", "s2")
    async with asked(dance) as seen:
        assert [entry.kind for entry in await stuck(seen, None, 1)] == ["dead"]
        later = replace(seen, now=seen.now + 90.0)
        assert {entry.kind for entry in await stuck(later, None, 1)} == {"dead", "overdue"}


def test_the_picture_of_the_topology_has_every_step_and_every_way() -> None:
    """In Mermaid, DOT and JSON alike."""
    topology = Topology.of(EARTH_OBSERVATION)
    found = drawing.edges(topology)
    named = [(e.giver, e.taker, e.type[0]) for e in found]
    assert (drawing.OUTSIDE, "ingest/validate", "scene.received") in named
    assert ("catalogue/add", None, "product.catalogued") in named
    assert ("indices/index", "mosaic/merge", "tile.indexed") in named
    for text in (drawing.mermaid(topology), drawing.dot(topology)):
        assert all(step in text for step in topology.steps)
        assert text.count("scene.mosaicked") == 2
    assert len(drawing.shape(topology)["edges"]) == len(found)


@pytest.mark.parametrize(
    ("text", "expected", "naive"),
    [
        ("2026-11-23T14:00:00Z", 1795442400.0, False),
        ("2026-11-23T15:00:00+01:00", 1795442400.0, False),
        ("2026-11-23 14:00", 1795442400.0, True),
        ("2h ago", 1795442400.0 - 7200.0, False),
        ("1h30m ago", 1795442400.0 - 5400.0, False),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: float, naive: bool) -> None:
    """Where no zone is named, UTC is taken, and that is said."""
    assert read_instant(text, 1795442400.0) == (expected, naive)


@pytest.mark.parametrize("text", ["", "yesterday", "2h", "ago", "2026-13-01", "two hours ago"])
def test_what_is_no_time_is_refused_with_the_remedy(text: str) -> None:
    """One line that says what would do."""
    with pytest.raises(BadInput, match="RFC 3339"):
        read_instant(text, 0.0)
