"""Three services with every shape that needs a right of its own: fan-out, order, dead letters, fan-in, join."""

import os
from pathlib import Path

from farandole import Event, Retry, Service

BRUSH = Path(os.environ.get("BRUSH", "brush"))
LONG = 40_000  # characters of a text that no row holds: it is read again from its place


class OrderPlaced(Event, type="order.placed", key="order"):
    order: str
    payer: str
    pieces: int = 2


class NoteLeft(Event, type="note.left", key="order"):
    """Owned, and taken by nobody here."""

    order: str


class PieceCut(Event, type="piece.cut", key="piece"):
    order: str
    piece: str
    text: str


class OrderBilled(Event, type="order.billed", key="order"):
    order: str


class PiecePainted(Event, type="piece.painted", key="piece"):
    order: str
    piece: str


class OrderWrapped(Event, type="order.wrapped", key="order"):
    order: str
    pieces: list[str]


class OrderPacked(Event, type="order.packed", key="order", final=True):
    order: str
    pieces: list[str]


class NoBrush(Exception):
    pass


cutting = Service("cutting", accepts=[OrderPlaced, NoteLeft])
painting = Service("painting")
packing = Service("packing")
SERVICES = (cutting, painting, packing)


@cutting.step
async def cut(order: OrderPlaced) -> list[PieceCut]:
    return [
        PieceCut(order=order.order, piece=f"{order.order}.{number}", text="x" * LONG) for number in range(order.pieces)
    ]


@cutting.step(order_by="payer")
async def bill(order: OrderPlaced) -> OrderBilled:
    return OrderBilled(order=order.order)


@painting.step(retry=Retry(terminal=(NoBrush,)))
async def paint(piece: PieceCut) -> PiecePainted:
    """The first piece of an order `odd…` dies as long as there is no brush."""
    if piece.piece.startswith("odd") and piece.piece.endswith(".0") and not BRUSH.exists():  # noqa: ASYNC240
        raise NoBrush("no brush")
    return PiecePainted(order=piece.order, piece=piece.piece)


@packing.step
async def wrap(pieces: list[PiecePainted]) -> OrderWrapped:
    return OrderWrapped(order=pieces[0].order, pieces=[piece.piece for piece in pieces])


@packing.step
async def pack(wrapped: OrderWrapped, billed: OrderBilled) -> OrderPacked:
    return OrderPacked(order=billed.order, pieces=wrapped.pieces)
