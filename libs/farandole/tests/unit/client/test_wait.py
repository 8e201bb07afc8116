"""When waiting ends, and what it says then."""

import asyncio

import pytest

from farandole import AsyncClient, BadInput, NotFound
from farandole.client.aclient import SETTLE
from farandole.fold import Summary
from libs.farandole.tests.unit.client.shop import ItemPicked, NoteTaken, OrderPlaced, Shop, play


def test_wait_returns_the_complete_workflow() -> None:
    """Every event of it is there, and nothing is left."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a", items=3), id="1")
        state = await client.wait(published.workflow, 10, expect="order.packed")
        assert (state.status, state.moves, state.left) == ("complete", False, ())
        types = [event.type for event in state.events]
        assert types == ["order.placed.v1", *["item.picked.v1"] * 3, "order.packed.v1"]

    play(scene)


def test_wait_ends_when_what_is_left_is_dead() -> None:
    """A dead letter does not move by itself."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a"))
        state = await client.wait(published.workflow, 10)
        assert state.status == "dead"
        assert [(left.kind, left.step, left.reason) for left in state.left] == [("dead", "packing/pack", "exhausted")]

    play(scene, boxes=False)


def test_wait_ends_a_little_later_when_nobody_owes_what_is_left() -> None:
    """The service that takes it may just be starting; after that, waiting longer is in vain."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a"))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        state = await client.wait(published.workflow, 60)
        assert SETTLE <= loop.time() - begun < SETTLE + 1
        assert state.status == "waiting"
        assert [left.kind for left in state.left] == ["unconsumed"]

    play(scene, only=1)


def test_wait_raises_when_the_time_has_passed_and_the_workflow_goes_on() -> None:
    """What was waited for is untouched: it completes later."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        shop.gate.clear()
        published = await client.publish(OrderPlaced(order="a"))
        with pytest.raises(TimeoutError, match="has not ended after 3 s"):
            await client.wait(published.workflow, 3)
        shop.gate.set()
        assert (await client.wait(published.workflow, 10)).status == "complete"

    play(scene)


def test_many_may_wait_at_once_each_with_its_own_time() -> None:
    """One reading serves all; nobody is held up by another's patience."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        loop = asyncio.get_running_loop()
        shop.gate.clear()
        orders = [await client.publish(OrderPlaced(order=f"o{n}")) for n in range(20)]
        waits = [asyncio.ensure_future(client.wait(o.workflow, 60)) for o in orders]
        begun = loop.time()
        with pytest.raises(TimeoutError):
            await client.wait(orders[0].workflow, 0.5)
        assert loop.time() - begun < 0.6
        assert len(await client.workflows()) == 20
        assert loop.time() - begun < 0.6
        shop.gate.set()
        states = await asyncio.gather(*waits)
        assert {state.status for state in states} == {"complete"}
        assert loop.time() - begun < 2

    play(scene)


def test_progress_is_told_with_each_news() -> None:
    """The last summary is that of the end."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        told: list[Summary] = []
        shop.gate.clear()
        published = await client.publish(OrderPlaced(order="a", items=2))
        waiting = asyncio.ensure_future(client.wait(published.workflow, 60, progress=told.append))
        await asyncio.sleep(1)
        shop.gate.set()
        await waiting
        assert told[0].status == "running"
        assert told[-1].status == "complete"
        assert told[-1].steps["packing/pack"].completed == 1

    play(scene)


def test_an_event_that_was_expected_and_did_not_come_is_told() -> None:
    """The workflow ended, so it will not come."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a"))
        with pytest.raises(NotFound, match=r"ended \(complete\) without an event of type 'order.shipped'"):
            await client.wait(published.workflow, 10, expect="order.shipped")
        assert (await client.wait(published.workflow, 10, expect="order.packed.v1")).status == "complete"

    play(scene)


def test_a_workflow_is_found_by_id_by_prefix_and_by_its_input() -> None:
    """What means several, or nothing, is refused."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        one = await client.publish(OrderPlaced(order="a"), id="first")
        two = await client.publish(OrderPlaced(order="b"), id="second")
        twin = await client.publish(OrderPlaced(order="b"), id="second", source="other")
        await client.wait(twin.workflow, 10)
        assert await client.find(one.workflow) == one.workflow
        assert await client.find(two.workflow[:8]) == two.workflow
        assert await client.find("first") == one.workflow
        assert await client.find("order.placed:a") == one.workflow
        assert await client.find("order.placed.v1:a") == one.workflow
        for several in ("second", "order.placed:b"):
            with pytest.raises(BadInput, match="means 2 workflows"):
                await client.find(several)
        for unknown in ("zzzz", one.workflow[:2], "order.placed:z", "order.packed:a"):
            with pytest.raises(NotFound):
                await client.find(unknown)
        for bad in ("", "../../x", "a\x1b[31m", "x" * 10_000):
            with pytest.raises(BadInput, match="workflow"):
                await client.find(bad)
        with pytest.raises(NotFound):
            await client.status("f" * 32)
        with pytest.raises(NotFound):
            await client.wait("f" * 32, 1)

    play(scene)


def test_workflows_come_newest_first() -> None:
    """As the status command shows them."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = []
        for number in range(3):
            published.append(await client.publish(OrderPlaced(order=f"o{number}")))
            await asyncio.sleep(1)
        found = [summary.workflow for summary in await client.workflows()]
        assert found == [p.workflow for p in reversed(published)]

    play(scene)


def test_events_come_in_causal_order_with_their_data() -> None:
    """Also those that nobody took, of which no fact tells the place; and absences."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a", items=2))
        await client.publish(OrderPlaced(order="a", items=1))
        await client.wait(published.workflow, 10)
        envelopes = await client.events(published.workflow)
        assert [e.type for e in envelopes] == ["order.placed", "item.picked", "item.picked", "order.packed"]
        assert envelopes[0].identity == ("client", published.id)
        assert envelopes[-1].data == b'{"order":"a","items":2}'
        empty = await client.publish(OrderPlaced(order="e", items=0))
        await client.wait(empty.workflow, 10)
        assert [e.type for e in await client.events(empty.workflow)] == [
            "order.placed",
            "farandole.absent",
            "order.packed",
        ]

    play(scene)


def test_an_event_that_nobody_takes_is_read_from_its_topic() -> None:
    """Its key tells the partition; one without a key is searched for in all."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        note = await client.publish(NoteTaken(text="read me"))
        order = await client.publish(OrderPlaced(order="a"))
        await client.wait(order.workflow, 60)
        assert [e.data for e in await client.events(note.workflow)] == [b'{"text":"read me"}']
        assert [e.type for e in await client.events(order.workflow)] == ["order.placed", "item.picked"]
        assert (await client.events(order.workflow))[1].data == b'{"order":"a"}'

    play(scene, only=1)


def test_an_event_that_no_service_accepts_from_outside_can_be_waited_for_too() -> None:
    """An operator may hand in what a step would have published; it is handled like any other."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(ItemPicked(order="by hand"))
        state = await client.wait(published.workflow, 10)
        assert state.events[0].type == "item.picked.v1"
        assert state.summary.inputs[0].id == published.id

    play(scene)
