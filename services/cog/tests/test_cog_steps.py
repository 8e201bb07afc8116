"""A mosaic becomes a product that passes validation, or none."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cog.events import Origin, SceneMosaicked
from cog.steps import write
from cog.write import NotCloudOptimised, check_cog
from farandole import Context

TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)
PIXELS = np.random.default_rng(7).integers(-9000, 9000, (2, 300, 600), dtype=np.int16)


@pytest.fixture
def mosaic(ctx: Context, raster: Callable[..., Path]) -> SceneMosaicked:
    image = ctx.save(raster("mosaic.tif", PIXELS, ["class", "ndvi"], nodata=-32768), "image/tiff")
    return SceneMosaicked(scene_id="s-1", image=image, tiles=3, missing=[1], origin=ORIGIN)


def test_the_product_is_valid_and_says_what_is_missing(
    ctx: Context, mosaic: SceneMosaicked, pixels_of: Callable[[Path], npt.NDArray[Any]]
) -> None:
    """Same pixels, same bytes again, and its media type says what it is."""
    done = write(mosaic, ctx)
    product = ctx.fetch(done.product)
    check_cog(product)
    assert (pixels_of(product) == PIXELS).all()
    assert "profile=cloud-optimized" in done.product.media_type
    assert (done.scene_id, done.tiles, done.missing, done.origin) == ("s-1", 3, [1], ORIGIN)
    assert write(mosaic, ctx) == done


def test_what_does_not_pass_validation_is_not_published(
    ctx: Context, mosaic: SceneMosaicked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For good: the same library would write the same file."""
    monkeypatch.setattr("cog.write.cog_validate", lambda *_, **__: (False, ["no overviews"], []))
    with pytest.raises(NotCloudOptimised, match="no overviews") as caught:
        write(mosaic, ctx)
    assert write.policy.retry.is_terminal(caught.value)
