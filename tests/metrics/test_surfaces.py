"""Points on surfaces and the distance of two surfaces."""

import numpy as np
import pytest
import trimesh

from hvr_nb.metrics.surfaces import surface_flicker, surface_quality, surface_samples
from hvr_nb.types import Mesh


def ball(radius: float) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces))


def test_samples_are_even_over_the_area_and_the_same_for_a_seed():
    small = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [8, 0, 0], [5, 1, 0.0]])
    two = Mesh(small, np.array([[0, 1, 2], [3, 4, 5]]))  # areas 0.5 and 1.5
    points, normals = surface_samples(two, 20_000, seed=1)
    assert (points[:, 0] > 4).mean() == pytest.approx(0.75, abs=0.01)
    left = points[points[:, 0] < 4]
    np.testing.assert_allclose(left.mean(0), [1 / 3, 1 / 3, 0], atol=0.01)
    np.testing.assert_allclose(normals, [[0, 0, 1.0]] * len(points))
    np.testing.assert_array_equal(points, surface_samples(two, 20_000, seed=1)[0])
    assert (points != surface_samples(two, 20_000, seed=2)[0]).any()


def test_balls_of_two_sizes_are_a_centimetre_apart():
    row = surface_quality(ball(0.11), ball(0.1), samples=20_000)
    assert row["accuracy_mm"] == pytest.approx(10, abs=0.3) and row["chamfer_mm"] == pytest.approx(
        10, abs=0.3
    )
    assert row["normal_deg"] < 3


def test_flicker_is_what_trembles_over_the_moving_skin():
    skin = np.stack([ball(0.1).vertices + [0.2 * k, 0, 0] for k in range(5)])  # it moves
    still = [Mesh(v * 1.0, ball(0.1).faces) for v in skin]
    for k, mesh in enumerate(still):
        mesh.vertices[:] = skin[k].mean(0) + (skin[k] - skin[k].mean(0)) * 1.1
    assert surface_flicker(still, skin) == pytest.approx(0, abs=1e-5)
    for k, mesh in enumerate(still):
        mesh.vertices[:] = skin[k].mean(0) + (skin[k] - skin[k].mean(0)) * (1.1 + 0.02 * (-1) ** k)
    assert surface_flicker(still, skin) == pytest.approx(0.004, rel=0.05)  # two millimetres up and down
