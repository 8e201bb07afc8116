"""What may enter at the edge, and that an id makes publishing idempotent."""

import pytest

from farandole import AsyncClient, BadInput, IdConflict
from farandole.events.codec import decode
from farandole.events.ids import workflow_id
from farandole.events.limits import VALUE_LIMIT
from libs.farandole.tests.unit.client.shop import NoteTaken, OrderPlaced, Shop, play


def test_an_event_and_its_json_give_the_same_record_but_for_their_bytes() -> None:
    """Version and key come from the class, or from the manifest of the service that accepts the type."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        typed = await client.publish(OrderPlaced(order="a", items=2), id="one")
        plain = await client.publish("order.placed", {"order": "a", "items": 2}, id="two")
        for published in (typed, plain):
            record = await client.log.fetch(*published.place)
            assert record is not None
            envelope = decode(record.key, record.value, record.headers)
            assert (envelope.type, envelope.version, envelope.key) == ("order.placed", 1, "a")
            assert (envelope.source, envelope.workflow) == ("client", "")
            assert OrderPlaced.read(envelope.data) == OrderPlaced(order="a", items=2)
        assert typed.workflow == workflow_id("client", "one") != plain.workflow

    play(scene)


def test_the_same_id_and_body_is_taken_once_and_another_body_is_refused() -> None:
    """Identity is (source, id): the same id of another source is another event."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        event = OrderPlaced(order="a")
        first = await client.publish(event, id="x")
        assert await client.publish(event, id="x") == first
        with pytest.raises(IdConflict, match=r"id 'x' of source 'client' was published before with another body"):
            await client.publish(OrderPlaced(order="b"), id="x")
        with pytest.raises(IdConflict, match=rf"published before in workflow {first.workflow}"):
            await client.publish(event, id="x", workflow="another")
        assert await client.publish(event, id="x", workflow=first.workflow) == first
        other = await client.publish(OrderPlaced(order="b"), id="x", source="till-2")
        assert other.workflow != first.workflow
        spans = await client.log.spans(["order.placed"])
        assert sum(span.end for span in spans.values()) == 2

    play(scene)


def test_an_event_carries_the_trace_that_it_was_published_in() -> None:
    """One that is no trace context is refused; the trace of the workflow stays its own."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a"), traceparent=trace)
        record = await client.log.fetch(*published.place)
        assert record is not None
        assert decode(record.key, record.value, record.headers).traceparent == trace
        with pytest.raises(BadInput, match="traceparent 'nonsense' is none"):
            await client.publish(OrderPlaced(order="a"), traceparent="nonsense")

    play(scene)


def test_an_id_is_drawn_where_none_is_given() -> None:
    """Two equal events without an id are two events."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        one, two = [await client.publish(OrderPlaced(order="a")) for _ in range(2)]
        assert one.id != two.id
        assert one.place != two.place

    play(scene)


def test_an_event_may_join_a_workflow() -> None:
    """Its correlation id is the workflow's."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish(OrderPlaced(order="a"), id="1", workflow="season-7")
        assert published.workflow == "season-7"
        assert (await client.wait("season-7", 10)).status == "complete"

    play(scene)


def test_a_type_without_key_is_published_without_one() -> None:
    """Nothing is guessed where the manifest says that events have no order."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        published = await client.publish("note.taken.v1", b'{"text": "hello"}')
        record = await client.log.fetch(*published.place)
        assert record is not None
        assert record.key is None
        assert (await client.publish(NoteTaken(text="hello"))).place.topic == "note.taken"

    play(scene)


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("order.place", "{}", "did you mean 'order.placed'"),
        ("zzz", "{}", "there are: note.taken, order.placed"),
        ("order.placed", "", "not JSON"),
        ("order.placed", "[1]", "no object"),
        ("order.placed", '{"order": "a"', "not JSON"),
        ("order.placed", '{"order": NaN}', "not JSON"),
        ("order.placed", '{"order": "a", "order": "b"}', "stands twice"),
        ("order.placed", '{"__proto__": 1, "order": "a"}', "is refused"),
        ("order.placed", '{"order": 12345678901234567890}', "give it as text"),
        ("order.placed", "[" * 100_000, "not JSON"),
        ("order.placed", '{"items": 1}', "lacks 'order'"),
        ("order.placed", '{"order": {}}', "lacks 'order'"),
        ("order.placed", '{"order": "' + "x" * 2000 + '"}', "more than 1024 bytes"),
        ("order.placed", '{"order": "' + "x" * VALUE_LIMIT + '"}', "farandole asset put"),
        ("farandole.journal", "{}", "the library's"),
        ("packing.dlq", "{}", "the library's"),
        ("../../etc", "{}", "use lower-case words"),
        ("a_b", "{}", "use lower-case words"),
        ("a" * 250, "{}", "at most 180"),
        ("", "{}", "use lower-case words"),
    ],
)
def test_what_no_step_could_take_is_refused_with_the_reason(kind: str, data: str, why: str) -> None:
    """Nothing is written."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        with pytest.raises(BadInput, match=why):
            await client.publish(kind, data)
        spans = await client.log.spans(["order.placed"])
        assert all(span.end == 0 for span in spans.values())

    play(scene)


@pytest.mark.parametrize("bad", ["", "a\0b", "a\nb", "a\x1b[31m", "../../x", "x" * 10_000, "a b"])
def test_an_id_or_workflow_that_could_do_harm_is_refused(bad: str) -> None:
    """Control characters, paths and ten thousand characters are no ids."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        with pytest.raises(BadInput):
            await client.publish(OrderPlaced(order="a"), id=bad)
        with pytest.raises(BadInput):
            await client.publish(OrderPlaced(order="a"), workflow=bad)

    play(scene)


@pytest.mark.parametrize("source", ["", "a\nb", "picking/pick"])
def test_a_source_is_somebody_and_no_step(source: str) -> None:
    """An event in a step's name would count as that step's output."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        with pytest.raises(BadInput, match="source"):
            await client.publish(OrderPlaced(order="a"), source=source)

    play(scene)


def test_data_beside_an_event_and_a_type_without_data_are_refused() -> None:
    """One of the two forms, not a mixture."""

    async def scene(client: AsyncClient, shop: Shop) -> None:
        with pytest.raises(BadInput, match="give one of them"):
            await client.publish(OrderPlaced(order="a"), "{}")
        with pytest.raises(BadInput, match="without data"):
            await client.publish("order.placed")
        with pytest.raises(BadInput, match="not JSON"):
            await client.publish("order.placed", {"order": float("nan")})

    play(scene)
