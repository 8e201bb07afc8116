"""A product appears on the shelf, whole and described, and its event names the very files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from catalogue.events import CogWritten, Origin, QuicklookRendered
from catalogue.steps import CatalogueSettings, shelve
from farandole import Context

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
KNOWN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)


@pytest.fixture
def settings(tmp_path: Path) -> CatalogueSettings:
    return CatalogueSettings(shelf=tmp_path / "shelf")


@pytest.fixture
def cog(ctx: Context, raster: Callable[..., Path]) -> CogWritten:
    image = raster("product.tif", np.ones((2, 20, 30), dtype=np.int16), ["class", "ndvi"], nodata=-32768)
    return CogWritten(scene_id="s-1", product=ctx.save(image), tiles=18, missing=[], origin=KNOWN)


@pytest.fixture
def picture(ctx: Context, tmp_path: Path) -> QuicklookRendered:
    (tmp_path / "picture").write_bytes(b"some picture")
    return QuicklookRendered(scene_id="s-1", quicklook=ctx.save(tmp_path / "picture", "image/png"))


def properties(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "item.json").read_text())["properties"]
    return found


def test_the_folder_holds_what_the_event_names(
    ctx: Context, cog: CogWritten, picture: QuicklookRendered, settings: CatalogueSettings
) -> None:
    """Product, picture and item under the scene's name; a second attempt changes nothing."""
    done = shelve(cog, picture, ctx, settings)
    folder = settings.shelf / "s-1"
    named = {"product.tif": done.product, "quicklook.png": done.quicklook, "item.json": done.item}
    assert {path.name for path in folder.iterdir()} == set(named)
    for name, asset in named.items():
        assert (folder / name).read_bytes() == ctx.fetch(asset).read_bytes()
    assert properties(folder)["datetime"] == "2017-02-16T10:21:01Z"
    before = folder.resolve()
    assert shelve(cog, picture, ctx, settings) == done
    assert folder.resolve() == before


def test_another_product_of_the_scene_takes_the_place_of_the_first(
    ctx: Context, cog: CogWritten, picture: QuicklookRendered, settings: CatalogueSettings
) -> None:
    """The folder is complete before and after; the event still names what it was at the time."""
    first = shelve(cog, picture, ctx, settings)
    later = cog.model_copy(update={"origin": KNOWN.model_copy(update={"attribution": "b"})})
    second = shelve(later, picture, ctx, settings)
    assert first.item != second.item
    assert properties(settings.shelf / "s-1")["description"] == "b"
    assert json.loads(ctx.fetch(first.item).read_text())["properties"]["description"] == "a"


def test_a_product_with_gaps_says_so(
    ctx: Context, cog: CogWritten, picture: QuicklookRendered, settings: CatalogueSettings
) -> None:
    """Who reads the item alone must know."""
    done = shelve(cog.model_copy(update={"missing": [3, 17]}), picture, ctx, settings)
    assert done.missing == [3, 17]
    assert "2 of 18 tiles are missing (3, 17)" in properties(settings.shelf / "s-1")["description"]


def test_an_unknown_time_is_null_within_its_bounds_or_refused_without_them(
    ctx: Context, cog: CogWritten, picture: QuicklookRendered, settings: CatalogueSettings
) -> None:
    """No time is made up."""
    unknown = {"acquired": None, "not_before": "2013-02-11T00:00:00Z", "not_after": "2026-01-02T00:00:00Z"}
    bounded = Origin(**KNOWN.model_dump() | unknown)
    shelve(cog.model_copy(update={"origin": bounded}), picture, ctx, settings)
    found = properties(settings.shelf / "s-1")
    assert (found["datetime"], found["end_datetime"]) == (None, "2026-01-02T00:00:00Z")
    with pytest.raises(ValueError, match="neither known nor bounded") as caught:
        shelve(cog.model_copy(update={"origin": KNOWN.model_copy(update={"acquired": None})}), picture, ctx, settings)
    assert shelve.policy.retry.is_terminal(caught.value)


def test_a_scene_id_that_leads_out_of_the_shelf_is_refused_and_nothing_written(
    ctx: Context, cog: CogWritten, picture: QuicklookRendered, settings: CatalogueSettings
) -> None:
    """Whoever published it."""
    with pytest.raises(ValueError, match="cannot name a folder"):
        shelve(cog.model_copy(update={"scene_id": "../out"}), picture, ctx, settings)
    assert not settings.shelf.exists()
    assert not (settings.shelf.parent / "out").exists()


def test_the_shelf_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And without it the service does not start."""
    monkeypatch.setenv("CATALOGUE_SHELF", str(tmp_path))
    assert CatalogueSettings().shelf == tmp_path
    monkeypatch.delenv("CATALOGUE_SHELF")
    with pytest.raises(ValidationError, match="shelf"):
        CatalogueSettings()
