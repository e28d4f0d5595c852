"""LPIPS: the published values with made-up weights, both ranges, what is missing or wrong."""

import numpy as np
import pytest
import torch

from hvr_nb.learning.lpips import VGG_FILE, Lpips, load_lpips, lpips, lpips_missing
from hvr_nb.types import HvrError


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pairs of pictures (2, 3, 48, 32) in 0..1."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(32.0), indexing="ij")
    a = torch.stack(
        [torch.stack([torch.sin(x / 3 + k), torch.cos(y / 4), torch.sin((x + y) / 5 + k)]) for k in (0, 1)]
    )
    b = torch.roll(a, 2, dims=3) * 0.9
    return a / 2 + 0.5, b / 2 + 0.5


@pytest.fixture(scope="module")
def net(made_up_vgg):
    return Lpips(made_up_vgg)


def test_the_package_lpips_gives_the_same_values(net):
    # lpips 0.1.4, net="vgg", version 0.1, with these weights in its VGG16
    a, b = pictures()
    assert net(2 * a - 1, 2 * b - 1).tolist() == pytest.approx([7.7343755e-4, 8.5799448e-4], rel=1e-4)
    assert net(a, b).tolist() == pytest.approx([1.6533809e-4, 1.6978678e-4], rel=1e-4)


def test_equal_pictures_are_at_no_distance_and_gradients_reach_the_pictures(net):
    a, b = pictures()
    assert net(a, a).abs().max() == 0
    a.requires_grad_(True)
    net(a, b).sum().backward()
    step = a.detach() - 0.01 * a.grad / a.grad.abs().max()
    assert net(step, b).sum() < net(a, b).sum()
    assert all(p.grad is None for p in net.parameters())


def test_both_ranges_stand_side_by_side(net):
    a, b = (x.permute(0, 2, 3, 1).numpy() for x in pictures())
    found = lpips(a, b, net)
    assert found["lpips"] == pytest.approx(np.mean([7.7343755e-4, 8.5799448e-4]), rel=1e-4)
    assert found["published_lpips"] == pytest.approx(np.mean([1.6533809e-4, 1.6978678e-4]), rel=1e-4)
    as_bytes = lpips(*((x * 255).round().astype(np.uint8) for x in (a, b)), net)
    assert as_bytes["lpips"] == pytest.approx(found["lpips"], rel=0.05)


def test_pictures_that_do_not_fit_are_refused(net):
    with pytest.raises(HvrError, match="16 pixels"):
        net(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(HvrError, match="one size"):
        net(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 48))


def test_weights_are_found_and_their_absence_is_said(vgg_places, made_up_vgg):
    assert "data/models" in lpips_missing()
    with pytest.raises(HvrError, match=VGG_FILE):
        load_lpips()
    torch.save({**made_up_vgg, "classifier.0.weight": torch.zeros(2)}, vgg_places[1])
    assert lpips_missing() == ""
    a, b = pictures()
    assert load_lpips()(2 * a - 1, 2 * b - 1)[0] == pytest.approx(7.7343755e-4, rel=1e-4)


def test_a_foreign_or_hostile_file_is_named(vgg_places):
    torch.save({"features.0.weight": torch.zeros(3)}, vgg_places[0])
    with pytest.raises(HvrError, match="not torchvision"):
        load_lpips()

    class Hostile:
        def __reduce__(self):
            return print, ("unpickled",)

    torch.save(Hostile(), vgg_places[0])
    with pytest.raises(HvrError, match="not torchvision"):
        load_lpips()
