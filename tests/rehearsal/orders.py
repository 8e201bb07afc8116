"""A choreography with every shape: nested fan-outs, either-of, tuples, refusals, absences, joins, dead letters.

An order is cut into parts, some cut again into crumbs; whatever a body decides follows from the event or from
the delivery's id, so every run, however disturbed, must come to the same.
"""

import asyncio

from farandole.events.errors import RetryAfter
from farandole.events.event import Event
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry

_RETRY = Retry(attempts=3, delay="1s", max_delay="1m")


class OrderGiven(Event, type="order.given", key="order"):
    order: str
    crumbs: list[int]
    """Crumbs per part; below zero: an odd part, which is not cut."""


class PartCut(Event, type="part.cut", key="part"):
    order: str
    part: str
    crumbs: int


class PartOdd(Event, type="part.odd", key="part"):
    order: str
    part: str


class CrumbCut(Event, type="crumb.cut", key="crumb"):
    crumb: str


class CrumbChewed(Event, type="crumb.chewed", key="crumb"):
    crumb: str


class CrumbRefused(Event, type="crumb.refused", key="crumb"):
    crumb: str


class PartDone(Event, type="part.done", key="part"):
    part: str
    chewed: list[str]
    refused: list[str]
    absent: list[int]


class OddDone(Event, type="odd.done", key="part"):
    part: str


class PartMarked(Event, type="part.marked", key="part"):
    part: str


class PartRejected(Event, type="part.rejected", key="part"):
    part: str


class PartNoted(Event, type="part.noted", key="part"):
    part: str


class PartStamped(Event, type="part.stamped", key="part"):
    part: str
    by: str


class PartPaired(Event, type="part.paired", key="part"):
    part: str


class OrderMade(Event, type="order.made", key="order"):
    order: str
    parts: list[str]
    absent: list[int]


class OrderNoted(Event, type="order.noted", key="order"):
    order: str


class SlipPrinted(Event, type="slip.printed", key="slip"):
    order: str
    slip: str


class SlipChecked(Event, type="slip.checked", key="slip"):
    slip: str


class OrderClosed(Event, type="order.closed", key="order", final=True):
    order: str
    parts: list[str]
    slips: list[str]


class SlipFiled(Event, type="slip.filed", key="order", final=True):
    order: str
    slip: str


def _chance(ctx: Context, place: int) -> int:
    """0 to 15, from the delivery's id."""
    return int(ctx.delivery[place], 16)


def _flaky(ctx: Context) -> None:
    """Some deliveries fail once or twice, some until they are redriven."""
    share = _chance(ctx, 0)
    if share >= 14 and ctx.attempt <= 3:
        raise OSError(f"attempt {ctx.attempt} fails; so do all until a redrive")
    if share in (12, 13) and ctx.attempt <= share - 11:
        raise OSError(f"attempt {ctx.attempt} fails")


cutting = Service("cutting", accepts=[OrderGiven])
chewing = Service("chewing")
marking = Service("marking")
closing = Service("closing")


@cutting.step(retry=_RETRY)
def cut(order: OrderGiven, ctx: Context) -> list[PartCut | PartOdd]:
    _flaky(ctx)
    parts: list[PartCut | PartOdd] = []
    for number, crumbs in enumerate(order.crumbs):
        name = f"{order.order}/{number}"
        cut = PartCut(order=order.order, part=name, crumbs=crumbs)
        parts.append(cut if crumbs >= 0 else PartOdd(order=order.order, part=name))
    return parts


@cutting.step(retry=_RETRY)
def cut_again(part: PartCut, ctx: Context) -> list[CrumbCut]:
    _flaky(ctx)
    return [CrumbCut(crumb=f"{part.part}/{n}") for n in range(part.crumbs)]


@cutting.step(retry=_RETRY)
def print_slips(order: OrderGiven, ctx: Context) -> tuple[OrderNoted, list[SlipPrinted]]:
    _flaky(ctx)
    slips = [SlipPrinted(order=order.order, slip=f"{order.order}#{n}") for n in range(len(order.crumbs))]
    return OrderNoted(order=order.order), slips


@chewing.step(retry=_RETRY, concurrency=3)
async def chew(crumb: CrumbCut, ctx: Context) -> CrumbChewed | CrumbRefused | None:
    await asyncio.sleep(_chance(ctx, 4) ** 2 / 20)  # up to 11 s: some overtake others, some grow old
    _flaky(ctx)
    share = _chance(ctx, 1)
    if share == 15 and ctx.attempt == 1:
        raise RetryAfter("24h", "the other side is closed")
    if share == 14:
        return None
    return CrumbRefused(crumb=crumb.crumb) if share > 10 else CrumbChewed(crumb=crumb.crumb)


@chewing.step(retry=_RETRY)
def gather(crumbs: list[CrumbChewed | CrumbRefused], ctx: Context) -> PartDone:
    _flaky(ctx)
    chewed = [c.crumb for c in crumbs if isinstance(c, CrumbChewed)]
    refused = [c.crumb for c in crumbs if isinstance(c, CrumbRefused)]
    part = (chewed + refused)[0].rpartition("/")[0] if crumbs else ctx.delivery
    return PartDone(part=part, chewed=chewed, refused=refused, absent=list(ctx.absent))


@chewing.step(retry=_RETRY)
def odd(part: PartOdd, ctx: Context) -> OddDone | None:
    _flaky(ctx)
    return OddDone(part=part.part) if _chance(ctx, 1) > 5 else None


@marking.step(retry=_RETRY)
def mark(part: PartDone | OddDone, ctx: Context) -> tuple[PartMarked | PartRejected, PartNoted | None]:
    _flaky(ctx)
    noted = PartNoted(part=part.part) if _chance(ctx, 1) > 3 else None
    marked = PartMarked(part=part.part) if _chance(ctx, 2) > 6 else PartRejected(part=part.part)
    return marked, noted


@marking.step(retry=_RETRY)
def stamp(part: PartMarked | PartRejected, ctx: Context) -> PartStamped:
    _flaky(ctx)
    return PartStamped(part=part.part, by=type(part).__name__)


@marking.step(retry=_RETRY)
def pair(stamped: PartStamped, noted: PartNoted, ctx: Context) -> PartPaired:
    _flaky(ctx)
    return PartPaired(part=f"{stamped.part}+{noted.part}")


@closing.step(retry=_RETRY)
def collect(parts: list[PartPaired], ctx: Context) -> OrderMade:
    _flaky(ctx)
    names = [part.part for part in parts]
    order = names[0].partition("/")[0] if names else ctx.workflow
    return OrderMade(order=order, parts=names, absent=list(ctx.absent))


@closing.step(retry=_RETRY)
def check_slip(slip: SlipPrinted, ctx: Context) -> SlipChecked | None:
    _flaky(ctx)
    return SlipChecked(slip=slip.slip) if _chance(ctx, 1) > 2 else None


@closing.step(retry=_RETRY, order_by="order")
def file_slip(slip: SlipPrinted, ctx: Context) -> SlipFiled:
    _flaky(ctx)
    return SlipFiled(order=slip.order, slip=slip.slip)


@closing.step(retry=_RETRY)
def close(made: OrderMade, noted: OrderNoted, slips: list[SlipChecked], ctx: Context) -> OrderClosed:
    _flaky(ctx)
    return OrderClosed(order=noted.order, parts=made.parts, slips=[slip.slip for slip in slips])


@closing.step(order_by=None)
def audit(order: OrderNoted) -> None:
    assert order.order


SERVICES = (cutting, chewing, marking, closing)

SALTS = ("s33", "s54", "s28", "s9", "s38", "s43", "s24", "s41")
"""Part of the orders' ids, from which all else follows: chosen so that, together, what dies, is redriven, let go,
parked, refused or absent falls on every shape."""

ORDERS = (
    OrderGiven(order="a", crumbs=[3, -1, 0]),
    OrderGiven(order="b", crumbs=[]),
    OrderGiven(order="a", crumbs=[2, 3]),
    OrderGiven(order="c", crumbs=[-1, 1]),
)
