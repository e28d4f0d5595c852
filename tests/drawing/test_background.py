"""The film without its person."""

import numpy as np

from hvr_nb.drawing import film_background
from hvr_nb.types import Masks


def test_the_person_is_gone_and_the_rest_stays():
    x, y = np.meshgrid(np.linspace(0, 200, 160), np.linspace(0, 200, 120))
    wall = np.stack([x, y, np.full_like(x, 90)], -1).astype(np.uint8)
    alpha = np.zeros((2, 120, 160), np.uint8)
    alpha[:, 30:100, 60:100] = 255
    frames = np.where(alpha[..., None] > 0, np.uint8(255), wall)
    filled = film_background(frames, Masks(alpha, None))
    some = film_background(frames, Masks(alpha, None), which=np.array([1]))
    assert np.array_equal(some, filled[1:])
    far = np.s_[:, :20]
    assert filled.shape == frames.shape and (filled[far] == frames[far]).all()
    error = np.abs(filled.astype(int) - wall)
    assert error.max() < 70 and error[:, 30:100, 60:100].mean() < 20, "as its surroundings, no darker rim"


def test_a_picture_full_of_person_is_filled_with_something():
    frames = np.full((1, 20, 30, 3), 50, np.uint8)
    assert film_background(frames, Masks(np.full((1, 20, 30), 255, np.uint8), None)).shape == frames.shape
