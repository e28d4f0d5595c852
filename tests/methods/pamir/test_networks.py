"""PaMIR's networks against the published sizes, names and golden vectors."""

import pytest
import torch

from hvr_nb.methods.pamir.body_network import GraphCmr, GraphConv, SmplRegressor
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.point_network import project_cube, sample_maps, sample_volumes
from hvr_nb.methods.pamir.sizes import SMALL
from hvr_nb.methods.pamir.texture_network import TexturePamirNet
from hvr_nb.threads import one_thread
from hvr_nb.types import HvrError


@pytest.fixture(autouse=True)
def golden_threads():
    """Two threads add in another order, by which a sixth digit turns."""
    with one_thread():
        yield


def filled(model):
    """The fill rule of the golden vectors: every value from its index and the length of its name."""
    state = model.state_dict()
    for key, value in state.items():
        if not value.is_floating_point():
            continue
        wave = torch.sin(0.37 * torch.arange(value.numel(), dtype=torch.float64) + 0.11 * len(key))
        if key.endswith("running_var"):
            wave = 1 + 0.1 * wave.abs()
        elif key.endswith("running_mean"):
            wave = 0.1 * wave
        elif value.ndim == 1 and key.endswith("weight"):
            wave = 1 + 0.05 * wave
        else:
            wave = 0.05 * wave
        state[key] = wave.view(value.shape).float()
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def wave(*shape):
    count = torch.Size(shape).numel()
    return torch.sin(0.05 * torch.arange(count, dtype=torch.float64)).float().view(shape)


def weights(module):
    return sum(p.numel() for p in module.parameters())


PICTURE, VOLUME = 0.5 * wave(1, 3, 128, 128) + 0.5, 0.5 * wave(1, 3, 32, 32, 32) + 0.5
POINTS, SEEN = 0.4 * wave(1, 5, 3), 0.8 * wave(1, 5, 2)


@pytest.fixture(scope="module")
def geometry():
    return filled(PamirNet())


def test_counts_and_names(geometry):
    assert weights(geometry.hg) == 25_641_792
    assert weights(geometry.ve) == 340_176
    assert weights(geometry.mlp) == 1_243_137
    state = geometry.state_dict()
    assert len(state) == 1468
    for key in (
        "hg.hourglass.3.low2.low2.low2.low2_.2.conv3.bias",
        "hg.hourglass.0.up1_.0.bn2.weight",
        "hg.r1.conv4.weight",
        "hg.lin_.3.1.weight",
        "hg.Residual.11.conv1.weight",
        "hg.tmpOut.3.bias",
        "hg.tmpOut_.2.weight",
        "hg.ll_.2.weight",
        "ve.r3.conv3.weight",
        "ve.conv_out2.bias",
        "mlp.conv4.0.bias",
    ):
        assert key in state


def first(tensor):
    return tensor.flatten()[:4].tolist()


def test_golden_vectors(geometry):
    maps, volumes = geometry.features(PICTURE), geometry.volume(VOLUME)
    assert [m.shape for m in maps] == [(1, 256, 32, 32)] * 3
    last = maps[-1]
    assert first(last) == pytest.approx([0.177726, 0.178395, 0.179099, 0.179313], abs=1e-6)
    assert float(last.mean()) == pytest.approx(5.682e-4, abs=1e-7)
    assert float(last.abs().mean()) == pytest.approx(0.1357364, abs=1e-6)
    assert first(volumes[-1]) == pytest.approx([4.457851, 4.944074, 4.026252, 3.477092], rel=1e-5)
    assert float(volumes[-1].mean()) == pytest.approx(0.3788247, abs=1e-6)
    assert float(volumes[-1].abs().mean()) == pytest.approx(2.3244076, abs=5e-6)
    stages = [torch.sigmoid(x) for x in geometry.logits(maps, volumes, POINTS, seen=SEEN)]
    assert first(stages[0]) == pytest.approx([0.548857, 0.548721, 0.548679, 0.548859], abs=1e-6)
    assert first(stages[1]) == pytest.approx([0.549072, 0.548910, 0.548740, 0.548946], abs=1e-6)
    assert first(stages[2]) == pytest.approx([0.555370, 0.559265, 0.551966, 0.549113], abs=1e-6)
    means = [float(s.mean()) for s in stages]
    assert means == pytest.approx([0.5487951, 0.5489077, 0.5538418], abs=1e-6)
    last_stage = geometry.occupancy(maps, volumes, POINTS, seen=SEEN)
    assert torch.allclose(last_stage, stages[2], atol=1e-6)


def test_golden_vectors_of_the_texture_network(geometry):
    texture = filled(TexturePamirNet())
    assert weights(texture) == 13_085_268 and len(texture.state_dict()) == 142
    colour, own, attention = texture.colour(
        PICTURE,
        texture.features(PICTURE),
        geometry.features(PICTURE)[-1],
        texture.volume(VOLUME),
        POINTS,
        seen=SEEN,
    )
    assert first(colour) == pytest.approx([0.226299, 0.692925, 0.501336, 0.296365], abs=1e-6)
    assert float(colour.mean()) == pytest.approx(0.4877592, abs=1e-6)
    assert first(attention) == pytest.approx([0.524961, 0.523302, 0.525132, 0.525974], abs=1e-6)
    assert not torch.allclose(own, colour)


def test_counts_and_names_of_the_body_networks():
    vertices = 1723
    with torch.device("meta"):
        graph = GraphCmr(torch.empty(vertices, vertices), torch.empty(vertices, 3))
        regressor = SmplRegressor(vertices)
    assert weights(graph.gc) == 2_044_928
    assert weights(graph.shape) == 32_771
    assert weights(graph.camera_fc) == 5_941
    assert weights(regressor) == 15_027_426
    assert weights(graph.resnet) == 25_557_032  # torchvision's ResNet-50
    shapes = {k: tuple(v.shape) for k, v in [*graph.state_dict().items(), *regressor.state_dict().items()]}
    for key, shape in {
        "resnet.layer4.2.bn3.running_var": (2048,),
        "resnet.layer1.0.downsample.1.weight": (256,),
        "resnet.fc.weight": (1000, 2048),
        "gc.0.W": (512, 2051),
        "gc.1.lin1.W": (128, 512),
        "gc.1.conv.weight": (128, 128),
        "gc.1.skip_conv.W": (256, 512),
        "gc.6.lin2.b": (256,),
        "gc.6.skip_conv.W": (256, 256),
        "shape.2.weight": (32,),
        "shape.4.W": (3, 32),
        "camera_fc.0.bias": (256,),
        "camera_fc.2.W": (1, 256),
        "camera_fc.4.weight": (3, 1723),
        "layers.0.fc_block.0.weight": (1024, 10338),
        "layers.1.fc_block.4.running_mean": (1024,),
        "layers.3.weight": (226, 1024),
    }.items():
        assert shapes[key] == shape, key


def test_a_picture_becomes_a_body():
    """Over a ring of vertices: shapes, and rotations that are rotations."""
    torch.manual_seed(0)
    count = 32
    ring = (torch.eye(count) + torch.eye(count).roll(1, 0) + torch.eye(count).roll(-1, 0)) / 3
    graph = GraphCmr(ring.to_sparse(), torch.rand(count, 3)).eval()
    regressor = SmplRegressor(count, 64).eval()
    with torch.no_grad():
        vertices, camera = graph(torch.rand(2, 3, 224, 224))
        turns, betas = regressor(vertices, graph.reference)
    assert vertices.shape == (2, count, 3) and camera.shape == (2, 3) and betas.shape == (2, 10)
    assert torch.allclose(turns @ turns.transpose(-1, -2), torch.eye(3).expand_as(turns), atol=1e-4)
    assert torch.allclose(torch.linalg.det(turns), torch.ones(2, 24), atol=1e-4)


def test_a_graph_convolution_is_the_mean_of_the_neighbours():
    layer = GraphConv(1, 1)
    torch.nn.init.ones_(layer.weight)
    near = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])
    out = layer(torch.tensor([[[1.0], [3.0], [7.0]]]), near)
    assert out.flatten().tolist() == pytest.approx([2.0, 3.0, 5.0])


def test_the_camera_of_the_cube():
    at = project_cube(torch.tensor([[0.0, 0.0, 0.3], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.0, 0.5]]))
    assert at[0].tolist() == [0, 0]
    assert float(at[1, 0]) == pytest.approx(0.9765625) and float(at[2, 1]) == pytest.approx(-0.9765625)
    assert float(at[3, 0]) == pytest.approx(0.9765625 / 0.95)  # what is nearer is larger


def test_the_small_network_starts_as_the_body():
    network = PamirNet(SMALL)
    maps = network.features(torch.rand(1, 3, 128, 128))
    assert [m.shape for m in maps] == [(1, SMALL.maps, 64, 64)] * 2
    volumes = network.volume(torch.rand(1, 3, 32, 32, 32))
    network.requires_grad_(False)
    place = torch.zeros(1, 3, 7)
    place[0, :, 0] = torch.tensor([-0.01, 0.0, 0.01])
    inside = network.occupancy(maps, volumes, torch.zeros(1, 3, 3), place=place)[0].detach()
    assert inside[0] > 0.9 and float(inside[1]) == 0.5 and inside[2] < 0.1
    with pytest.raises(HvrError, match="place on the body"):
        network.occupancy(maps, volumes, torch.zeros(1, 3, 3))


def test_depth_comes_from_the_volume():
    """Two points on one ray of the picture have the same map features, and different volume features."""
    maps, volumes = wave(1, 4, 8, 8), wave(1, 4, 8, 8, 8)
    near, far = torch.tensor([[[0.1 * 0.98, 0.0, 0.2]]]), torch.tensor([[[0.1 * 1.02, 0.0, -0.2]]])
    a, b = (sample_maps(maps, project_cube(p)) for p in (near, far))
    assert torch.allclose(a, b, atol=1e-6)
    assert not torch.allclose(sample_volumes(volumes, near), sample_volumes(volumes, far), atol=1e-2)
