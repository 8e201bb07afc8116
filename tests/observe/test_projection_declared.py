"""What cannot be a projection is refused when it is declared, naming the field and what to do."""

from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

import farandole_observe
from farandole import DeclarationError, Event
from farandole_observe.store import tables
from tests.observe.projections import Sold, SoldLater, in_order, item_of, shop, table


def _table(*columns: Any, name: str = "some", schema: str | None = None) -> Table:
    return Table(name, MetaData(), *columns, schema=schema)


def _key() -> Column[Any]:
    return Column("key", Text, primary_key=True)


async def _awaited(*_: Any) -> None: ...


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("name", {"name": ""}, "lower-case words"),
    ("name", {"name": "My Table"}, "lower-case words"),
    ("name", {"name": "x" * 61}, "at most 60 characters"),
    ("name", {"name": 7}, "lower-case words"),
    ("version", {"version": 0}, "whole numbers from 1"),
    ("version", {"version": "2"}, "whole numbers from 1"),
    ("version", {"version": True}, "whole numbers from 1"),
    ("key", {"key": "item"}, "give a plain function"),
    ("key", {"key": _awaited}, "give a plain function"),
    ("fold", {"fold": None}, "give a plain function"),
    ("of", {"of": []}, "give event classes in a list"),
    ("of", {"of": Sold}, "give event classes in a list"),
    ("of", {"of": [Event]}, "give subclasses of farandole.Event"),
    ("of", {"of": [Sold, "item.sold"]}, "give subclasses of farandole.Event"),
    ("of", {"of": [Sold, SoldLater, Sold]}, "item.sold.v1 is there twice"),
    ("table", {"table": "items"}, "give a sqlalchemy.Table"),
    ("table", {"table": table("workflows")}, "is a name of ours"),
    ("table", {"table": table("Projections")}, "is a name of ours"),
    ("table", {"table": table("alembic_version")}, "is a name of ours"),
    ("table", {"table": table("sqlite_mine")}, "is a name of ours or of the database's"),
    ("table", {"table": table("x" * 61)}, "too long"),
    ("table", {"table": _table(_key(), Column("a", Text), schema="s")}, "give the table without"),
    ("table", {"table": _table(_key())}, "and some other columns"),
    ("table", {"table": _table(Column("key", Text), Column("a", Text))}, "exactly one primary-key column"),
    ("table", {"table": _table(_key(), Column("a", Text, primary_key=True))}, "exactly one primary-key column"),
    ("table", {"table": _table(Column("key", Integer, primary_key=True), Column("a", Text))}, "of Text"),
    ("table", {"table": _table(_key(), Column("a", Text, unique=True))}, "leave them out"),
    ("table", {"table": _table(_key(), Column("a", Text, ForeignKey("b.c")))}, "leave them out"),
    ("table", {"table": _table(_key(), Column("a", Text), CheckConstraint("a > 0"))}, "leave them out"),
    ("table", {"table": _table(_key(), Column("a", Text), Index("i", "a", unique=True))}, "may not be unique"),
    ("table", {"table": _table(_key(), Column("a", Text), Index("workflows_status", "a"))}, "a name of ours"),
    ("table", {"table": _table(_key(), Column("a", Integer, Computed("1")))}, "column 'a'"),
    ("table", {"table": _table(_key(), Column("a", Integer, key="b"))}, "column 'a'"),
    ("table", {"table": _table(_key(), Column("a", Float(24)))}, "use Double"),
    ("table", {"table": _table(_key(), Column("a", Numeric))}, "such as Numeric(12, 2)"),
    ("table", {"table": _table(_key(), Column("a", Numeric(16, 2)))}, "at most 15 digits"),
    *(
        ("table", {"table": _table(_key(), Column("a", kind))}, "is none of Text, String")
        for kind in (LargeBinary, Time, Uuid, Enum("x", "y"), JSONB)
    ),
]


@pytest.mark.parametrize(("field", "change", "remedy"), REFUSED)
def test_what_is_declared_wrongly_is_refused_with_field_and_remedy(
    field: str, change: dict[str, Any], remedy: str
) -> None:
    """Nothing of it reaches a store."""
    given = {"name": "shop"} | change
    with pytest.raises(DeclarationError) as caught:
        shop(**given)
    assert str(caught.value).startswith(f"Projection {str(given['name'])!r}: {field}: ")
    assert remedy in str(caught.value)


@pytest.mark.parametrize("name", sorted(tables.metadata.tables))
def test_no_table_of_ours_can_be_a_users(name: str) -> None:
    """Whatever is added to them."""
    with pytest.raises(DeclarationError, match="is a name of ours"):
        shop(table=table(name))


def test_a_declaration_is_the_same_while_its_table_and_events_are() -> None:
    """Its digest does not depend on the order of the events, nor on the process."""
    assert shop().declared == shop(of=[SoldLater, Sold], version=3).declared == "2f8a5fcbc4d3e308"
    others = [shop(of=[Sold]), shop(table=table("others")), shop(table=_table(_key(), Column("a", JSON)))]
    assert len({shop().declared, *(one.declared for one in others)}) == 4


def test_the_public_names_are_these() -> None:
    """Adding one is a decision; taking one away breaks somebody."""
    assert farandole_observe.__all__ == ["Projection", "Recorded", "open_projection"]
    assert all(getattr(farandole_observe, name).__name__ == name for name in farandole_observe.__all__)
    assert not hasattr(farandole_observe, "nothing")


def test_a_projection_is_plain_and_its_functions_stay_callable() -> None:
    """A unit test of a fold needs no framework."""
    projection = shop()
    assert (projection.key, projection.fold) == (item_of, in_order)
    with pytest.raises(AttributeError):
        projection.version = 2  # type: ignore[misc]
