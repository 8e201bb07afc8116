"""A masked tile becomes its share of the product."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numexpr
import numpy as np
import numpy.typing as npt
import pytest

from farandole import Context
from indices.events import Origin, Scene, TileMasked
from indices.indices import CLOUD, WATER
from indices.steps import index, numexpr_threads

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
SCENE = Scene(width=8, height=6, transform=(10, 0, 330000, 0, -10, 5822040), tiles=1, origin=ORIGIN)
WATER_SURFACE = (0.08, 0.07, 0.05, 0.02)


@pytest.fixture
def tile(ctx: Context, raster: Callable[..., Path]) -> TileMasked:
    """Water, one pixel of it under a cloud."""
    reflectance = np.broadcast_to(np.array(WATER_SURFACE, dtype=np.float32)[:, None, None], (4, 6, 8)).copy()
    mask = np.zeros((1, 6, 8), dtype=np.uint8)
    mask[0, 2, 3] = 1
    return TileMasked(
        scene_id="s-1",
        tile_id="s-1/0",
        index=0,
        reflectance=ctx.save(raster("r.tif", reflectance, ["blue", "green", "red", "nir"])),
        mask=ctx.save(raster("m.tif", mask)),
        core=(1, 1, 5, 4),
        scene=SCENE,
    )


def test_the_core_alone_is_classified(
    ctx: Context, tile: TileMasked, pixels_of: Callable[[Path], npt.NDArray[Any]]
) -> None:
    """The halo is gone, and what it surrounded is handed on."""
    done = index(tile, ctx, numexpr_threads=1)
    classes = pixels_of(ctx.fetch(done.image))[0]
    expected = np.full((4, 5), WATER)
    expected[1, 2] = CLOUD
    assert (classes == expected).all()
    assert (done.scene_id, done.tile_id, done.index, done.scene) == ("s-1", "s-1/0", 0, SCENE)


def test_a_core_beyond_the_tile_is_refused_for_good(ctx: Context, tile: TileMasked) -> None:
    """Trying again would find the same tile."""
    with pytest.raises(ValueError, match="does not lie within") as caught:
        index(tile.model_copy(update={"core": (4, 1, 5, 4)}), ctx, numexpr_threads=1)
    assert index.policy.retry.is_terminal(caught.value)


def test_numexpr_runs_in_one_thread_while_the_service_runs_and_as_before_after_it() -> None:
    """The step's own threads fill the cores."""
    before = numexpr.set_num_threads(2)
    try:
        (threads,) = numexpr_threads()
        assert threads == 1
        assert numexpr.get_num_threads() == 2
        opened = numexpr_threads()
        next(opened)
        assert numexpr.get_num_threads() == 1
        opened.close()
    finally:
        numexpr.set_num_threads(before)
