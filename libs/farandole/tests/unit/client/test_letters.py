"""Dead letters: listed as they stand, redriven and discarded once."""

import asyncio

import pytest

from farandole import AsyncClient, BadInput, NotFound
from farandole.client.letters import commands
from farandole.fold import Left
from libs.farandole.tests.unit.client.shop import OrderPlaced, Shop, play


async def _die(client: AsyncClient, order: str) -> str:
    published = await client.publish(OrderPlaced(order=order, items=2))
    assert (await client.wait(published.workflow, 10)).status == "dead"
    return published.workflow


def test_dead_letters_are_listed_the_latest_first() -> None:
    """With what, where and why."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        one = await _die(client, "a")
        await asyncio.sleep(1)
        two = await _die(client, "b")
        found = await client.dead()
        assert [letter.workflow for letter in found] == [two, one]
        assert {(letter.step, letter.service, letter.reason) for letter in found} == {
            ("packing/pack", "packing", "exhausted")
        }
        assert found[0].error == "NoBox: no box is left"
        assert found[0].group
        assert found[0].attempt == 1

    play(scene, boxes=False)


def test_a_redriven_letter_is_tried_again_and_the_workflow_completes() -> None:
    """Named by a prefix; asking twice for the same death is asking once."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        workflow = await _die(client, "a")
        letter = (await client.dead())[0]
        shop.boxes = True
        asked = await client.redrive(letter.delivery[:8], letter.delivery, by="me")
        assert asked == [letter]
        await client.redrive(letter.delivery, by="someone else")
        await asyncio.sleep(1)
        state = await client.wait(workflow, 10)
        assert state.status == "complete"
        assert [e.type for e in state.events].count("order.packed.v1") == 1
        assert await client.dead() == []
        spans = await client.log.spans(["packing.pack.inbox"])
        commanded = sum(span.end for span in spans.values()) - 2  # the two items came through it as well
        assert commanded == 1

    play(scene, boxes=False)


def test_a_letter_that_dies_again_can_be_redriven_again() -> None:
    """Each death is one that may be asked about."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        workflow = await _die(client, "a")
        for attempt in (1, 2):
            letter = (await client.dead())[0]
            assert letter.attempt == attempt
            await client.redrive(letter.delivery)
            await asyncio.sleep(1)
        assert (await client.dead())[0].attempt == 3
        shop.boxes = True
        await client.redrive((await client.dead())[0].delivery)
        await asyncio.sleep(1)
        assert (await client.wait(workflow, 10)).status == "complete"

    play(scene, boxes=False)


def test_a_discarded_letter_is_let_go() -> None:
    """The journal tells who and why; nothing is left of the workflow."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        workflow = await _die(client, "a")
        asked = await client.discard((await client.dead())[0].delivery, reason="no more boxes", by="me")
        assert len(asked) == 1
        await asyncio.sleep(1)
        state = await client.wait(workflow, 10)
        assert state.status == "complete"
        assert state.summary.steps["packing/pack"].discarded == 1

    play(scene, boxes=False)


def test_what_is_not_there_changes_nothing() -> None:
    """Where one of several names is unknown, none is asked about."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        await _die(client, "a")
        known = (await client.dead())[0].delivery
        with pytest.raises(NotFound, match="no dead letter"):
            await client.redrive(known, "f" * 32)
        for bad in ("", "../x", "a\x1b"):
            with pytest.raises(BadInput):
                await client.redrive(bad)
        with pytest.raises(BadInput):
            await client.redrive(known, by="a\nb")
        spans = await client.log.spans(["packing.pack.inbox"])
        assert sum(span.end for span in spans.values()) == 2

    play(scene, boxes=False)


def test_a_letter_whose_partition_is_not_told_is_asked_about_in_every_one() -> None:
    """The partition that holds it obeys, a word about anything else changes nothing."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        await _die(client, "a")
        letter = (await client.dead())[0]
        assert letter.partition is not None
        one = commands(letter, "redrive", by="me", reason="", partitions=4)
        assert [record.partition for record in one] == [letter.partition]
        unknown = type(letter)(**{f: getattr(letter, f) for f in letter.__slots__} | {"partition": None})
        every = commands(unknown, "redrive", by="me", reason="", partitions=4)
        assert [record.partition for record in every] == [0, 1, 2, 3]
        shop.boxes = True
        await client.log.append(every)
        await asyncio.sleep(1)
        assert await client.dead() == []

    play(scene, boxes=False)


def test_only_the_dead_are_letters() -> None:
    """What is owed, parked or retried is left, but set aside by nobody."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        shop.gate.clear()
        published = await client.publish(OrderPlaced(order="a"))
        await asyncio.sleep(1)
        kinds: list[Left] = list((await client.status(published.workflow)).left)
        assert [left.kind for left in kinds] == ["owed"]
        assert await client.dead() == []

    play(scene)
