"""A rehearsal plays a whole choreography in one synchronous test, and hides nothing that goes wrong in it."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from pydantic_settings import BaseSettings

from farandole.events.errors import ConfigError, RetryAfter
from farandole.events.event import Event
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.partition import Partition
from farandole.runtime.retry import Retry
from farandole.testing import Faults, NeverSettles, Rehearsal, check, with_bodies


class Ordered(Event, type="bakery.ordered", key="loaf"):
    loaf: str


class Baked(Event, type="bakery.baked", key="loaf", final=True):
    loaf: str
    oven: str
    degrees: int


class Heat(BaseSettings):
    degrees: int


opened: list[str] = []
bakery = Service("bakery", accepts=[Ordered])


@bakery.resource
def oven(heat: Heat) -> Iterator[str]:
    opened.append(f"real at {heat.degrees}")
    yield "real"
    opened.append("closed")


@bakery.step(runs="process", timeout="1m", retry=Retry(attempts=3, delay="1s"))
def bake(order: Ordered, ctx: Context, oven: str, heat: Heat) -> Baked:
    if order.loaf == "tomorrow" and ctx.attempt == 1:
        raise RetryAfter("24h", "the dough has to rest")
    if order.loaf == "burnt":
        raise ValueError("charcoal")
    return Baked(loaf=order.loaf, oven=oven, degrees=heat.degrees)


REPLACED = {"oven": "toy", "Heat": Heat(degrees=5)}


def test_resources_and_settings_are_replaced_and_process_steps_run_inline() -> None:
    """No oven is opened, no environment read, no process started."""
    opened.clear()
    with Rehearsal(bakery, replaced=REPLACED) as r:
        r.publish(Ordered(loaf="rye"))
        r.settle()
        assert r.events(Baked) == [Baked(loaf="rye", oven="toy", degrees=5)]
        assert r.events("bakery.baked") == [{"loaf": "rye", "oven": "toy", "degrees": 5}]
    assert opened == []


def test_resources_are_opened_and_closed_where_nothing_replaces_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process would."""
    opened.clear()
    monkeypatch.setenv("DEGREES", "220")
    with Rehearsal(bakery):
        assert opened == ["real at 220"]
    assert opened == ["real at 220", "closed"]


def test_a_service_that_refuses_to_start_is_no_rehearsal() -> None:
    """Its error is the test's."""
    with pytest.raises(ConfigError, match="Heat"), Rehearsal(bakery, replaced={"oven": "toy"}):
        pytest.fail("it started")


def test_a_retry_that_is_due_tomorrow_takes_no_time() -> None:
    """A day without news costs nothing."""
    began = time.perf_counter()
    with Rehearsal(bakery, replaced=REPLACED) as r:
        published = r.publish(Ordered(loaf="tomorrow"))
        r.settle()
        facts = r.facts()
        assert [fact.fact for fact in facts] == ["retrying", "completed"]
        assert facts[1].started - facts[0].finished >= 86_400
        assert r.status(published).status == "complete"
    assert time.perf_counter() - began < 5.0


def test_time_can_be_moved_by_hand() -> None:
    """Nothing that is due later happens earlier."""
    with Rehearsal(bakery, replaced=REPLACED) as r:
        r.publish(Ordered(loaf="tomorrow"))
        r.advance("23h")
        assert r.events(Baked) == []
        r.advance("2h")
        assert len(r.events(Baked)) == 1


def test_dead_letters_are_found_redriven_and_discarded() -> None:
    """Without a broker, a console or a wait."""
    with Rehearsal(bakery, replaced=REPLACED) as r:
        published = r.publish(Ordered(loaf="burnt"))
        r.settle()
        (letter,) = r.dead_letters()
        assert (letter.step, letter.reason, letter.attempt) == ("bakery/bake", "exhausted", 3)
        assert "charcoal" in letter.error
        r.redrive(letter)
        r.settle()
        assert [letter.attempt for letter in r.dead_letters()] == [6]
        assert len(r.discard()) == 1
        r.settle()
        assert (r.dead_letters(), r.status(published).status) == ([], "complete")


def test_an_event_of_a_given_workflow_joins_it() -> None:
    """And one that comes twice under one id is handled once."""
    with Rehearsal(bakery, replaced=REPLACED) as r:
        first = r.publish(Ordered(loaf="a"), id="x", workflow="w")
        again = r.publish(Ordered(loaf="a"), id="x", workflow="w")
        r.settle()
        assert (first.workflow, again.workflow) == ("w", "w")
        assert len(r.events(Baked)) == 1


def test_every_published_event_may_come_twice() -> None:
    """The faults decide; what is foreign and seen before is handled once."""
    with Rehearsal(bakery, replaced=REPLACED, faults=Faults(0, 0, 0, 0, 0, duplicates=1.0)) as r:
        for n in range(10):
            r.publish(Ordered(loaf=f"{n}"))
        r.settle()
        assert len(r.history().records["bakery.ordered"]) == 20
        assert len(r.events(Baked)) == len(r.events(Ordered)) == 10
        assert check(r.history()) == []


def test_what_never_settles_is_named() -> None:
    """By virtual time, or by how much moved; the error says what still does."""

    class Ping(Event, type="never.ping", key="k"):
        k: str

    class Pong(Event, type="never.pong", key="k"):
        k: str

    left, right = Service("left", accepts=[Ping]), Service("right")

    @left.step
    def answer(ping: Ping) -> Pong:
        return Pong(k=ping.k)

    @right.step
    def again(pong: Pong) -> Ping:
        return Ping(k=pong.k)

    with Rehearsal(left, right) as r:
        r.publish(Ping(k="a"))
        with pytest.raises(NeverSettles, match=r"left/answer: completed \(\d+ times\)"):
            r.settle(timers=3_000)
        r.kill("left")
        r.settle()

    patient = Service("patient", accepts=[Ping])

    @patient.step(retry=Retry(attempts=1_000_000, delay="1h", max_delay="1h"))
    def fail(ping: Ping) -> None:
        raise OSError("always")

    with Rehearsal(patient) as r:
        r.publish(Ping(k="a"))
        with pytest.raises(NeverSettles, match=r"patient/fail: retrying \(\d+ times\)"):
            r.settle(within="30d")


def test_a_fault_of_the_runtime_itself_is_raised_not_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug must not look like a crash that a supervisor mends."""

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Partition, "complete", broken)
    with Rehearsal(bakery, replaced=REPLACED) as r:
        r.publish(Ordered(loaf="rye"))
        with pytest.raises(KeyError, match="a bug") as caught:
            r.settle()
    assert "service 'bakery'" in caught.value.__notes__[0]


def test_who_is_killed_does_nothing_more_until_it_is_restarted() -> None:
    """Neither its steps nor its timers go on; what they held comes back."""
    lines: list[str] = []

    class Go(Event, type="killed.go", key="k"):
        k: str

    slow = Service("slow", accepts=[Go])

    @slow.step
    async def walk(go: Go) -> None:
        lines.append("begun")
        await asyncio.sleep(10)
        lines.append("ended")

    with Rehearsal(slow) as r:
        r.publish(Go(k="a"))
        r.advance("5s")
        r.kill("slow")
        r.advance("1h")
        assert lines == ["begun"]
        r.settle()
        r.restart("slow")
        r.settle()
        assert lines == ["begun", "begun", "ended"]
        assert check(r.history()) == []


def test_bodies_are_replaced_and_contracts_stay() -> None:
    """The stub is called with what the step is given; what it gives is checked as ever."""

    def quick(order: Ordered, ctx: Context, oven: str, heat: Heat) -> Baked | None:
        return Baked(loaf=order.loaf, oven="stub", degrees=0) if order.loaf == "rye" else None

    with Rehearsal(with_bodies(bakery, {"bake": quick}), replaced=REPLACED) as r:
        r.publish(Ordered(loaf="rye"))
        r.publish(Ordered(loaf="none"))
        r.settle()
        assert r.events(Baked) == [Baked(loaf="rye", oven="stub", degrees=0)]
        assert [letter.reason for letter in r.dead_letters()] == ["undeclared"]
    assert bakery.steps["bake"].fn is not quick
    with pytest.raises(ConfigError, match="has no step 'brew'"):
        with_bodies(bakery, {"brew": quick})


def test_an_unknown_service_is_named_with_those_that_there_are() -> None:
    """A typo is not a silent success."""
    with Rehearsal(bakery, replaced=REPLACED) as r, pytest.raises(KeyError, match="bakery"):
        r.kill("bakry")


def test_a_seed_gives_the_same_trace_and_another_one_another() -> None:
    """To the last byte of the last record."""

    def trace(seed: int) -> str:
        with Rehearsal(bakery, replaced=REPLACED, seed=seed, faults=Faults(spread=60)) as r:
            for n in range(5):
                r.publish(Ordered(loaf=f"{n}"))
            r.settle()
            return r.history().trace()

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_nothing_is_left_running() -> None:
    """No task, no timer, no open loop; pytest would complain of any."""
    with Rehearsal(bakery, replaced=REPLACED) as r:
        r.publish(Ordered(loaf="tomorrow"))
        loop = r._loop
    assert loop.is_closed()
    assert asyncio.all_tasks(loop) == set()
