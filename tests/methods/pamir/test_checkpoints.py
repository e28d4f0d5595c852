"""Weights of PaMIR: what is taken, from which file, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from hvr_nb.methods.pamir.checkpoints import (
    PAMIR_FILE,
    load_body_networks,
    load_pamir,
    load_pamir_texture,
    read_graph,
    save_pamir,
)
from hvr_nb.methods.pamir.network import PamirNet
from hvr_nb.methods.pamir.sizes import ORIGINAL, SMALL, PamirSizes
from hvr_nb.methods.pamir.texture_network import TexturePamirNet
from hvr_nb.types import HvrError

TINY = PamirSizes(
    picture=32, volume=16, stacks=2, modules=2, depth=2, width=8, maps=12, first=8, pooled=True,
    volume_first=4, volumes=8, hidden=(16, 8), stages=2,
)  # fmt: skip


def published():
    """A file like PaMIR's own, at small sizes."""
    network = PamirNet(replace(TINY, picture=512, volume=128, stages=3, stacks=4))
    return network, {
        "pamir_net": network.state_dict(),
        "optimizer_pamir_net": {"state": {}, "param_groups": [{"lr": 2e-4}]},
        "epoch": 9,
        "batch_idx": 3,
        "batch_size": 3,
        "dataset_perm": np.arange(5),
        "total_step_count": np.int64(7),
    }


def test_the_published_layout(tmp_path):
    network, content = published()
    torch.save(content, tmp_path / "latest.pt")
    loaded = load_pamir(tmp_path / "latest.pt")
    assert loaded.sizes == network.sizes and not loaded.training
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded.features(x)[0], network.features(x)[0])


def test_prefixes_of_parallel_training(tmp_path):
    network, content = published()
    content["pamir_net"] = {f"module.{k}": v for k, v in content["pamir_net"].items()}
    torch.save(content, tmp_path / "latest.pt")
    assert load_pamir(tmp_path / "latest.pt").sizes == network.sizes


@pytest.mark.parametrize("body", [True, False])
def test_own_weights_survive_a_round_trip(tmp_path, body):
    torch.manual_seed(0)
    network = PamirNet(replace(TINY, body=body, pooled=False))
    path = save_pamir(tmp_path / "pamir.npz", network, steps=10)
    loaded = load_pamir(path)
    assert loaded.sizes == network.sizes
    x = torch.rand(1, 3, 32, 32)
    assert torch.allclose(loaded.features(x)[-1], network.features(x)[-1], atol=1e-2)


def test_texture_checkpoint(tmp_path):
    network = TexturePamirNet(replace(ORIGINAL, maps=16, volumes=8, volume_first=4, hidden=(16, 8)))
    torch.save({"pamir_tex_net": network.state_dict()}, tmp_path / "tex.pt")
    assert load_pamir_texture(tmp_path / "tex.pt").sizes == network.sizes
    with pytest.raises(HvrError, match=r"tex.pt is PaMIR's texture network; wanted.*pamir_geometry"):
        load_pamir(tmp_path / "tex.pt")


def test_wrong_files_are_refused(tmp_path):
    _, content = published()
    path = tmp_path / "x.pt"
    with pytest.raises(HvrError, match=r"x.pt is missing.*latest.pt"):
        load_pamir(path)
    state = content["pamir_net"]
    huge = torch.zeros(1).expand(1 << 20, 1 << 20)
    for message, wrong in {
        "GraphCMR": {"graph_cnn": {}},
        "pose lifter": {"model_pos": {}},
        "another program's": {"model": 1},
        "holds a list": [1],
        "no state dict": {"pamir_net": {"a": 1}},
        "no geometry network": {"pamir_net": {"conv1.weight": torch.zeros(2)}},
        "claims more than": {"pamir_net": state | {"hg.tmpOut.0.weight": huge}},
        "do not fit together": {"pamir_net": state | {"more": torch.zeros(1)}},
        "layers do not fit": {"pamir_net": state | {"mlp.conv0.0.weight": torch.zeros(16, 21, 1)}},
    }.items():
        torch.save(wrong, path)
        with pytest.raises(HvrError, match=rf"x.pt.*{message}.*wanted"):
            load_pamir(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(HvrError, match=r"x.pt is no checkpoint.*wanted"):
        load_pamir(path)


class _Code:
    def __reduce__(self):
        return print, ("code ran",)


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    torch.save({"pamir_net": {}, "more": _Code()}, tmp_path / "latest.pt")
    with pytest.raises(HvrError, match="no checkpoint of tensors"):
        load_pamir(tmp_path / "latest.pt")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("facts", [{}, {"sizes": [1]}, {"sizes": {"picture": 10**9, "volume": 32}}])
def test_an_npz_that_does_not_tell_its_sizes(tmp_path, facts):
    from hvr_nb.learning.tensor_files import write_tensors

    path = write_tensors(tmp_path / "p.npz", PamirNet(TINY), kind="hvr-pamir-1", **facts)
    with pytest.raises(HvrError, match="does not tell the sizes"):
        load_pamir(path)
    write_tensors(path, PamirNet(TINY), kind="hvr-lifter", **facts)
    with pytest.raises(HvrError, match=r"cannot be read as hvr-pamir-1.*wanted"):
        load_pamir(path)


def graph_file(path):
    """A file like mesh_downsampling.npz: four vertices in a ring, every second one kept."""
    ring = sparse.csc_matrix(np.roll(np.eye(4), 1, 0) + np.roll(np.eye(4), -1, 0))
    pair = sparse.csc_matrix(1 - np.eye(2))
    down = sparse.csc_matrix(np.array([[1.0, 0, 0, 0], [0, 0, 1, 0]]))
    members = {"A": [ring, pair], "U": [down.T], "D": [down]}
    arrays = {}
    for name, values in members.items():
        arrays[name] = np.empty(len(values), object)
        arrays[name][:] = values
    np.savez(path, **arrays)
    return path


def test_the_graph_of_a_coarse_body(tmp_path):
    path = graph_file(tmp_path / "mesh_downsampling.npz")
    template = np.array([[0.0, 0, 0], [9, 9, 9], [2, 4, 0], [9, 9, 9]])
    adjacency, reference = read_graph(path, template)
    assert np.allclose(adjacency.to_dense(), 0.5)
    assert np.allclose(reference, [[-0.5, -1, 0], [0.5, 1, 0]])
    with pytest.raises(HvrError, match=r"mesh_downsampling.npz does not fit the template of 5"):
        read_graph(path, np.zeros((5, 3)))
    torch.save({"pamir_net": {}}, tmp_path / "gcmr.pt")
    with pytest.raises(HvrError, match=r"gcmr.pt is PaMIR's geometry network, without graph_cnn.*gcmr_2020"):
        load_body_networks(tmp_path / "gcmr.pt", path, template)


def test_the_shipped_weights():
    """They are the small network, and a small file."""
    network = load_pamir()
    assert network.sizes == SMALL
    assert PAMIR_FILE.stat().st_size < 10e6
