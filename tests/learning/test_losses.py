import pytest
import torch

from hvr_nb.learning.losses import charbonnier, opacity_loss, residual_norm, second_difference, structure


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


def test_structure_is_the_similarity_of_one_window_and_dislikes_blur():
    torch.manual_seed(0)
    target = torch.rand(2, 49, 3)
    all_of_it = torch.ones(2, 49, dtype=torch.bool)
    assert structure(target, target, all_of_it) == pytest.approx(0.0, abs=1e-6)
    from skimage.metrics import structural_similarity

    other = torch.rand(2, 49, 3)
    one_window = [
        structural_similarity(
            a.reshape(7, 7, 3).numpy(),
            b.reshape(7, 7, 3).numpy(),
            data_range=1.0,
            channel_axis=-1,
            win_size=7,
            use_sample_covariance=False,
        )
        for a, b in zip(other, target, strict=True)
    ]
    assert 1 - structure(other, target, all_of_it) == pytest.approx(sum(one_window) / 2, abs=1e-5)
    blurred = target.mean(1, keepdim=True).expand_as(target).clone().requires_grad_()
    loss = structure(blurred + 1e-3 * torch.rand_like(target), target, all_of_it)
    assert loss > 0.9
    loss.backward()
    assert torch.isfinite(blurred.grad).all()


def test_structure_leaves_pixels_without_a_ray_out():
    target = torch.rand(1, 16, 3)
    weight = torch.ones(1, 16, dtype=torch.bool)
    weight[0, 5:] = False
    wrong = target.clone()
    wrong[0, 5:] = 0
    assert structure(wrong, target, weight) == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(structure(target, target, torch.zeros(1, 16, dtype=torch.bool)))
