import pytest
import torch

from hvr_nb.volrend import composite, distortion, expected_depth, ray_weights


def test_constant_density_has_the_closed_form():
    density, length, count = 3.0, 0.8, 10
    step = torch.full((1, count), length / count)
    weights = ray_weights(torch.full((1, count), density), step)
    opacity = 1 - torch.exp(torch.tensor(-density * length))
    assert weights.sum() == pytest.approx(float(opacity), abs=1e-6)
    colour = composite(weights, torch.tensor([0.2, 0.4, 0.6]).expand(1, count, 3))
    torch.testing.assert_close(colour[0], opacity * torch.tensor([0.2, 0.4, 0.6]))


@pytest.mark.parametrize("count", [4, 64])
def test_opacity_does_not_depend_on_the_number_of_samples(count):
    weights = ray_weights(torch.full((1, count), 5.0), torch.full((1, count), 0.4 / count))
    assert weights.sum() == pytest.approx(0.8646647, abs=1e-5)


def test_what_is_behind_a_wall_is_not_seen():
    density = torch.tensor([[0.0, 1e5, 7.0]])
    weights = ray_weights(density, torch.full((1, 3), 0.1))
    torch.testing.assert_close(weights, torch.tensor([[0.0, 1.0, 0.0]]))
    assert expected_depth(weights, torch.tensor([[1.0, 2.0, 3.0]])) == pytest.approx(2.0)
    assert expected_depth(weights * 0, torch.tensor([[1.0, 2.0, 3.0]])) == 0


def test_distortion_equals_the_sum_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    w = torch.rand(5, 12, generator=generator)
    step = torch.rand(5, 12, generator=generator) * 0.1 + 0.01
    m = torch.cumsum(step, -1)
    pairs = (w[:, :, None] * w[:, None] * (m[:, :, None] - m[:, None]).abs()).sum((1, 2))
    torch.testing.assert_close(distortion(w, m, step), pairs + (w**2 * step).sum(-1) / 3)


def test_gradients_are_right():
    density = (torch.rand(3, 6, dtype=torch.double) * 5).requires_grad_()
    step = torch.full((3, 6), 0.1, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda d: ray_weights(d, step), density)
