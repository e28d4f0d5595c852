"""PaMIR's folders of pictures, out and in again."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.cli.main import main
from hvr_nb.export.pamir_folder import write_pamir_pictures
from hvr_nb.formats.datasets.pamir_pictures import cube_camera, read_pamir_pictures
from hvr_nb.geometry.camera import default_camera, look_at, project
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import HvrError, Keypoints, Masks

T = 3


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A walking body filmed by a camera that looks down a little."""
    model, lens = load_body_model(), default_camera(200, 160)
    body = walking_motion(T, fps=6, seed=1, camera=lens)
    middle = posed(model, body)[0].reshape(-1, 3).mean(0)
    camera = look_at(middle + [0.4, 0.8, 3.4], middle, lens)
    body = replace(body, camera=camera, model_hash=model.hash)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (T, 160, 200, 3), dtype=np.uint8)
    made = Clip.create(
        tmp_path_factory.mktemp("clip") / "clip",
        frames,
        fps=6,
        names=["a", "b", "c"],
        times=np.arange(T) / 6,
        source={},
    )
    made.save("camera", camera)
    joints = np.concatenate([project(posed(model, body)[1][:, :24], camera), np.ones((T, 24, 1))], -1)
    points = np.concatenate([joints, joints[:, :1]], 1)
    made.save("keypoints", Keypoints(points, np.zeros((T, 25), bool), np.ones(T, bool), np.zeros((T, 4))))
    made.save("masks", Masks(alpha=rng.integers(0, 255, (T, 160, 200), dtype=np.uint8)))
    made.save("body", body)
    return made


def test_out_and_in_again_is_the_same_person(clip, tmp_path):
    model = load_body_model()
    folder = write_pamir_pictures(clip, tmp_path / "out")
    assert sorted(p.name for p in folder.glob("a*")) == [
        "a.png",
        "a_keypoints.json",
        "a_mask.png",
        "a_smplparams.pkl",
    ]
    back = read_pamir_pictures(folder, tmp_path / "in")
    assert back.frame_names == ["a", "b", "c"] and back.size == (512, 512) and len(back.masks.alpha) == T
    before, after = (posed(model, c.body)[0].astype(float) for c in (clip, back))
    for k in range(T):
        joints = back.keypoints.points[k, :24, :2]
        seen = project(posed(model, back.body)[1][k], back.body.camera)
        height = np.ptp(project(after[k], back.body.camera)[:, 1])
        assert np.linalg.norm(seen - joints, axis=1).max() < 0.06 * height, "but for the other perspective"
        heights = [np.ptp(project(v[k], c.body.camera)[:, 1]) for v, c in ((before, clip), (after, back))]
        assert 0.6 < heights[1] / 512 < 0.95
    assert np.allclose(back.body.betas, clip.body.betas, atol=1e-6)
    assert np.allclose(back.body.body_pose, clip.body.body_pose, atol=1e-6)


def test_a_body_goes_where_pamir_puts_it(clip, tmp_path):
    """Vertices are scale * SMPL + translation in the cube, seen by PaMIR's camera; its own signs."""
    folder, model = write_pamir_pictures(clip, tmp_path / "out"), load_body_model()
    path = folder / "b_smplparams.pkl"
    values = pickle.loads(path.read_bytes())
    turn = Rotation.from_rotvec(values["body_pose"][:3]) * Rotation.from_euler("z", 0.3)
    values["body_pose"][:3] = turn.as_rotvec()
    values["body_scale"] = np.array([0.4, -0.4, -0.4], np.float32)
    for name in "abc":
        (folder / f"{name}_smplparams.pkl").write_bytes(pickle.dumps(values))
    back = read_pamir_pictures(folder, tmp_path / "in")
    zero = replace(
        back.body.frame(0),
        body_pose=values["body_pose"][None, 3:],
        global_orient=values["body_pose"][None, :3],
    )
    smpl = posed(model, replace(zero, transl=np.zeros((1, 3))))[0][0]
    cube = smpl * values["body_scale"] + values["global_body_translation"]
    np.testing.assert_allclose(posed(model, back.body)[0][0] * 0.4, cube, atol=1e-5)
    x, y = cube[100, :2] * 5000 / 512 * 512 / (10 - cube[100, 2])
    np.testing.assert_allclose(
        project(cube[None, 100] / 0.4, cube_camera(512, 0.4))[0], [256 + x, 256 - y], atol=1e-6
    )


def test_without_bodies_the_chain_finds_them(clip, tmp_path, capsys):
    folder = write_pamir_pictures(clip, tmp_path / "out")
    (folder / "c_smplparams.pkl").unlink()
    assert main(["import", "pamir", str(folder), str(tmp_path / "in")]) == 0
    assert "--from 03" in capsys.readouterr().out and not Clip.open(tmp_path / "in").has("body")
    assert main(["export", "pamir", str(clip.folder), str(tmp_path / "again")]) == 0
    assert len(list((tmp_path / "again").glob("*_mask.png"))) == T


def test_what_is_wrong_is_named(clip, tmp_path):
    folder = write_pamir_pictures(clip, tmp_path / "out")

    def refused(match):
        with pytest.raises(HvrError, match=match):
            read_pamir_pictures(folder, tmp_path / "in")
        assert not (tmp_path / "in").exists()

    pkl, kept = folder / "a_smplparams.pkl", (folder / "a_smplparams.pkl").read_bytes()
    pkl.write_bytes(pickle.dumps(print))
    refused("a_smplparams.pkl was refused")
    pkl.write_bytes(pickle.dumps({"betas": np.zeros(10)}))
    refused("a_smplparams.pkl holds no parameters of PaMIR's")
    pkl.write_bytes(kept)
    (folder / "b_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": [1, 2, 3]}]}))
    refused("b_keypoints.json has 1 joints")
    (folder / "b_keypoints.json").write_text(json.dumps({"people": []}))
    write_image(folder / "b_mask.png", np.zeros((100, 90), np.uint8))
    refused("b_mask.png is 90x100, b.png 512x512")
    (folder / "b_mask.png").unlink()
    refused("b_mask.png is missing.*needs a mask for b.png")


def test_results_are_in_the_cube(clip, tmp_path):
    """The meshes of an avatar, as PaMIR names them."""
    from hvr_nb.export.pamir_folder import _write_result
    from hvr_nb.methods.pamir.crop import make_crops
    from hvr_nb.types import Mesh

    model, (vertices, _) = load_body_model(), posed(load_body_model(), clip.body)
    crops = make_crops(vertices.astype(float), clip.body.camera)
    mesh = Mesh(vertices[1], model.faces, np.full((len(vertices[1]), 3), 77, np.uint8))
    _write_result(tmp_path / "results", "b", mesh, crops, 1)
    plain = trimesh.load(tmp_path / "results/b.obj", process=False)
    cube = crops.to_cube(vertices[1].astype(float), 1)
    np.testing.assert_allclose(plain.vertices, cube, atol=1e-5)
    line = (tmp_path / "results/b_tex.obj").read_text().splitlines()
    assert len(next(row for row in line if row.startswith("v ")).split()) == 7, "v x y z r g b"
