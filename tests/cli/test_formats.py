"""``python -m hvr_nb import`` and ``export``."""

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.cli.main import main
from hvr_nb.formats.motion.bvh_file import parse_bvh
from hvr_nb.geometry.camera import default_camera
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, Masks


@pytest.fixture
def clip(tmp_path):
    """Three frames of 48 x 32 with a box for a person."""
    model, camera = load_body_model(), default_camera(48, 32)
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 48, 3), dtype=np.uint8)
    made = Clip.create(
        tmp_path / "clip", frames, fps=25, names=["a", "b", "c"], times=np.arange(3) / 25, source={}
    )
    alpha = np.zeros((3, 32, 48), np.uint8)
    alpha[:, 2:30, 18:30] = 255
    pose = np.zeros((3, 69))
    pose[:, 15 * 3 + 2], pose[:, 16 * 3 + 2] = -1.3, 1.3
    made.save("camera", camera)
    made.save("masks", Masks(alpha))
    made.save(
        "body",
        Body(
            np.zeros(10),
            np.zeros((3, 3)),
            pose,
            np.tile([0, 0.2, -4.0], (3, 1)),
            camera,
            np.ones(3, bool),
            model.hash,
        ),
    )
    return made


def test_zju_out_and_in(clip, tmp_path, capsys):
    root, again = tmp_path / "root", tmp_path / "again"
    assert main(["export", "zju", str(clip.folder), str(root), "--no-grids"]) == 0
    assert (
        main(["import", "zju", str(root), str(again), "--start", "1", "--fps", "25", "--max-side", "24"]) == 0
    )
    out = capsys.readouterr().out
    assert str(root) in out and f"run {again / 'frames'} --clip {again} --from 04" in out
    made = Clip.open(again)
    assert (
        made.frame_names == ["000001", "000002"] and made.frames.shape[1:] == (16, 24, 3) and made.fps == 25
    )
    assert made.masks.labels is None and made.camera.width == 24
    np.testing.assert_allclose(made.body.transl, clip.body.transl[1:], atol=1e-9)


def test_bvh_out(clip, tmp_path, capsys):
    path = tmp_path / "m.bvh"
    assert main(["export", "bvh", str(clip.folder), str(path)]) == 0
    bvh = parse_bvh(path)
    assert bvh.fps == 25 and len(bvh.translations) == 3
    pelvis = posed(load_body_model(), clip.body)[1][:, 0]
    np.testing.assert_allclose(bvh.pose()[1][:, 0] / 100, pelvis, atol=1e-6)
    assert main(["export", "bvh", str(clip.folder), str(path)]) == 1
    assert "exists" in capsys.readouterr().err


def test_what_is_there_is_not_replaced_and_errors_are_told(clip, tmp_path, capsys):
    root = tmp_path / "root"
    assert main(["export", "zju", str(clip.folder), str(root), "--no-grids"]) == 0
    assert main(["import", "zju", str(root), str(clip.folder)]) == 1
    assert main(["import", "zju", str(tmp_path / "nowhere"), str(tmp_path / "new")]) == 1
    assert main(["import", "people-snapshot", str(tmp_path / "nowhere"), str(tmp_path / "new")]) == 1
    errors = capsys.readouterr().err
    assert "not empty" in errors and "annots.npy is missing" in errors and "holds 0 videos" in errors
    with pytest.raises(SystemExit):
        main(["import", "fbx", "a", "b"])
