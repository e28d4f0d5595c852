import pytest
import torch

from hvr_nb.losses import charbonnier, opacity_loss, residual_norm, second_difference


def test_charbonnier_is_zero_when_equal_and_linear_far_away():
    a = torch.full((4, 3), 0.5)
    ones = torch.ones(4)
    assert charbonnier(a, a, ones) == 0
    assert charbonnier(a + 0.4, a, ones, scale=1e-3) == pytest.approx(0.4, abs=1e-3)
    assert charbonnier(a + 0.01, a, ones, scale=1.0) == pytest.approx(0.01**2 / 2, rel=1e-2)
    weight = torch.tensor([1.0, 0, 0, 0])
    b = a.clone()
    b[1:] = 0
    assert charbonnier(b, a, weight) == 0


def test_opacity_loss_is_least_at_the_silhouette():
    alpha = torch.tensor([0.0, 1.0, 0.3])
    ones = torch.ones(3)
    best = opacity_loss(alpha, alpha, ones)
    for change in (0.1, -0.1):
        assert opacity_loss((alpha + change).clamp(0, 1), alpha, ones) > best
    assert torch.isfinite(opacity_loss(1 - alpha, alpha, ones))


def test_residual_norm_is_a_weighted_mean_length():
    residual = torch.tensor([[0.03, 0.04, 0.0], [1.0, 0, 0]])
    assert residual_norm(residual, torch.tensor([1.0, 0.0])) == pytest.approx(0.05, abs=1e-4)
    zero = torch.zeros(2, 3, requires_grad=True)
    residual_norm(zero, torch.ones(2)).backward()
    assert torch.isfinite(zero.grad).all()


def test_second_difference_ignores_steady_motion():
    t = torch.arange(6.0)[:, None]
    assert second_difference(3 * t + 1) == 0
    assert second_difference(t**2) == pytest.approx(4.0)
    assert second_difference(t[:2]) == 0
