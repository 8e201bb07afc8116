"""`lineage`: what a product was made of. Nothing of a workflow is left out, and no way of asking changes the answer."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from farandole.cli import main
from farandole.engines.open import open_log
from farandole.log.record import NewRecord
from farandole_observe.questions.lineage import Lineage, lineage_of
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION
from libs.farandole.tests.unit.fold.dance import Dance, Given, Terminal
from libs.farandole.tests.unit.fold.model import Owed
from tests.observe import written
from tests.observe.given import asked

Ask = Callable[..., Any]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """A command that has to succeed, with `--json`; what it prints."""

    def ask(*args: str) -> Any:
        assert main([*args, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return ask


async def _write(url: str, records: Sequence[NewRecord], *, topics_of: Sequence[NewRecord]) -> None:
    log = await open_log(url)
    try:
        await written.make_topics(log, topics_of)
        await log.append(records)
    finally:
        await log.close()


def _refuse_the_second(delivery: Owed, attempt: int) -> Given:
    """The second member of a group dies."""
    if delivery.event is not None and delivery.event.scope[-1].index == 1:
        raise Terminal("no light")
    return ["tile.indexed"]


async def _lineages(dance: Dance) -> dict[str, Lineage]:
    """Of every workflow, from the tables."""
    async with asked(dance) as seen:
        return {w: lineage_of(await seen.workflow(w)) for w in sorted(dance.facts)}


@pytest.mark.parametrize("seed", range(12))
async def test_every_event_is_in_the_lineage_of_a_product_or_named_as_leading_nowhere(seed: int) -> None:
    """With nested groups, refusals, absences, dead letters and retries, by the seed."""
    dance = written.played(seed)
    for workflow, found in (await _lineages(dance)).items():
        said = f"seed {seed}, workflow {workflow}"
        used = found.above(found.products)
        for number, made in enumerate(found.events):
            assert (made.role == "nowhere") == (number not in used), said
            assert made.role != "product" or not found.children(number), said
            assert made.by is None or number in found.makings[made.by].gave, said
            for parent in found.parents(number):
                assert parent < number, f"{said}: an event before what it was made of"
                assert number in found.children(parent), said
        assert sum(len(m.gave) for m in found.makings) == sum(made.by is not None for made in found.events), said


@pytest.mark.parametrize("seed", range(4))
def test_tables_that_grew_tell_the_lineage_that_the_log_alone_tells(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """Workflows were written down half-way, and read back when the rest came."""
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path}/log.db")
    dance = written.played(seed)
    records = written.shuffled(written.lines_of(dance), seed)
    half = len(records) // 2
    url = f"sqlite:///{tmp_path}/log.db"
    asyncio.run(_write(url, records[:half], topics_of=records))
    ask("status")
    asyncio.run(_write(url, records[half:], topics_of=records))
    told = 0
    for workflow in dance.facts:
        kept, rebuilt = ask("lineage", workflow), ask("lineage", workflow, "--rebuild")
        assert kept.pop("age") is not None
        assert rebuilt.pop("age") is not None
        assert kept == rebuilt, f"seed {seed}"
        told += len(kept["events"])
        dropped = [event["by"] is not None and not event["absent"] for event in kept["events"]]
        assert [event["assets"] is None for event in kept["events"]] == dropped, "only the inputs' records are there"
    assert told > 2 * len(dance.facts)


async def test_a_product_goes_back_to_its_input_through_every_step_that_it_needed() -> None:
    """A member that was set aside and discarded stands in it as an absence."""
    dance = Dance(*EARTH_OBSERVATION, members=3)

    dance.behave["indices/index"] = _refuse_the_second
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    before = (await _lineages(dance))[workflow]
    assert before.products == ()
    assert {before.events[n].view.topic for n in before.tips} == {"tile.indexed", "tile.masked"}
    dance.discard(dance.dead[0])
    dance.settle()
    found = (await _lineages(dance))[workflow]
    (product,) = found.products
    assert found.events[product].view.topic == "product.catalogued"
    above = found.above([product])
    assert {found.makings[b].step for n in above if (b := found.events[n].by) is not None} == set(dance.steps)
    (merge,) = (m for m in found.makings if m.step == "mosaic/merge")
    assert [found.events[n].view.absent for n in merge.took] == [False, True, False]
    (root,) = (n for n in above if found.events[n].by is None)
    assert found.events[root].view.id == "s1"
    assert found.below([root]) >= above
    lost = [made for n, made in enumerate(found.events) if made.role == "nowhere"]
    assert [made.view.pending for made in lost] == [True], "only the dead letter's own absence led nowhere"


def test_what_led_nowhere_is_named_with_how_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before there is a product the last events; afterwards what it did without. A missing manifest is said."""
    dance = Dance(*EARTH_OBSERVATION, members=3)
    dance.behave["indices/index"] = _refuse_the_second
    workflow = dance.publish("scene.received", "s1", key="k1")
    dance.settle()
    texts = []
    for name in ("before", "after"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        monkeypatch.setenv("FARANDOLE_LOG", url)
        records = written.shuffled(written.lines_of(dance), 1)
        asyncio.run(_write(url, records, topics_of=records))
        assert main(["lineage", workflow]) == 0
        texts.append(capsys.readouterr().out)
        for dead in list(dance.dead):
            dance.discard(dead)
        dance.settle()
    before, after = texts
    assert "no product yet" in before
    assert "indices/index: dead" in before
    assert before.count("mosaic/merge: held") == 2
    assert "product.catalogued.v1" in after
    assert "absent: tile.indexed" in after
    assert "no product came of these:\n  absence of tile.indexed" in after
    assert "catalogue/add: its manifest is not in the log, so its settings are not known" in after
