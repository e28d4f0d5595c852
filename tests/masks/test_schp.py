"""SCHP checkpoints: tensor names, normalisation facts, bad files, labels out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from golden import Golden

from hvr_nb.masks import schp
from hvr_nb.masks.schp import (
    AugmentCE2P,
    InPlaceABN,
    PyramidPooling,
    _affine,
    _boxes,
    load_schp,
    parse_with_schp,
)
from hvr_nb.types import HvrError, Masks

GOLDEN = Golden(__file__)
ABN = ("weight", "bias", "running_mean", "running_var")


def expected_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """The 603 tensors (docs/perception.md, 7), written out again from their description."""
    shapes = {}

    def conv(name, outside, inside, kernel, bias=False):
        shapes[f"{name}.weight"] = (outside, inside, kernel, kernel)
        if bias:
            shapes[f"{name}.bias"] = (outside,)

    def abn(name, channels):
        for key in ABN:
            shapes[f"{name}.{key}"] = (channels,)

    for i, (outside, inside) in enumerate([(64, 3), (64, 64), (128, 64)], 1):
        conv(f"conv{i}", outside, inside, 3)
        abn(f"bn{i}", outside)
    inside = 128
    for layer, (blocks, planes) in enumerate([(3, 64), (4, 128), (23, 256), (3, 512)], 1):
        for b in range(blocks):
            name = f"layer{layer}.{b}"
            three = [(planes, inside, 1), (planes, planes, 3), (4 * planes, planes, 1)]
            for i, (o, c, k) in enumerate(three, 1):
                conv(f"{name}.conv{i}", o, c, k)
                abn(f"{name}.bn{i}", o)
            if b == 0:
                conv(f"{name}.downsample.0", 4 * planes, inside, 1)
                abn(f"{name}.downsample.1", 4 * planes)
            inside = 4 * planes
    for s in range(4):
        conv(f"context_encoding.stages.{s}.1", 512, 2048, 1)
        abn(f"context_encoding.stages.{s}.2", 512)
    conv("context_encoding.bottleneck.0", 512, 4096, 3)
    abn("context_encoding.bottleneck.1", 512)
    for i, c in enumerate((256, 512, 1024), 1):
        conv(f"edge.conv{i}.0", 256, c, 1)
        abn(f"edge.conv{i}.1", 256)
    conv("edge.conv4", 2, 256, 3, bias=True)
    conv("edge.conv5", 2, 6, 1, bias=True)
    convs = [("conv1.0", 256, 512), ("conv2.0", 48, 256), ("conv3.0", 256, 304), ("conv3.2", 256, 256)]
    for name, o, c in convs:
        conv(f"decoder.{name}", o, c, 1)
        abn(f"decoder.{name[:-1]}{int(name[-1]) + 1}", o)
    conv("decoder.conv4", classes, 256, 1, bias=True)
    conv("fushion.0", 256, 1024, 1)
    abn("fushion.1", 256)
    conv("fushion.3", classes, 256, 1, bias=True)
    return shapes


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in expected_shapes(20).items():
        fan = max(1, int(np.prod(shape[1:])))
        value = torch.randn(shape, generator=generator) / fan**0.5
        state["module." + name] = value.abs() + 0.5 if name.endswith("running_var") else value
    path = tmp_path_factory.mktemp("schp") / "exp-schp-cihp.pth"
    torch.save({"state_dict": state, "epoch": 3}, path)
    return path


def test_names_and_shapes_are_those_of_the_checkpoint():
    with torch.device("meta"):
        state = AugmentCE2P(20).state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == expected_shapes(20)
    assert len(state) == 603


def test_strict_load_and_labels(checkpoint, monkeypatch):
    monkeypatch.setattr("hvr_nb.masks.schp._SETS", {20: ("CIHP", 129)})  # a smaller picture than 473: faster
    network = load_schp(checkpoint)
    assert not network.training
    stored = torch.load(checkpoint, weights_only=True)["state_dict"]["module.layer3.22.bn3.weight"]
    assert torch.equal(network.layer3[22].bn3.weight, stored)

    frames = np.random.default_rng(0).integers(0, 255, (2, 60, 40, 3), np.uint8)
    alpha = np.zeros((2, 60, 40), np.uint8)
    alpha[0, 10:50, 8:30] = 255
    out = parse_with_schp(frames, Masks(alpha), checkpoint)
    assert (out.labels[0][alpha[0] == 0] == 0).all() and (out.labels[0][alpha[0] > 0] > 0).all()
    assert out.labels.max() < 20 and not out.labels[1].any() and out.label_set == "CIHP"
    assert "exp-schp-cihp.pth" in out.parsing_source


def test_normalisation_uses_the_magnitude_of_gamma():
    layer = InPlaceABN(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.5, -1.0]))
        layer.running_mean.fill_(1.0)
        layer.running_var.fill_(4.0)
    x = torch.tensor([3.0, -3.0]).reshape(1, 2, 1, 1)
    sigma = (4.0 + 1e-5) ** 0.5
    y = layer(x).detach().flatten()
    torch.testing.assert_close(y[0], torch.tensor((2.0 + 1e-5) * 2 / sigma + 0.5))
    torch.testing.assert_close(y[1], torch.tensor(0.01 * ((3.0 + 1e-5) * -4 / sigma - 1.0)))  # leaky ReLU
    plain = InPlaceABN(2, activation=False)
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(plain(x).detach().flatten()[1], y[1] * 100)


def test_strides():
    network = AugmentCE2P(18, layers=(1, 1, 1, 1)).eval()
    for name, value in network.state_dict().items():  # numbers that do not depend on how torch draws
        if name.endswith(("weight", "bias")):
            value.copy_((torch.arange(value.numel()) * 0.61803399 % 1 - 0.5).reshape(value.shape) * 0.1)
    picture = torch.linspace(-1, 1, 3 * 64 * 96).reshape(1, 3, 64, 96).sin()
    with torch.inference_mode():
        logits = network(picture)
        assert logits.shape == (1, 18, 16, 24)
        GOLDEN.check("logits", logits)
        assert network.layer4(torch.zeros(1, 1024, 4, 6)).shape == (1, 2048, 4, 6)  # dilated, not strided
    assert network.layer4[0].conv2.dilation == (2, 2)


def test_affine_fits_the_padded_square():
    fit = _affine(100, 60, 50)
    corners = fit[:, :2] @ np.array([[0, 60], [0, 100]]) + fit[:, 2:]
    np.testing.assert_allclose(corners, [[10, 40], [0, 50]])


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(HvrError, match="nothing.pth is missing"):
        load_schp(tmp_path / "nothing.pth")
    text = tmp_path / "text.pth"
    text.write_text("hello")
    with pytest.raises(HvrError, match="text.pth"):
        load_schp(text)
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {"module.fc.weight": torch.zeros(3, 3)}}, other)
    with pytest.raises(HvrError, match=r"other.pth.*fushion"):
        load_schp(other)
    code = tmp_path / "code.pth"
    torch.save({"state_dict": {"x": np.random.default_rng(0)}}, code)  # needs unpickling of a class
    with pytest.raises(HvrError, match="code.pth"):
        load_schp(code)
    pascal = tmp_path / "pascal.pth"
    torch.save({"state_dict": {"module.fushion.3.weight": torch.zeros(7, 256, 1, 1)}}, pascal)
    with pytest.raises(HvrError, match="7 classes"):
        load_schp(pascal)
    part = tmp_path / "part.pth"
    torch.save({"fushion.3.weight": torch.zeros(20, 256, 1, 1)}, part)
    with pytest.raises(HvrError, match="does not fit"):
        load_schp(part)


def test_the_persons_box_is_a_tenth_wider_on_each_side():
    alpha = np.zeros((100, 80), np.uint8)
    alpha[30:71, 20:41], alpha[0, 0] = 128, 127
    assert list(_boxes(alpha)) == [(slice(None), slice(None)), (slice(26, 75), slice(18, 43))]
    alpha[0:95, 0:80] = 255
    assert list(_boxes(alpha))[1] == (slice(0, 104), slice(0, 88))  # slices may reach over the end


def test_the_pyramid_pools_to_its_cells():
    assert [stage[0].output_size for stage in PyramidPooling(8, 2).stages] == [1, 2, 3, 6]


class Echo(torch.nn.Module):
    """A network whose logits are its input."""

    def __init__(self, classes=3):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(1))
        self.decoder = SimpleNamespace(conv4=SimpleNamespace(out_channels=classes))

    def forward(self, x):
        return x


def test_logits_are_those_of_the_normalised_picture_at_its_own_size():
    """Blue, green, red; the middle of the padded square comes back to where it was."""
    y, x = np.mgrid[:30, :50]
    image = np.stack([4 * x + 10, 6 * y + 20, 200 - 2 * x - y], -1).astype(np.uint8)
    found = schp._logits(Echo(), image, 101)
    mean, deviation = [0.406, 0.456, 0.485], [0.225, 0.224, 0.229]
    expected = (image[..., ::-1] / 255 - mean) / deviation
    assert found.shape == (30, 50, 3)
    np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=0.03)


@pytest.mark.parametrize("classes, label_set, expected", [(20, "LIP", "LIP"), (18, "CIHP", "ATR")])
def test_the_logits_of_the_whole_picture_and_the_box_are_summed(monkeypatch, classes, label_set, expected):
    """Label 3 wins with 2 + 2 where the box is, label 5 with 3 elsewhere; background is no choice inside."""

    def logits(network, image, side):
        assert side == (473 if classes == 20 else 512)
        out = np.zeros((*image.shape[:2], classes), np.float32)
        out[..., 0], out[..., 3] = 9, 2
        if image.shape == (40, 40, 3):
            out[..., 5] = 3
        return out

    monkeypatch.setattr(schp, "load_schp", lambda path: Echo(classes))
    monkeypatch.setattr(schp, "_logits", logits)
    monkeypatch.setattr(
        schp, "_boxes", lambda alpha: [(slice(None), slice(None)), (slice(10, 20), slice(40))]
    )
    alpha = np.zeros((2, 40, 40), np.uint8)
    alpha[1, 5:30, 5:30], alpha[1, 0] = 128, 127
    out = parse_with_schp(np.zeros((2, 40, 40, 3), np.uint8), Masks(alpha), "x.pth", label_set=label_set)
    assert (out.labels[1, 10:20, 5:30] == 3).all() and (out.labels[1, 20:30, 5:30] == 5).all()
    assert np.array_equal(out.labels > 0, alpha > 127) and out.label_set == expected


def test_the_parts_of_the_network_keep_their_numbers():
    """Small ones with weights drawn by a seed: golden numbers."""
    draw = torch.Generator().manual_seed(3)

    def seeded(module):
        for name, value in module.state_dict().items():
            value.copy_(torch.randn(value.shape, generator=draw) * 0.3)
            if name.endswith("running_var"):
                value.abs_().add_(0.5)
        return module.eval()

    def picture(*shape):
        return torch.randn(1, *shape, generator=draw)

    with torch.inference_mode():
        GOLDEN.check("bottleneck", seeded(schp.Bottleneck(8, 2))(picture(8, 7, 9)))
        GOLDEN.check("strided", seeded(schp.Bottleneck(8, 4, stride=2))(picture(8, 7, 9)))
        GOLDEN.check("dilated", seeded(schp._layer(6, 2, 3, dilation=2))(picture(6, 7, 9)))
        GOLDEN.check("pyramid", seeded(PyramidPooling(8, 2))(picture(8, 12, 13)))
        edge = seeded(schp.EdgeModule((4, 5, 6), 3, 2))
        for name, out in zip(
            ("edges", "features"), edge(picture(4, 12, 9), picture(5, 6, 5), picture(6, 3, 3)), strict=True
        ):
            GOLDEN.check(name, out)
        logits, features = seeded(schp.Decoder(18))(picture(512, 3, 4), picture(256, 6, 8))
        assert features.shape == (1, 256, 6, 8)
        GOLDEN.check("decoder", logits)
