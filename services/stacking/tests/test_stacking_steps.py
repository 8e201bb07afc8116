"""A validated scene becomes one GeoTIFF on the red band's grid."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from farandole import Context
from farandole.events.errors import ProgramFailed
from stacking.events import Band, Calibration, Origin, SceneValidated
from stacking.stack import StackError
from stacking.steps import stack

CALIBRATION = Calibration(scale=1e-4, offset=0.0, nodata=0, sun_elevation=None)
TAKEN = datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC)
ORIGIN = Origin(sensor="s", attribution="a", licence_url="https://example.org", acquired=TAKEN)

Raster = Callable[..., Path]
Read = Callable[[Path], npt.NDArray[Any]]


def counts(seed: int) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(1, 5000, (1, 48, 96), dtype=np.uint16)


def validated(ctx: Context, bands: dict[str, Path]) -> SceneValidated:
    parts = [Band(role=role, image=ctx.save(path, "image/tiff")) for role, path in bands.items()]
    return SceneValidated(scene_id="s-1", bands=parts, calibration=CALIBRATION, origin=ORIGIN)


def test_a_stack_holds_every_band_in_order_and_hands_on_what_it_does_not_use(
    ctx: Context, raster: Raster, pixels_of: Read
) -> None:
    """Through the programs that are installed; the same scene gives the same asset."""
    bands = {role: raster(f"{role}.tif", counts(seed)) for seed, role in enumerate(("nir", "red", "swir"))}
    scene = validated(ctx, bands)
    first, second = stack(scene, ctx), stack(scene, ctx)
    assert first == second
    assert first.bands == ["nir", "red", "swir"]
    assert (first.calibration, first.origin) == (CALIBRATION, ORIGIN)
    assert (pixels_of(ctx.fetch(first.image)) == np.concatenate([counts(seed) for seed in range(3)])).all()


def test_a_scene_without_a_red_band_is_refused_for_good(ctx: Context, raster: Raster) -> None:
    """There is no grid to put the others on."""
    with pytest.raises(StackError, match="no red band"):
        stack(validated(ctx, {"nir": raster("nir.tif", counts(0))}), ctx)
    assert stack.policy.retry.is_terminal(StackError())


def test_a_program_that_fails_is_an_error_with_its_words(ctx: Context, raster: Raster, tmp_path: Path) -> None:
    """Tried again: the disk may have been full."""
    red = raster("red.tif", counts(0))
    broken = tmp_path / "broken.tif"
    broken.write_bytes(red.read_bytes()[:3000])
    with pytest.raises(ProgramFailed) as caught:
        stack(validated(ctx, {"red": red, "nir": broken}), ctx)
    assert caught.value.tail
    assert not stack.policy.retry.is_terminal(caught.value)
