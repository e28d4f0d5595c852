"""The lifters' networks against numbers of the published modules (docs/perception.md, 8)."""

import math

import pytest
import torch

from hvr_nb.lift.stmo import MaskedStmo, Refine, Stmo, draw_masks, start_from
from hvr_nb.lift.temporal import Stream, TemporalModel, pad_clip
from hvr_nb.types import HvrError


def filled(model):
    """The fill rule of the golden vectors: every value from its index and the length of its name."""
    state = {}
    for key, old in model.state_dict().items():
        if not old.is_floating_point():
            continue
        s = torch.sin(0.37 * torch.arange(old.numel(), dtype=torch.float64) + 0.11 * len(key))
        if key.endswith("running_var"):
            s = 1 + 0.1 * s.abs()
        elif key.endswith("running_mean"):
            s = 0.1 * s
        elif old.ndim == 1 and key.endswith(("weight", "a_2")):
            s = 1 + 0.05 * s
        else:
            s = 0.05 * s
        state[key] = s.float().view(old.shape)
    model.load_state_dict(state, strict=False)
    return model.eval().requires_grad_(False)


def clip(*shape):
    return torch.sin(0.05 * torch.arange(math.prod(shape), dtype=torch.float64)).float().view(shape)


def agrees(y, first, mean=None, size=None, tolerance=1.5e-6):
    y = y.flatten().double()
    assert torch.allclose(y[:4], torch.tensor(first, dtype=torch.float64), atol=tolerance, rtol=0)
    if mean is not None:
        assert float(y.mean()) == pytest.approx(mean, abs=1e-7)
    if size is not None:
        assert float(y.abs().mean()) == pytest.approx(size, rel=1e-6, abs=1e-7)


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_temporal_model_gives_the_published_numbers():
    y = filled(TemporalModel(widths=(3, 3), channels=8))(clip(1, 9, 17, 2))
    assert y.shape == (1, 1, 17, 3)
    agrees(y, [0.050204, 0.042942, 0.056904, 0.023099], 8.02e-5, 0.0336862)
    model = TemporalModel(widths=(3, 3, 3), channels=16)
    y = filled(model)(clip(1, 29, 17, 2))
    assert y.shape == (1, 3, 17, 3)
    agrees(y, [0.052583, 0.075817, 0.088915, 0.090187], 3.074e-4, 0.0528466)
    causal = filled(TemporalModel(widths=(3, 3, 3), channels=16, causal=True))
    agrees(causal(clip(1, 29, 17, 2)), [0.049091, 0.074434, 0.089823, 0.093267], 2.89e-4, 0.0505089)


@pytest.mark.parametrize(
    "widths, field, parameters",
    [((3, 3, 3), 27, 8_555_571), ((3, 3, 3, 3), 81, 12_753_971), ((3, 3, 3, 3, 3), 243, 16_952_371)],
)
def test_temporal_sizes(widths, field, parameters):
    with torch.device("meta"):
        model = TemporalModel(widths=widths)
        trajectory = TemporalModel(widths=widths, joints_out=1)
    assert model.receptive_field == field and count(model) == parameters
    assert count(model) - count(trajectory) == 48 * 1025
    if field == 243:
        assert count(trajectory) == 16_903_171 and len(model.state_dict()) == 56
    assert TemporalModel(widths=(3, 3, 7), channels=4).receptive_field == 63


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(3, 3, 3), (3, 5, 1), (5, 3)])
def test_strided_twin_equals_the_dilated_network(causal, widths):
    model = filled(TemporalModel(widths=widths, channels=16, causal=causal))
    field = model.receptive_field
    x = clip(2, 4 * field, 17, 2)
    windows = model(x, strided=True)
    assert windows.shape == (2, 4, 17, 3)
    assert (windows - model(x)[:, ::field]).abs().max() < 1e-5


def test_a_stream_equals_the_whole_clip():
    torch.manual_seed(1)  # layers of different weights
    model = TemporalModel(widths=(3, 5, 3), channels=16, causal=True).eval()
    x = torch.randn(2, 50, 17, 2, generator=torch.Generator().manual_seed(0))
    whole, stream = model(pad_clip(x, model)), Stream(model)
    live = torch.stack([stream.push(x[:, t]) for t in range(50)], 1)
    assert whole.shape == live.shape == (2, 50, 17, 3)
    assert (whole - live).abs().max() < 1e-5
    changed = x.clone()
    changed[:, 40:] += 1
    assert torch.equal(model(pad_clip(changed, model))[:, :40], whole[:, :40])  # it does not look ahead
    with pytest.raises(HvrError, match="causal"):
        Stream(TemporalModel(widths=(3,), channels=4))


def test_wrong_clips_are_named():
    model = TemporalModel(widths=(3, 3), channels=4)
    with pytest.raises(HvrError, match="8 frames.*9"):
        model(torch.zeros(1, 8, 17, 2))
    with pytest.raises(HvrError, match="34 values"):
        model(torch.zeros(1, 9, 17, 3))
    with pytest.raises(HvrError, match="odd"):
        TemporalModel(widths=(3, 2))
    with pytest.raises(HvrError, match="27"):
        Stmo(81, 1, channels=16, hidden=16, strides=(3, 3, 3))
    with pytest.raises(HvrError, match="26 frames"):
        Stmo(27, 1, channels=16, hidden=16, strides=(3, 3, 3))(torch.zeros(1, 2, 26, 17, 1))


def test_stmo_gives_the_published_numbers():
    one, every = filled(Stmo())(clip(1, 2, 243, 17, 1))
    assert one.shape == (1, 3, 1, 17, 1) and every.shape == (1, 3, 243, 17, 1)
    agrees(one, [-0.710069, -4.378618, -0.611025, 4.185836], -0.1030993, 2.8362914, 2e-6)
    agrees(every, [-0.82756, -1.243363, 0.464796, 1.374785], -0.0122619, 1.1640481, 2e-6)
    one, every = filled(Stmo(27, 2, channels=32, hidden=64, strides=(3, 3, 3)))(clip(1, 2, 27, 17, 1))
    agrees(one, [-0.071044, 0.373409, -0.274199, -0.078041], None, 0.2207873)
    agrees(every, [-0.009178, 0.145991, -0.091327, -0.081028], None, 0.0990237)


def test_pre_training_gives_the_published_numbers():
    model = filled(MaskedStmo(27, 2, channels=32, hidden=64))
    frames, joints = torch.zeros(27, dtype=torch.bool), torch.zeros(27, 17, dtype=torch.bool)
    frames[5:26], joints[:, [3, 10]] = True, True
    x = clip(1, 2, 27, 17, 1)
    rebuilt, target = model(x, frames, joints)
    assert rebuilt.shape == (1, 2, 27, 17, 1)
    agrees(rebuilt, [0.022734, 0.034429, 0.028052, 0.007402], None, 0.0253321)
    assert torch.equal(target[:, :, :6], x[:, :, [0, 1, 2, 3, 4, 26]])
    hidden = x.clone()
    hidden[:, :, 5:26] = 9
    hidden[:, :, :, [3, 10]] = 9
    assert torch.equal(model(hidden, frames, joints)[0], rebuilt)  # what is masked is not looked at


def test_stmo_sizes():
    with torch.device("meta"):
        assert count(Stmo()) == 6_482_278 and len(Stmo().state_dict()) == 173
        assert count(Stmo(layers=4)) == 7_009_382 and len(Stmo(layers=4).state_dict()) == 189
        assert count(Stmo(81, strides=(3, 3, 3, 3))) == 5_527_142
        assert count(MaskedStmo()) == 2_656_036 and count(MaskedStmo(layers=4)) == 3_315_620


def test_pre_training_hands_over_the_encoder():
    small = {"channels": 16, "hidden": 16, "heads": 2}
    first, second = MaskedStmo(27, 3, **small), Stmo(27, 3, strides=(3, 3, 3), **small)
    names = start_from(second, first)
    assert len(names) == 74 and all(name.startswith(("encoder.", "Transformer.")) for name in names)
    assert torch.equal(second.encoder.fc_1.weight, first.encoder.fc_1.weight)


def test_masks_are_drawn_alike_and_reach_every_joint():
    drawn = [
        draw_masks(30, 17, share=0.8, per_frame=2, generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    ]
    assert torch.equal(drawn[0][0], drawn[1][0]) and torch.equal(drawn[0][1], drawn[1][1])
    frames, joints = drawn[0]
    assert frames.sum() == 24 and (joints.sum(1) == 2).all() and joints[:, 16].any()


def test_pre_training_learns():
    torch.manual_seed(0)
    model = MaskedStmo(9, 2, channels=16, hidden=32, heads=2)
    x = torch.randn(8, 2, 1, 17, 1).expand(-1, -1, 9, -1, -1) + 0.05 * torch.randn(8, 2, 9, 17, 1)
    optimiser, losses = torch.optim.Adam(model.parameters(), 8e-3), []
    for step in range(25):
        frames, joints = draw_masks(
            9, 17, share=0.5, per_frame=2, generator=torch.Generator().manual_seed(step)
        )
        rebuilt, target = model(x, frames, joints)
        loss = (rebuilt - target).norm(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_refinement_stays_between_estimate_and_measurement():
    torch.manual_seed(0)
    a, b = torch.randn(2, 5, 17, 3)
    a[:, 0] = 0
    out = Refine().eval()(a, b)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    assert ((out >= low - 1e-6) & (out <= high + 1e-6))[:, 1:, :2].all()
    assert torch.equal(out[..., 2], a[..., 2])


def test_refinement_has_the_layout_of_the_published_file():
    model = Refine().eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == {
        "post_refine.0.weight": (1024, 102),
        "post_refine.0.bias": (1024,),
        "post_refine.3.weight": (34, 1024),
        "post_refine.3.bias": (34,),
    }
    for tensor in model.state_dict().values():
        tensor.zero_()
    state, (estimate, measured) = model.state_dict(), torch.randn(2, 1, 17, 3)
    # the y share of joint 5 follows the measured x of joint 3: input 6 * 3 + 3, output 2 * 5 + 1
    state["post_refine.0.weight"][0, 21], state["post_refine.3.weight"][11, 0] = 1, 2
    measured[0, 3, 0] = 0.7
    share = torch.full((17, 2), 0.5)
    share[5, 1] = 1 / (1 + math.exp(-1.4))
    wanted = share * estimate[0, :, :2] + (1 - share) * measured[0, :, :2]
    out = model(estimate, measured)
    assert torch.allclose(out[0, 1:, :2], wanted[1:], atol=1e-6)
    assert (out[0, 0] == 0).all()
    state["post_refine.0.weight"][0] = 0
    state["post_refine.0.weight"][0, 3] = 1  # the measured x of the root counts as zero
    assert torch.allclose(model(estimate, measured)[0, 5, 1], (estimate + measured)[0, 5, 1] / 2, atol=1e-6)
