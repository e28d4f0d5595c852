import numpy as np
import pytest

from hvr_nb.geometry.camera import default_camera
from hvr_nb.methods.nvr.batch import draw_rays
from hvr_nb.methods.nvr.data import RaySet
from hvr_nb.methods.nvr.options import Options
from hvr_nb.types import HvrError

WIDTH, HEIGHT = 40, 30


@pytest.fixture
def rays():
    """Three frames; every pixel of rows 5 to 24 and columns 3 to 36 has a ray whose red is its column."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[5:25, 3:37] = True
    pixel = np.flatnonzero(inside).astype(np.int32)
    colour = np.stack([pixel % WIDTH, pixel // WIDTH, pixel * 0], -1).astype(np.uint8)
    bounds = np.tile(np.float32([2, 3, 3, 3]), (len(pixel), 1))
    return RaySet(
        len(pixel) * np.arange(4),
        np.tile(pixel, 3),
        np.tile(bounds, (3, 1)),
        np.tile(colour, (3, 1)),
        np.full(3 * len(pixel), 255, np.uint8),
    )


def test_patches_are_squares_of_neighbouring_pixels(rays):
    options = Options(iters=1, rays=300, frames=3, structure=0.1, patches=2, patch_side=6)
    batch = draw_rays(rays, default_camera(WIDTH, HEIGHT), options, np.random.default_rng(0))
    assert len(batch.rgb) == 300 and batch.patch.shape == batch.filmed.shape == (2, 36)
    assert (np.diff(batch.slot) >= 0).all(), "frame after frame"
    for patch, filmed in zip(batch.patch, batch.filmed, strict=True):
        assert len(set(batch.slot[patch])) == 1
        at = np.round(batch.rgb[patch][:, :2] * 255).astype(int)
        corner = (at - np.stack(np.meshgrid(range(6), range(6)), -1).reshape(-1, 2))[filmed]
        assert filmed.any() and (corner == corner[0]).all(), "columns and rows count up from one corner"
        assert (np.ptp(batch.background[patch], axis=0) == 0).all(), "one background for a patch"
    assert np.ptp(batch.background, axis=0).min() > 0.5


def test_at_the_edge_missing_pixels_are_marked(rays):
    options = Options(iters=1, rays=300, frames=3, structure=0.1, patches=3, patch_side=10)
    part = [
        draw_rays(rays, default_camera(WIDTH, HEIGHT), options, np.random.default_rng(k)).filmed
        for k in range(20)
    ]
    share = np.concatenate(part).mean(1)
    assert share.max() == 1.0 and 0.2 < share.min() < 1.0


def test_rays_are_scattered_unless_patches_are_asked_for_and_fit_in(rays):
    camera = default_camera(WIDTH, HEIGHT)
    plain = Options(iters=1, rays=300, frames=3, structure=0.0)
    assert len(draw_rays(rays, camera, plain, np.random.default_rng(0)).patch) == 0
    crowded = Options(iters=1, rays=60, frames=3, structure=0.1, patch_side=8)
    with pytest.raises(HvrError, match="raise rays to 192"):
        draw_rays(rays, camera, crowded, np.random.default_rng(0))
