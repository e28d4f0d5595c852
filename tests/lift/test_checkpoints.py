"""Weights of the lifters: what is taken, from which file, and what is refused."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from hvr_nb.lift.checkpoints import load_lifter, load_lifter_checkpoint, save_lifter
from hvr_nb.lift.network import Lifter
from hvr_nb.lift.stmo import MaskedStmo, Stmo
from hvr_nb.lift.temporal import TemporalModel
from hvr_nb.types import HvrError

X = torch.randn(1, 30, 17, 2, generator=torch.Generator().manual_seed(1))
COCO = "pretrained_h36m_detectron_coco.bin"


def scattered(model):
    """Random statistics, so that a forgotten tensor shows."""
    generator = torch.Generator().manual_seed(0)
    state = {
        k: v if not v.is_floating_point() else torch.rand(v.shape, generator=generator) * 0.1 + 0.02
        for k, v in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def temporal(**options):
    return scattered(TemporalModel(widths=(3, 3, 1), channels=8, **options))


def stmo():
    return scattered(Stmo(27, 2, channels=16, hidden=24, strides=(3, 3, 3)))


@pytest.mark.parametrize("zipped", [True, False])
def test_the_published_layout_with_random_states_and_no_counters(tmp_path, zipped):
    model = temporal()
    state = OrderedDict(
        (k, v) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")
    )
    content = {
        "epoch": 80,
        "lr": np.float64(1e-4),
        "random_state": np.random.RandomState(1234),
        "optimizer": None,
        "model_pos": state,
        "model_traj": None,
    }
    path = tmp_path / COCO
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    loaded = load_lifter_checkpoint(path)
    assert loaded.widths == (3, 3, 1) and not loaded.causal and not loaded.training
    assert torch.equal(loaded(X), model(X))
    with pytest.raises(HvrError, match="no trajectory"):
        load_lifter_checkpoint(path, part="trajectory")


def test_a_trajectory_network_is_found(tmp_path):
    pose, root = temporal(), temporal(joints_out=1)
    path = tmp_path / COCO
    torch.save({"model_pos": pose.state_dict(), "model_traj": root.state_dict()}, path)
    loaded = load_lifter_checkpoint(path, part="trajectory")
    assert torch.equal(loaded(X), root(X)) and loaded(X).shape == (1, 22, 1, 3)


def test_causal_is_the_users_word(tmp_path):
    model = temporal(causal=True)
    torch.save({"model_pos": model.state_dict()}, tmp_path / COCO)
    assert torch.equal(load_lifter_checkpoint(tmp_path / COCO, causal=True)(X), model(X))


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_stmo_with_and_without_prefix(tmp_path, prefix):
    model = stmo()
    path = tmp_path / "PSTMOS_no_refine_48_5137_in_the_wild.pth"
    torch.save({prefix + k: v for k, v in model.state_dict().items() if "num_batches" not in k}, path)
    loaded = load_lifter_checkpoint(path)
    x = X[:, :27].permute(0, 3, 1, 2)[..., None]
    for ours, theirs in zip(loaded(x), model(x), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "name",
    [
        "pretrained_h36m_cpn.bin",
        "cpn-ft-243-dbb-causal.bin",
        "pretrained_humaneva15_detectron.bin",
        "PSTMOS_no_refine_50_3203_3dhp.pth",
    ],
)
def test_files_for_other_joints_are_refused_by_name(tmp_path, name):
    torch.save({"model_pos": temporal().state_dict()}, tmp_path / name)
    with pytest.raises(HvrError, match=f"{name}.*other joints.*detectron_coco.bin"):
        load_lifter_checkpoint(tmp_path / name)


def test_files_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "x.bin"
    with pytest.raises(HvrError, match="x.bin is missing.*detectron_coco"):
        load_lifter_checkpoint(path)
    wrong = {
        "three values a joint": {"model_pos": temporal(features=3).state_dict()},
        "30 values": {"model_pos": temporal(joints_in=15).state_dict()},
        "neither VideoPose3D nor P-STMO": {"conv1.weight": torch.zeros(3, 3)},
        "pre-training": MaskedStmo(27, 2, channels=16, hidden=24).state_dict(),
        "no state dict": {"weights": [1, 2]},
        "holds a list": [1, 2],
        "no pose network": {"model_pos": None},
        "its tensors do not fit together": {"model_pos": {**temporal().state_dict(), "more": torch.zeros(1)}},
    }
    for message, content in wrong.items():
        torch.save(content, path)
        with pytest.raises(HvrError, match=f"x.bin.*{message}.*wanted"):
            load_lifter_checkpoint(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(HvrError, match="no checkpoint of tensors"):
        load_lifter_checkpoint(path)
    torch.save(stmo().state_dict(), path)
    with pytest.raises(HvrError, match="no trajectory network"):
        load_lifter_checkpoint(path, part="trajectory")


class Evil:
    def __reduce__(self):
        return exec, ("open('taken', 'w')",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save(
        {"model_pos": temporal().state_dict(), "x": Evil()}, "x.bin", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(HvrError, match="no checkpoint"):
        load_lifter_checkpoint("x.bin")
    (tmp_path / "y.bin").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(HvrError, match="no checkpoint"):
        load_lifter_checkpoint("y.bin")
    assert not (tmp_path / "taken").exists()


def test_own_weights_survive_a_round_trip(tmp_path):
    model = scattered(Lifter(channels=64, dilations=(1, 0), context=16))
    path = save_lifter(tmp_path / "lifter.npz", model)
    loaded = load_lifter_checkpoint(path)
    x = torch.randn(1, 5, 18, 3, generator=torch.Generator().manual_seed(1))
    assert (loaded(x) - model(x)).abs().max() < 2e-3 * model(x).abs().max()  # half precision
    again = save_lifter(tmp_path / "again.npz", loaded)
    assert all(
        torch.equal(a, b)
        for a, b in zip(load_lifter(again).state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(HvrError, match="other.npz is an npz, but no lifter"):
        load_lifter(tmp_path / "other.npz")
    (tmp_path / "bad.npz").write_bytes(path.read_bytes()[:500])
    with pytest.raises(HvrError, match="bad.npz cannot be read"):
        load_lifter(tmp_path / "bad.npz")
    with pytest.raises(HvrError, match="make train-lifter"):
        load_lifter(tmp_path / "none.npz")
