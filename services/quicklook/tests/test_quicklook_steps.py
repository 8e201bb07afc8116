"""A mosaic becomes a picture of the size that its event says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farandole import Context
from quicklook.events import SceneMosaicked
from quicklook.steps import render

BANDS = ("class", "red", "green", "blue")
Raster = Callable[..., Path]


def mosaicked(ctx: Context, image: Path) -> SceneMosaicked:
    return SceneMosaicked(scene_id="s-1", image=ctx.save(image, "image/tiff"))


def test_the_picture_is_a_png_of_the_size_that_is_told(ctx: Context, raster: Raster) -> None:
    """And the same bytes again."""
    scene = mosaicked(ctx, raster("mosaic.tif", np.ones((4, 20, 30), dtype=np.int16), BANDS))
    done = render(scene, ctx)
    with Image.open(ctx.fetch(done.quicklook)) as picture:
        assert (picture.format, picture.size) == ("PNG", (done.width, done.height))
    assert done.quicklook.media_type == "image/png"
    assert render(scene, ctx) == done


def test_a_mosaic_that_lacks_a_band_is_refused_for_good(ctx: Context, raster: Raster) -> None:
    """There is no colour without it."""
    scene = mosaicked(ctx, raster("mosaic.tif", np.ones((3, 20, 30), dtype=np.int16), BANDS[:3]))
    with pytest.raises(ValueError, match="not in") as caught:
        render(scene, ctx)
    assert render.policy.retry.is_terminal(caught.value)
