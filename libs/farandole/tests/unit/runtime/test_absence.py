"""Absences travel the way of the member that will not come, however deep, and close what waits for it."""

import pytest

from farandole.events.event import Event
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry
from farandole.testing import Rehearsal, check


class Top(Event, type="absence.top", key="k"):
    k: str


class Mid(Event, type="absence.mid", key="k"):
    k: str


class Low(Event, type="absence.low", key="k"):
    k: str


class Leaf(Event, type="absence.leaf", key="k"):
    k: str


class Aside(Event, type="absence.aside", key="k"):
    k: str


class LowDone(Event, type="absence.low-done", key="k"):
    k: str
    leaves: int


class MidDone(Event, type="absence.mid-done", key="k"):
    k: str
    lows: int
    absent: list[int]


class TopDone(Event, type="absence.top-done", key="k", final=True):
    k: str
    mids: list[str]
    absent: list[int]


called: list[str] = []
service = Service("absence", accepts=[Top])
_ONCE = Retry(attempts=1)


def _may_die(ctx: Context, key: str, at: str) -> None:
    if key.endswith(at) and ctx.attempt == 1:
        raise OSError("until it is redriven")


@service.step
def split_top(top: Top) -> list[Mid]:
    return [Mid(k=f"{top.k}.{n}") for n in range(3)]


@service.step(retry=_ONCE)
def split_mid(mid: Mid, ctx: Context) -> list[Low]:
    _may_die(ctx, mid.k, "dies.1")
    return [Low(k=f"{mid.k}.{n}") for n in range(2)]


@service.step(retry=_ONCE)
def split_low(low: Low, ctx: Context) -> tuple[list[Leaf], Aside | None]:
    _may_die(ctx, low.k, "low.0.1")
    aside = None if low.k.endswith("lacks.2.0") else Aside(k=low.k)
    return [Leaf(k=f"{low.k}.{n}") for n in range(0 if low.k.endswith("empty.0.0") else 2)], aside


@service.step
def join_low(leaves: list[Leaf], aside: Aside) -> LowDone:
    called.append(aside.k)
    return LowDone(k=aside.k, leaves=len(leaves))


@service.step
def gather_mid(lows: list[LowDone], ctx: Context) -> MidDone:
    return MidDone(k=lows[0].k[:-2], lows=len(lows), absent=list(ctx.absent))


@service.step
def gather_top(mids: list[MidDone], ctx: Context) -> TopDone:
    return TopDone(k=mids[0].k[:-2], mids=[f"{mid.lows}/{mid.absent}" for mid in mids], absent=list(ctx.absent))


WHOLE = ["2/[]", "2/[]", "2/[]"]


@pytest.mark.parametrize(
    ("key", "redriven", "discarded"),
    [
        # A dead fan-out two levels above a join: what would have been joined does not exist, so nothing is joined.
        ("dies", (WHOLE, []), (["2/[]", "2/[]"], [1])),
        # One level above: the list of the join lacks as a whole, and the other side, too.
        ("low", (WHOLE, []), (["1/[1]", "2/[]", "2/[]"], [])),
    ],
)
def test_a_dead_fan_out_holds_every_group_above_it_until_a_word(
    key: str, redriven: tuple[list[str], list[int]], discarded: tuple[list[str], list[int]]
) -> None:
    """Redriven all is whole; discarded the member is missing, at its own level, and no group hangs."""
    for word, (mids, absent) in (("redrive", redriven), ("discard", discarded)):
        with Rehearsal(service) as r:
            published = r.publish(Top(k=key))
            r.settle()
            assert r.events(TopDone) == []
            assert r.status(published).status == "dead"
            (r.redrive if word == "redrive" else r.discard)()
            r.settle()
            assert [(done.mids, done.absent) for done in r.events(TopDone)] == [(mids, absent)]
            assert r.status(published).status == "complete"
            assert check(r.history()) == []


def test_an_empty_list_is_gathered_and_a_join_gets_it_empty() -> None:
    """Nothing is missing: there was nothing to come."""
    with Rehearsal(service) as r:
        published = r.publish(Top(k="empty"))
        r.settle()
        assert [(done.mids, done.absent) for done in r.events(TopDone)] == [(WHOLE, [])]
        assert [event.leaves for event in r.events(LowDone) if event.k == "empty.0.0"] == [0]
        assert r.status(published).status == "complete"
        assert check(r.history()) == []


def test_a_join_that_lacks_a_side_forwards_the_absence_without_calling_anyone() -> None:
    """And its group lists it."""
    called.clear()
    with Rehearsal(service) as r:
        published = r.publish(Top(k="lacks"))
        r.settle()
        assert [(done.mids, done.absent) for done in r.events(TopDone)] == [(["2/[]", "2/[]", "1/[0]"], [])]
        assert "lacks.2.0" not in called
        assert r.status(published).status == "complete"
        assert check(r.history()) == []


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("key", ["dies", "low", "empty", "lacks"])
def test_crashes_do_not_change_it(key: str, seed: int) -> None:
    """A service that dies between any two of these steps."""
    with Rehearsal(service, seed=seed, partitions=2) as r:
        published = r.publish(Top(k=key))
        for _ in range(4):
            r.advance("3ms")
            r.kill("absence")
            r.restart("absence")
        r.settle()
        r.kill("absence")
        if letters := r.dead_letters():
            r.redrive(*letters)
        r.restart("absence")
        r.settle()
        (done,) = r.events(TopDone)
        assert done.mids == (["2/[]", "2/[]", "1/[0]"] if key == "lacks" else WHOLE)
        assert r.status(published).status == "complete"
        assert check(r.history()) == []
