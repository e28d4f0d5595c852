"""Fixtures shared by the tests."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # a process a core: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything that imports hvr_nb, which reads it

from browser_fixtures import chromium, lab, open_page, shown_notebook  # noqa: E402, F401

import hvr_nb  # noqa: E402, F401  (before torch: it says how waiting threads behave)

# What takes longest, the longest first: what began last would keep a single worker busy at the end.
# test_nvr.py does not begin beside test_contract.py: in a fresh clone both would compile the same loops.
LONGEST = ("batch/test_notebooks.py", "methods/test_contract.py", "fit/test_solve.py",
           "methods/nvr/test_nvr.py", "methods/selfrecon/test_selfrecon.py", "browser",
           "methods/recmv/test_recmv.py",
           "methods/pamir/test_pamir.py", "batch/test_backends.py", "batch/test_batch.py",
           "methods/pamir/test_coherence.py", "methods/nvr/test_dress.py", "formats/test_zju.py",
           "scripts/test_train_pamir.py")  # fmt: skip


def pytest_collection_modifyitems(items):
    """The longest files first, the others as they come; a file is one worker's (``--dist loadfile``)."""
    order = {name: k for k, name in enumerate(LONGEST)}

    def place(item) -> int:
        path = item.path.relative_to(Path(__file__).parent)
        return order.get("browser" if path.parts[0] == "browser" else path.as_posix(), len(order))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def one_making_of_fields():
    """The grid fields of one and the same body are made once a worker: most tests ask for the same few."""
    import numpy as np

    from hvr_nb.canonical import big_pose

    made, make = {}, big_pose.surface_fields

    def remembered(*surface) -> dict:
        key = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in surface)).digest()
        if key not in made:
            made[key] = make(*surface)
        return {name: field.copy() for name, field in made[key].items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(big_pose, "surface_fields", remembered)
        yield


@pytest.fixture(scope="session", autouse=True)
def small_textures():
    """A sixteenth of the texels on synthetic people: enough for pictures this small, and quick to paint."""
    from hvr_nb.subject import person

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person, "TILE", person.TILE // 4)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real footage and motion capture; tests that need it skip without it."""
    root = Path(os.environ.get("HVR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.exists():
        pytest.skip(f"no real footage at {root} (set HVR_SHARED_DATA)")
    return root


@pytest.fixture(scope="session")
def shared_cases(shared_data) -> Path:
    """The folder with inputs that went wrong once; tests that need it skip without it."""
    root = shared_data.parent / "cases"
    if not root.exists():
        pytest.skip(f"no cases at {root}")
    return root


@pytest.fixture(scope="session")
def detector() -> Path:
    """The folder with the detector's models, fetched if absent; skips where that is not possible."""
    from hvr_nb.keypoints.blazepose import DETECTOR

    command = [sys.executable, "-m", "scripts.assets.detector"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        pytest.skip(f"no detector models: {done.stderr.strip()}")
    return DETECTOR


@pytest.fixture
def fake_tinycudann(monkeypatch):
    """Not tiny-cuda-nn: a stand-in for the documented ``tinycudann.Encoding``, picked on every device.

    It has the constructor, the flat ``params`` and the number of rows of the library's HashGrid, and
    ends where its nodes would do, one node an axis less than ``hvr_nb.methods.nvr.hash_grid``.
    """
    import torch

    from hvr_nb.methods.nvr import hash_grid

    made = []

    class Encoding(torch.nn.Module):
        def __init__(self, n_input_dims, encoding_config, seed=1337, dtype=None):
            super().__init__()
            assert n_input_dims == 3 and encoding_config["otype"] == "HashGrid"
            get, self.dtype = encoding_config.__getitem__, dtype
            growth, levels = get("per_level_scale"), range(get("n_levels"))
            self.cells = [int(-(-(get("base_resolution") * growth**k - 1) // 1)) for k in levels]
            most = 2 ** get("log2_hashmap_size")
            self.rows = [min((n + 1) ** 3 + -((n + 1) ** 3) % 8, most) for n in self.cells]
            self.offsets = torch.tensor([0, *self.rows]).cumsum(0)
            self.n_output_dims = get("n_levels") * get("n_features_per_level")
            self.params = torch.nn.Parameter(torch.full((sum(self.rows) * 2,), 7.0))
            made.append(self)

        def forward(self, x):
            assert x.dtype == torch.float32 and self.params.ndim == 1
            table = self.params.to(self.dtype).contiguous().view(-1, 2)
            return hash_grid.hash_reference(x, table, self.cells, self.rows, self.offsets)

    module = ModuleType("tinycudann")
    module.Encoding, module.made = Encoding, made
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    monkeypatch.setattr(hash_grid, "pick_backend", lambda device: "tcnn")
    return module


@pytest.fixture(scope="session")
def made_up_vgg() -> dict:
    """Tensors of VGG16's shapes that follow from a formula, so that values repeat everywhere."""
    import torch

    state, inputs = {}, 3
    for index, outputs in zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        (64,) * 2 + (128,) * 2 + (256,) * 3 + (512,) * 6,
        strict=True,
    ):
        wave = torch.sin(torch.arange(outputs * inputs * 9, dtype=torch.float64) * 0.7312 + index)
        wave = (wave * (2 / (9 * inputs)) ** 0.5).float()
        state[f"features.{index}.weight"] = wave.view(outputs, inputs, 3, 3)
        state[f"features.{index}.bias"] = torch.linspace(-0.1, 0.2, outputs)
        inputs = outputs
    return state


@pytest.fixture
def vgg_places(tmp_path, monkeypatch):
    """Two places for VGG16's weights, both empty."""
    from hvr_nb.learning.lpips import VGG_FILE

    found = tuple(tmp_path / name / VGG_FILE for name in ("models", "hub"))
    for path in found:
        path.parent.mkdir()
    monkeypatch.setattr("hvr_nb.learning.lpips.vgg_places", lambda: found)
    return found
