"""The project's own lifting network: what it reads from rays, how far it looks, clips of any length."""

import pytest
import torch

from hvr_nb.body.joint_sets import COCO_MIRROR
from hvr_nb.lift.network import AROUND, Lifter
from hvr_nb.lift.view import USUAL_SIZE, _far


def clip(frames, seed=0):
    x = torch.randn(2, frames, 18, 3, generator=torch.Generator().manual_seed(seed))
    x[..., 2] = 1.0
    return x


def small(**options):
    torch.manual_seed(0)
    return Lifter(channels=24, dilations=(0, 2), context=8, **options).eval()


def test_without_steps_joints_lie_on_their_rays():
    model, x = small(), clip(3)
    with torch.no_grad():
        model.out.weight.zero_(), model.out.bias.zero_()
        y = model(x)
    trust = torch.sigmoid(torch.tensor(2.0))
    hips = (x[:, :, 11, :2] + x[:, :, 12, :2]) / 2
    assert torch.allclose(y[:, :, 16, :2], 0.42 * trust * (x[:, :, 10, :2] - hips), atol=1e-6)  # right wrist
    assert torch.all(y[..., 2] == 0) and torch.all(y[:, :, 0] == 0)
    with torch.no_grad():
        model.out.bias[3 * 16 + 2] = 0.5  # half a metre behind its plane: farther out on its ray
        deeper = model(x) - y
    size = (x[:, :, 17, :1] + USUAL_SIZE).exp()
    assert torch.allclose(deeper[:, :, 16, :2], 0.5 * trust * size * x[:, :, 10, :2], atol=1e-6)


def test_a_missing_joint_has_no_ray():
    model, x = small(), clip(4)
    with torch.no_grad():
        model.out.weight.zero_(), model.out.bias.zero_()
        x[:, :, 10, 2] = 0
        before = model(x)
        x[:, :, 10, :2] += 5
        assert torch.equal(model(x)[:, :, 16], before[:, :, 16])


def test_it_looks_two_seconds_around_and_no_farther():
    model, x = small(), clip(120)
    reach = 1 + AROUND + 2  # the first convolution, the mean, the block behind it
    with torch.no_grad():
        before = model(x)
        for gap, moved in ((reach, True), (reach + 2, False)):
            other = x.clone()
            other[:, 60 + gap] += 1
            assert bool((model(other)[:, 60] != before[:, 60]).any()) == moved


@pytest.mark.parametrize("frames", [1, 2, 5, 200])
def test_clips_of_any_length(frames):
    y = small()(clip(frames))
    assert y.shape == (2, frames, 17, 3) and torch.isfinite(y).all()


def test_every_weight_learns():
    model, x = small().train(), clip(6)
    model(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_left_and_right_rays_belong_together():
    x = torch.randn(17, generator=torch.Generator().manual_seed(1))
    mirror = [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]
    rays = small().rays
    assert torch.allclose((rays @ x)[mirror], rays @ x[list(COCO_MIRROR)])


def test_far_frames_count_a_tenth_less_with_each_frame():
    values = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    share = 0.9 ** (torch.arange(6.0)[:, None] - torch.arange(6.0)).abs()
    torch.testing.assert_close(_far(values), torch.einsum("st,btc->bsc", share, values))
