"""How much of an outline has no contrast."""

import cv2
import numpy as np
import pytest

from hvr_nb.evaluate.contrast import alike_outline

SHIRT, WALL = (40, 60, 120), (190, 180, 170)


def film(colours, *, frames=2):
    """A person-like ellipse in pictures whose left part, by share and colour, is the wall."""
    alpha = np.zeros((frames, 160, 120), np.uint8)
    cv2.ellipse(alpha[0], (60, 80), (30, 60), 0, 0, 360, 255, -1)
    alpha[:] = alpha[0]
    pictures = np.zeros((frames, 160, 120, 3), np.uint8)
    left = 0
    for share, colour in colours:
        right = left + round(120 * share)
        pictures[:, :, left:right] = colour
        left = right
    pictures[alpha > 127] = SHIRT
    noise = np.random.default_rng(0).normal(0, 3, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8), alpha


@pytest.mark.parametrize(
    ("colours", "share"),
    [
        ([(1.0, WALL)], 0.0),
        ([(0.5, WALL), (0.5, SHIRT)], 0.5),
        ([(1.0, (45, 62, 116))], 1.0),  # nearly the shirt's
    ],
)
def test_the_part_of_the_outline_before_its_own_colour(colours, share):
    assert alike_outline(*film(colours)) == pytest.approx(share, abs=0.06)


def test_frames_without_anybody_do_not_count():
    pictures, alpha = film([(1.0, SHIRT)])
    empty = np.zeros_like(alpha)
    together = alike_outline(np.concatenate([pictures, pictures]), np.concatenate([alpha, empty]))
    assert together == alike_outline(pictures, alpha) > 0.9
    assert np.isnan(alike_outline(pictures, empty))
    whole = np.full_like(alpha, 255)  # its outline is the picture's border
    assert np.isnan(alike_outline(pictures, whole))
