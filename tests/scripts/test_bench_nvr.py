"""The benchmark's re-creation of Instant-NVR, and a short run of the benchmark."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
from scripts.bench.nvr.curve import picture, seconds_to  # noqa: E402
from scripts.bench.nvr.reference import ReferenceSizes, tiny_sizes  # noqa: E402
from scripts.bench.nvr.reference_grid import PRIMES, GridSizes, HashEmbedder, next_prime  # noqa: E402
from scripts.bench.nvr.reference_step import SAMPLES, distortion, make_reference, through_box  # noqa: E402
from scripts.bench.nvr.reference_warp import pose_frame, split_parts, to_big_pose  # noqa: E402
from scripts.bench.nvr.scene import load_scene, make_clip  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder with the clip of the short run."""
    folder = tmp_path_factory.mktemp("data")
    make_clip(folder, motion="walk", frames=4, size=96, seed=0)
    return folder


@pytest.fixture(scope="module")
def scene(data):
    return load_scene(next((data / "clips").iterdir()))


def test_tables_have_the_described_sizes():
    """The table and the counts of docs/field.md, 11.1."""
    sizes = ReferenceSizes()
    assert [p.table for p in sizes.parts[::2]] == [1048583, 262147, 32771]
    assert sizes.parts[0].resolutions == [
        16,
        22,
        30,
        42,
        58,
        80,
        110,
        152,
        210,
        290,
        400,
        553,
        763,
        1053,
        1453,
        2005,
    ]
    assert sizes.parts[1].resolutions == [2, 2, 3, 5, 7, 10, 13, 19, 26, 36, 50, 69, 95, 131, 181, 250]
    dense = [sum(n**3 <= p.table for n in p.resolutions) for p in sizes.parts]
    assert dense == [6, 13, 11, 9, 9]
    floats = [sum(p.rows) * p.features / 1e6 for p in sizes.parts]
    assert [round(f, 1) for f in floats] == [180.9, 72.5, 24.2, 4.1, 4.1]
    assert round(sum(floats), 1) == 285.9
    assert sum(sizes.deformer.rows) * sizes.deformer.features == 90196


def test_parameters_are_those_of_the_description(scene):
    sizes, frames = tiny_sizes(), len(scene.bank)
    _, net, _ = make_reference(scene, sizes, frames=1)
    tables = [sum(g.rows) * g.features for g in (*sizes.parts, sizes.deformer)]
    width = [3 + g.levels - 19 for g in sizes.parts]  # against the 19 numbers of the full tables
    occupancy, colour = 5 * 2385 + 64 * sum(width), 2 * 8899 + 3 * 4739 + 64 * sum(width)
    deform = 1795 + 32 * (sizes.deformer.width - 19)
    count = sum(tables) + occupancy + colour + deform + 5 * 8 * frames
    assert sum(p.numel() for p in net.parameters()) == count


def test_hash_embedder_against_a_loop():
    grid = HashEmbedder(GridSizes(5, 9, levels=4, features=3, summed=False))
    x = torch.tensor([[0.3, 0.61, 0.87], [1.0, 0.0, 0.5]])
    got, table, start = grid(x).detach(), grid.table.detach(), 0
    for level, (n, rows) in enumerate(zip(grid.sizes.resolutions, grid.sizes.rows, strict=True)):
        for point, value in zip(x.tolist(), got[:, 3 + 3 * level : 6 + 3 * level], strict=True):
            want = torch.zeros(3)
            low = [min(int(c * (n - 1)), n - 2) for c in point]
            for corner in np.ndindex(2, 2, 2):
                node = [a + b for a, b in zip(low, corner, strict=True)]
                weight = np.prod([1 - abs(c * (n - 1) - k) for c, k in zip(point, node, strict=True)])
                row = node[0] + n * (node[1] + n * node[2])
                if n**3 > next_prime(512):
                    row = (node[0] * PRIMES[0] ^ node[1] * PRIMES[1] ^ node[2] * PRIMES[2]) % 521
                want += float(weight) * table[start + row]
            torch.testing.assert_close(value, want, atol=1e-5, rtol=1e-5)
        start += rows


def test_the_warp_undoes_the_pose(scene):
    parts = split_parts(scene.canonical)
    posed = pose_frame(scene, parts, 1)
    who = parts[2].index[::40]  # on the head, where one bone decides
    points = np.ascontiguousarray(scene.bank.vertices[1][who], np.float32)
    towards = np.tile(np.float32([0, 0, 1]), (len(who), 1))
    big = torch.as_tensor(scene.canonical.A_big, dtype=torch.float32)
    pair = to_big_pose(points, towards, posed, parts, big)[2]
    assert len(pair.index) == len(who)
    error = np.linalg.norm(pair.big.numpy() - scene.canonical.vertices[who], axis=1)
    assert error.max() < 0.03  # pose correctives and blended weights
    torch.testing.assert_close(pair.direction.norm(dim=1), torch.ones(len(who)), atol=0.1, rtol=0)


def test_rays_through_a_box_and_the_distortion_of_two_samples():
    bounds = np.array([[-1.0, -1, 2], [1, 1, 4]])
    near, far = through_box(np.zeros(3), np.array([[0.0, 0, 1], [0, 1, 0]]), bounds)
    assert near[0] == pytest.approx(2) and far[0] == pytest.approx(4) and near[1] >= far[1]
    spread = distortion(torch.tensor([[0.5, 0.25]]), torch.tensor([[1.0, 1.4]]))
    assert float(spread) == pytest.approx(2 * 0.5 * 0.25 * 0.4)


@pytest.mark.slow
def test_steps_reach_every_parameter_and_lower_the_loss(scene):
    step, net, _ = make_reference(scene, tiny_sizes(), frames=1)
    logs = [step(np.random.default_rng(0), 96) for _ in range(8)]
    untouched = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not untouched
    assert logs[-1]["loss"] < 0.95 * logs[0]["loss"] and logs[-1]["mse"] < logs[0]["mse"]
    assert logs[0]["live"] < logs[0]["drawn"] <= 96 * 96 * SAMPLES


def test_time_to_a_level_lies_between_two_looks():
    columns = {"seconds": np.array([10.0, 20, 30]), "unseen": np.array([20.0, 25, 24])}
    assert seconds_to(columns, "unseen", 24) == pytest.approx(18)
    assert seconds_to(columns, "unseen", 19) == 10
    assert np.isnan(seconds_to(columns, "unseen", 26))
    drawn = picture(columns | {"train": np.array([21.0, 26, 27])}, "two curves")
    assert drawn.shape == (420, 900, 3) and drawn.dtype == np.uint8
    assert (drawn[0, 0] == 255).all() and (drawn < 128).any()


@pytest.mark.slow
def test_the_quick_benchmark_runs_and_writes_its_table(data):
    out = subprocess.run(
        [sys.executable, "-m", "scripts.bench.nvr", "--quick", "--data", str(data)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert out.returncode == 0, out.stderr
    line = dict(pair.split("=") for pair in out.stdout.splitlines()[-1].split())
    for name in (
        "ours_ms",
        "reference_ms",
        "ratio",
        "ours_peak_mb",
        "reference_tensors_mb",
        "avatar_mb",
        "reference_checkpoint_mb",
        "unseen_db",
        "render_cpu_ms",
    ):
        assert float(line[name]) > 0
    assert float(line["ours_drawn"]) == 4096 >= float(line["reference_drawn"])
    assert (data / "nvr_quality_quick.png").exists()
