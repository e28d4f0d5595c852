"""PaMIR's folders of training data: written, read, and refused."""

import numpy as np
import pytest
import trimesh

from hvr_nb.formats.datasets import pamir_items, read_pamir_item, write_pamir_item
from hvr_nb.formats.datasets.pamir_folder import SETS, turn_to_view
from hvr_nb.types import HvrError, Mesh

PARAMETERS = {
    "betas": np.arange(10.0),
    "global_orient": np.array([0, 0.3, 0]),
    "body_pose": np.linspace(-1, 1, 72),
    "global_body_translation": np.zeros(3),
    "body_scale": np.array([0.44]),
}


def a_mesh(radius):
    ball = trimesh.creation.icosphere(2, radius)
    return Mesh(np.asarray(ball.vertices), np.asarray(ball.faces))


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    picture, mask = rng.integers(0, 255, (32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)
    write_pamir_item(
        tmp_path,
        "scan_1",
        mesh=a_mesh(0.4),
        pictures={0: (picture, mask), 90: (picture, mask)},
        points={key: rng.uniform(-0.5, 0.5, (10, 3)) for key in SETS},
        body=a_mesh(0.3),
        parameters=PARAMETERS,
    )
    return tmp_path


def test_what_is_written_is_read(root):
    assert pamir_items(root) == ["scan_1"]
    item = read_pamir_item(root, "scan_1")
    assert item.views == (0, 90)
    assert {len(item.points[key]) for key in SETS} == {10}
    assert item.parameters["betas"].tolist() == list(range(10)) and len(item.parameters["body_pose"]) == 72
    assert len(item.body.vertices) == len(a_mesh(0.3).vertices)
    picture, mask = item.picture(90)
    assert picture.shape == (32, 32, 3) and (mask == 255).all()
    for file in ("mesh_data/scan_1/scan_1.obj", "image_data/scan_1/sample/sample2smpl.mat"):
        assert (root / file).is_file()


def test_nothing_is_overwritten(root):
    with pytest.raises(HvrError, match="scan_1.*new folder"):
        write_pamir_item(
            root, "scan_1", mesh=a_mesh(1), pictures={}, points={}, body=a_mesh(1), parameters=PARAMETERS
        )
    with pytest.raises(HvrError, match="new folder"):
        write_pamir_item(
            root, "../x", mesh=a_mesh(1), pictures={}, points={}, body=a_mesh(1), parameters=PARAMETERS
        )


def test_a_view_turns_the_scan():
    """A point in front stands at the side after a quarter turn, by x' = x cos - z sin, z' = x sin + z cos."""
    assert turn_to_view(np.array([[0.0, 0.2, 1.0]]), 90)[0] == pytest.approx([-1, 0.2, 0], abs=1e-12)
    assert turn_to_view(np.array([[1.0, 0.2, 0.0]]), 90)[0] == pytest.approx([0, 0.2, 1], abs=1e-12)


def test_wrong_folders_are_named(root, tmp_path):
    with pytest.raises(HvrError, match="data_list.txt is missing"):
        pamir_items(root / "mesh_data")
    (root / "data_list.txt").write_text("scan_1\n../../etc\n")
    with pytest.raises(HvrError, match=r"'../../etc', not a folder"):
        pamir_items(root)
    with pytest.raises(HvrError, match="color has no pictures"):
        read_pamir_item(root, "scan_2")
    sample = root / "image_data" / "scan_1" / "sample" / "samples.mat"
    from scipy.io import savemat

    savemat(sample, {key: np.zeros((0, 3)) for key in SETS})
    with pytest.raises(HvrError, match="not watertight"):
        read_pamir_item(root, "scan_1")
    savemat(sample, {key: np.zeros((4, 2)) for key in SETS})
    with pytest.raises(HvrError, match="no list of points"):
        read_pamir_item(root, "scan_1")
    sample.write_bytes(b"MATLAB")
    with pytest.raises(HvrError, match=r"samples.mat has no sets"):
        read_pamir_item(root, "scan_1")
    sample.unlink()
    with pytest.raises(HvrError, match=r"samples.mat is missing"):
        read_pamir_item(root, "scan_1")


def test_a_pickle_with_code_is_refused(root):
    import pickle

    class Code:
        def __reduce__(self):
            return print, ("ran",)

    (root / "mesh_data" / "scan_1" / "smpl" / "smpl_param.pkl").write_bytes(pickle.dumps(Code()))
    with pytest.raises(HvrError, match=r"smpl_param.pkl was refused"):
        read_pamir_item(root, "scan_1")
