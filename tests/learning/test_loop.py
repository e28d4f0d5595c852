from pathlib import Path

import numpy as np
import pytest
import torch

from hvr_nb.learning.loop import load_checkpoint, save_checkpoint, step_rng, train
from hvr_nb.methods.nvr.hash_grid import HashGrid, RowAdam
from hvr_nb.types import HvrError


class Killed(Exception):
    pass


def problem(stop_at=None):
    """A small field fitted to a function; returns its step and state."""
    torch.manual_seed(3)
    grid, net = HashGrid(levels=3, coarsest=4, finest=16, log2_table=8), torch.nn.Linear(6, 1)
    tables, dense = RowAdam([grid.table]), torch.optim.Adam(net.parameters(), lr=1e-2)

    def step(k, rng):
        if k == stop_at:
            raise Killed
        x = torch.from_numpy(rng.random((128, 3), dtype=np.float32))
        loss = (net(grid(x))[:, 0] - torch.sin(4 * x[:, 0])).square().mean()
        dense.zero_grad()
        loss.backward()
        dense.step()
        tables.step()
        return {"loss": float(loss.detach())}

    return step, {"grid": grid, "net": net, "tables": tables, "dense": dense}


def test_killed_and_resumed_ends_bit_for_bit_like_uninterrupted(tmp_path):
    step, whole = problem()
    history = train(step, whole, iters=60, seed=5, log_every=10)
    path = tmp_path / "checkpoint.pt"
    step, first = problem(stop_at=47)
    with pytest.raises(Killed):
        train(step, first, iters=60, seed=5, checkpoint=path, every=20, log_every=10)
    step, second = problem()
    resumed = train(step, second, iters=60, seed=5, checkpoint=path, every=20, log_every=10)
    assert torch.equal(whole["grid"].table, second["grid"].table)
    assert torch.equal(whole["net"].weight, second["net"].weight)
    assert resumed["step"] == history["step"] == [10, 20, 30, 40, 50, 60]
    assert resumed["loss"] == history["loss"]
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert not list(tmp_path.glob("*partial*"))


def test_seconds_go_on_after_a_resume(tmp_path):
    path = tmp_path / "checkpoint.pt"
    step, state = problem()
    save_checkpoint(path, state, 30, {"step": [30], "seconds": [100.0], "loss": [1.0]})
    history = train(step, state, iters=40, checkpoint=path, log_every=10)
    assert history["step"] == [30, 40] and history["seconds"][-1] > 100


def test_step_rng_depends_on_seed_and_step_only():
    assert step_rng(1, 2).random() == step_rng(1, 2).random()
    assert len({step_rng(s, k).random() for s in range(3) for k in range(3)}) == 9


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    _, state = problem()
    save_checkpoint(path, state, 10, {"step": [], "seconds": []}, "one run")
    with pytest.raises(HvrError, match="other options"):
        load_checkpoint(path, state, "another run")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(HvrError, match="damaged"):
        load_checkpoint(path, state, "one run")


def test_training_starts_anew_beside_a_checkpoint_it_cannot_use(tmp_path):
    path = tmp_path / "checkpoint.pt"
    step, state = problem()
    save_checkpoint(path, state, 10, {"step": [10], "seconds": [1.0], "loss": [0.0]}, "one run")
    with pytest.warns(UserWarning, match="starts anew.*other options"):
        history = train(step, state, iters=20, checkpoint=path, log_every=10, identity="another run")
    assert history["step"] == [10, 20] and history["loss"][0] > 0
    path.write_bytes(b"not a checkpoint")
    with pytest.warns(UserWarning, match="starts anew.*damaged"):
        assert train(step, state, iters=10, checkpoint=path, log_every=10)["step"] == [10]


def test_divergence_is_an_error_that_names_the_number():
    with pytest.raises(HvrError, match="loss is nan at step 50"):
        train(lambda k, rng: {"loss": float("nan")}, {}, iters=100)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full here")
def test_a_checkpoint_on_a_full_disk_says_so_and_keeps_the_old_one(tmp_path, monkeypatch):
    step, state = problem()
    path = tmp_path / "checkpoint.pt"
    train(step, state, iters=4, checkpoint=path, every=2)
    before = path.read_bytes()

    def on_a_full_disk(path, kind):
        partial = path.with_name("partial")
        partial.symlink_to("/dev/full")
        return partial

    monkeypatch.setattr("hvr_nb.store.atomic_files._beside", on_a_full_disk)
    with pytest.raises(HvrError, match="the disk is full: .*checkpoint.pt was not written"):
        save_checkpoint(path, state, 3, {}, "")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_does_not_fit_leaves_the_state_as_it_was(tmp_path):
    path = tmp_path / "checkpoint.pt"
    _, other = problem()
    other["tables"].step()
    with torch.no_grad():
        other["grid"].table += 1
    other["dense"] = torch.optim.Adam(torch.nn.Linear(6, 1).parameters(), lr=1e-2)
    other["net"] = torch.nn.Linear(7, 1)
    save_checkpoint(path, other, 10, {"step": [], "seconds": []})
    _, state = problem()
    before = state["grid"].table.clone()
    with pytest.raises(HvrError, match="does not fit this run.*delete it"):
        load_checkpoint(path, state)
    assert torch.equal(state["grid"].table, before)


def test_a_checkpoint_of_more_steps_than_asked_for_trains_anew(tmp_path):
    path = tmp_path / "checkpoint.pt"
    step, state = problem()
    save_checkpoint(path, state, 30, {"step": [30], "seconds": [1.0], "loss": [0.0]})
    with pytest.warns(UserWarning, match="starts anew.*after 30 steps, this run has 20"):
        history = train(step, state, iters=20, checkpoint=path, log_every=10)
    assert history["step"] == [10, 20] and history["loss"][0] > 0


@pytest.mark.parametrize("content", [{"step": "7"}, {"step": -1}, {"history": []}, {"state": None}])
def test_a_checkpoint_with_odd_content_is_damaged(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    _, state = problem()
    save_checkpoint(path, state, 10, {"step": [], "seconds": []})
    torch.save(torch.load(path, weights_only=True) | content, path)
    with pytest.raises(HvrError, match="damaged"):
        load_checkpoint(path, state)
