import pytest
import torch

from hvr_nb.methods.nvr.volrend import composite, crossing_weights, distortion, expected_depth


def wall(count, at=0.5, softness=0.01, offset=0.5):
    """A ray of length 1 that meets a wall head-on."""
    z = (torch.arange(count) + offset)[None] / count
    return z, crossing_weights(at - z, softness, torch.ones_like(z, dtype=torch.bool))


@pytest.mark.parametrize("count", [20, 50, 400])
@pytest.mark.parametrize("softness", [0.002, 0.02])
def test_a_wall_is_opaque_and_seen_where_it_is(count, softness):
    depths = []
    for offset in torch.linspace(0.05, 0.95, 7):
        z, weights = wall(count, softness=softness, offset=offset)
        assert weights.sum() == pytest.approx(1, abs=1e-4)
        depths.append(float(expected_depth(weights, z)))
    error = sum(depths) / len(depths) - 0.5
    assert abs(error) < 0.002 + 0.05 / count


def test_a_ray_that_just_touches_is_half_opaque_however_sampled():
    for count in (21, 201):
        z = torch.linspace(-1, 1, count)[None]
        weights = crossing_weights(z.abs(), 0.01, torch.ones_like(z, dtype=torch.bool))
        assert weights.sum() == pytest.approx(0.5, abs=1e-3)


def test_samples_without_colour_hide_but_do_not_show():
    height = torch.tensor([[1.0, -1.0, -1.0]])
    known = torch.tensor([[True, False, True]])
    weights = crossing_weights(height, 0.01, known)
    assert weights[0, 1] == 0 and weights[0, 2] == pytest.approx(0, abs=1e-5)
    behind = crossing_weights(height, 0.01, torch.tensor([[False, True, True]]))
    torch.testing.assert_close(behind, torch.tensor([[0.0, 1.0, 0.0]]), atol=1e-5, rtol=0)


def test_colour_is_that_of_the_crossing():
    z, weights = wall(10, at=0.5, softness=0.002)
    colour = composite(weights, z[..., None].expand(1, 10, 3))
    torch.testing.assert_close(colour, torch.full((1, 3), 0.5), atol=1e-3, rtol=0)
    assert expected_depth(weights * 0, z) == 0


def test_distortion_equals_the_sum_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    w = torch.rand(5, 12, generator=generator)
    step = torch.rand(5, 12, generator=generator) * 0.1 + 0.01
    m = torch.cumsum(step, -1)
    pairs = (w[:, :, None] * w[:, None] * (m[:, :, None] - m[:, None]).abs()).sum((1, 2))
    torch.testing.assert_close(distortion(w, m, step), pairs + (w**2 * step).sum(-1) / 3)


def test_height_moves_weight_the_right_way():
    height = torch.tensor([[0.05, 0.01, 0.0, -0.03]], requires_grad=True)
    weights = crossing_weights(height, 0.01, torch.ones(1, 4, dtype=torch.bool))
    weights[0, :2].sum().backward()
    assert height.grad[0, 1] < 0  # a surface nearer to the second sample makes it more visible
