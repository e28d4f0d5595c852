"""The synthetic person: what is called truth must be true."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import OPEN_BODY, load_body_model, posed
from hvr_nb.geometry.camera import camera_centre, default_camera, project, to_camera
from hvr_nb.geometry.mesh import face_normals
from hvr_nb.geometry.raster import rasterize
from hvr_nb.store.video import read_video
from hvr_nb.subject import (
    OUTFITS,
    clip_motion,
    clothed_mesh,
    hidden_cameras,
    load_truth,
    make_subject,
    pose_subject,
    render_subject,
    rotating_motion,
    subject_betas,
    subject_camera,
    walking_motion,
    write_synthetic,
)
from hvr_nb.subject.layers import border_vertices, clip_layer
from hvr_nb.types import Body, HvrError

SIZE = 128
# the layers of each outfit between skin and shoes, and their ATR labels
GARMENTS = {
    "trousers": ("shirt", "trousers"),
    "shorts": ("shirt", "trousers"),
    "skirt": ("shirt", "skirt"),
    "long_sleeves": ("shirt", "trousers"),
    "top": ("shirt", "trousers"),
    "dress": ("dress",),
    "tube": ("tube",),
    "long_skirt": ("shirt", "skirt"),
    "jacket": ("shirt", "jacket", "trousers"),
}
ATR = {"shirt": 4, "jacket": 4, "skirt": 5, "trousers": 6, "dress": 7, "tube": 7}


@pytest.fixture(scope="module")
def subjects():
    return {outfit: make_subject(outfit) for outfit in OUTFITS}


@pytest.fixture(scope="module")
def camera():
    return subject_camera(SIZE)


@pytest.fixture(scope="module")
def takes(subjects, camera):
    walk = walking_motion(3, fps=4, camera=camera)
    return {outfit: render_subject(subjects[outfit], walk) for outfit in OUTFITS}


@pytest.mark.parametrize("outfit", OUTFITS)
def test_every_outfit_is_a_sound_mesh(subjects, outfit):
    s = subjects[outfit]
    assert [layer.name for layer in s.layers] == ["skin", *GARMENTS[outfit], "shoes", "hair"]
    assert all(set(layer.labels) == {ATR[layer.name]} for layer in s.layers[1:-2])
    assert np.allclose(s.weights.sum(1), 1, atol=1e-5) and s.weights.min() >= 0
    assert s.faces.max() == len(s.positions) - 1 == s.carry.shape[0] - 1
    assert 0 <= s.uv.min() and s.uv.max() <= 1 and s.uv.shape == (len(s.faces), 3, 2)
    assert set(np.unique(s.labels)) >= {2, 9, 10, 11, 14, 15}
    assert s.texture.shape[2] == 3 and s.texture.dtype == np.uint8 and s.texture.std() > 20


@pytest.mark.parametrize("outfit", OUTFITS)
def test_alpha_labels_depth_and_normals_agree_pixel_by_pixel(takes, outfit):
    """Alpha, labels, depth and normals tell one story, and the labels are ATR's."""
    t = takes[outfit]
    assert np.array_equal(t.labels > 0, t.alpha >= 128)
    worn = {ATR[name] for name in GARMENTS[outfit]}
    assert set(np.unique(t.labels)) <= {0, 2, 9, 10, 11, 12, 13, 14, 15} | worn
    for label in worn:
        assert (t.labels == label).sum(axis=(1, 2)).min() > 100
    covered, empty = t.alpha == 255, t.alpha == 0
    assert (t.depth[covered] > 0).mean() > 0.998 and (t.depth[empty] == 0).mean() > 0.9995
    length = np.linalg.norm(t.normals.astype(float), axis=-1)
    assert np.allclose(length[t.depth > 0], 1, atol=5e-3) and (length[t.depth == 0] == 0).all()
    # Seen surfaces face the camera: n . ray < 0, but for interpolated normals at the outline.
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    ray = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(t.camera.K).T
    facing = (t.normals.astype(float) * ray).sum(-1)[t.depth > 0]
    assert (facing < 0.05).mean() > 0.98


def test_depth_is_metric(subjects, takes):
    """Depth unprojected to the world lies on the clothed mesh."""
    from scipy.spatial import cKDTree

    t = takes["trousers"]
    row, col = np.nonzero(t.depth[1])
    rays = np.stack([col + 0.5, row + 0.5, np.ones(len(row))], 1) @ np.linalg.inv(t.camera.K).T
    world = (rays * t.depth[1][row, col, None] - t.camera.t) @ t.camera.R
    distance, _ = cKDTree(pose_subject(subjects["trousers"], t.body.frame(1))[0]).query(world)
    assert distance.max() < 0.05 and np.median(distance) < 0.012  # edges are about 16 mm long


def test_joints_project_to_points(takes):
    t = takes["shorts"]
    limbs = {2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 9: 2, 10: 5, 11: 8, 12: 1, 13: 4, 14: 7}
    pixel = project(t.joints, t.camera)
    for point, joint in limbs.items():
        assert np.allclose(t.points25[:, point], pixel[:, joint], atol=1e-3)
    middle = project(t.joints[:, [1, 2]].mean(1), t.camera)
    assert np.allclose(t.points25[:, 8], middle, atol=1e-3)
    model = load_body_model(OPEN_BODY)
    assert np.allclose(posed(model, t.body)[1], t.joints)
    # The first frame faces the camera: the person's left is the picture's right.
    assert t.points25[0, 5, 0] > t.points25[0, 2, 0] and t.points25[0, 0, 1] < t.points25[0, 8, 1]


def test_labels_know_left_from_right(takes):
    t = takes["shorts"]
    for left, right in ((9, 10), (12, 13), (14, 15)):
        x_left, x_right = (np.nonzero(t.labels[0] == k)[1].mean() for k in (left, right))
        assert x_left > x_right


def test_seed_decides_everything(subjects, camera):
    again, other = make_subject("trousers"), make_subject("trousers", seed=1)
    assert np.array_equal(again.positions, subjects["trousers"].positions)
    assert np.array_equal(again.texture, subjects["trousers"].texture)
    assert not np.array_equal(other.texture, again.texture) and not np.array_equal(other.betas, again.betas)
    body = rotating_motion(2, camera=camera)
    a, b, c = (render_subject(again, body, seed=k, geometry=False) for k in (0, 0, 1))
    assert np.array_equal(a.frames, b.frames) and not np.array_equal(a.frames, c.frames)
    assert np.array_equal(a.alpha, c.alpha) and a.depth is None


@pytest.mark.parametrize(
    "outfit, seed, vertices, place, colours, picture",
    [
        ("trousers", 0, 8130, 6217.426, 96596412, 8487923),
        ("shorts", 4, 8137, 6036.125, 96836426, 8239114),
        ("skirt", 4, 10027, 7051.664, 117269443, 8336357),
    ],
)
def test_the_first_outfits_stay_what_they_were(outfit, seed, vertices, place, colours, picture):
    """Films of a seed are compared over years: its person, clothes and pictures do not change."""
    s = make_subject(outfit, seed=seed)
    body = walking_motion(2, fps=4, camera=subject_camera(96, seed=seed), seed=seed, betas=s.betas)
    t = render_subject(s, body, geometry=False, seed=seed)
    assert len(s.positions) == vertices and np.isclose(np.abs(s.positions).sum(), place, atol=2e-3)
    assert np.isclose(s.texture.sum(dtype=int), colours, rtol=1e-6)
    assert np.isclose(t.frames.sum(dtype=int), picture, rtol=1e-6)


def test_clothes_move_rigidly_with_the_root(subjects, camera):
    """Turning and shifting the whole person turns and shifts every clothed vertex."""
    s = subjects["skirt"]
    body = walking_motion(1, camera=camera)
    turn = Rotation.from_rotvec([0.2, -0.9, 0.3])
    root = Rotation.from_rotvec(body.global_orient)
    moved = replace(body, global_orient=(turn * root).as_rotvec(), transl=body.transl + [0.3, -0.2, 0.5])
    pelvis = posed(s.model, body)[1][0, 0] - body.transl[0]
    before, after = pose_subject(s, body)[0], pose_subject(s, moved)[0]
    wanted = turn.apply(before - body.transl[0] - pelvis) + pelvis + moved.transl[0]
    assert np.abs(after - wanted).max() < 1e-5


def test_clothes_are_the_bodys_own_skinning(subjects, camera):
    """Skin vertices that survived the clothes land exactly where the bare body's vertices do."""
    s = subjects["trousers"]
    body = walking_motion(2, fps=3, camera=camera)
    skin = s.layers[0]
    source = np.asarray(skin.carry.argmax(axis=1)).ravel()
    bare = posed(s.model, body)[0]
    assert np.abs(pose_subject(s, body)[:, : len(source)] - bare[:, source]).max() < 1e-5


@pytest.mark.parametrize("outfit", OUTFITS)
def test_no_skin_pokes_through(subjects, outfit, camera):
    """Nowhere on the trunk is bare skin seen where the shirt should be; a tube leaves the shoulders bare."""
    s = subjects[outfit]
    for motion in (rotating_motion(4, camera=camera), walking_motion(4, fps=3, camera=camera)):
        t = render_subject(s, motion, geometry=False, shade=False)
        for i, labels in enumerate(t.labels):
            chest = project(t.joints[i, [3, 6] if outfit == "tube" else [3, 6, 9]], t.camera)
            spots = [labels[int(y), int(x)] for x, y in chest]
            assert not {11, 12, 13} & set(int(k) for k in spots), (i, spots)


def test_motions_fit_the_picture(camera):
    for body in (rotating_motion(8, camera=camera), walking_motion(8, fps=3, camera=camera)):
        x = project(posed(load_body_model(OPEN_BODY), body)[0], camera)
        lo, hi = x.min((0, 1)), x.max((0, 1))
        assert (lo > 0.03 * SIZE).all() and (hi < 0.97 * SIZE).all()
        assert 0.70 * SIZE < hi[1] - lo[1] < 0.82 * SIZE
        assert -4 < body.transl[:, 2].mean() < -2
    assert camera.source == "truth" and not np.isclose(camera.K[0, 0], default_camera(SIZE, SIZE).K[0, 0])


def test_rotation_is_a_full_turn():
    body = rotating_motion(12)
    heading = Rotation.from_rotvec(body.global_orient).apply([0.0, 0, 1])[:, [0, 2]]
    step = np.degrees(np.arctan2(*heading.T)) % 360
    assert np.allclose(step, np.arange(12) * 30, atol=1e-6)


def test_any_motion_can_be_worn(subjects, camera):
    rng = np.random.default_rng(0)
    alien = Body(
        betas=np.ones(10),
        global_orient=np.zeros((3, 3)),
        body_pose=rng.normal(0, 0.1, (3, 69)),
        transl=np.array([[5.0, 1, 2], [5.1, 1, 2], [5.2, 1, 2]]),
        camera=default_camera(64, 64),
        valid=np.ones(3, bool),
        model_hash="of another model",
    )
    s = subjects["skirt"]
    with pytest.raises(HvrError, match="clip_motion"):
        pose_subject(s, alien)
    worn = clip_motion(alien, camera=camera)
    assert np.array_equal(worn.body_pose, alien.body_pose)
    assert np.allclose(np.diff(worn.transl, axis=0), np.diff(alien.transl, axis=0))
    t = render_subject(s, worn, geometry=False)
    assert (t.alpha[:, [0, -1]] == 0).all() and (t.alpha[:, :, [0, -1]] == 0).all()
    assert (t.alpha > 128).sum(axis=(1, 2)).min() > 0.03 * SIZE**2


def test_betas_of_motion_and_subject_must_agree(subjects, camera):
    body = rotating_motion(1, camera=camera, betas=np.zeros(10))
    with pytest.raises(HvrError, match="another shape"):
        pose_subject(subjects["trousers"], body)
    assert len(pose_subject(make_subject("trousers", betas=np.zeros(10)), body)) == 1


def test_unknown_outfit():
    with pytest.raises(HvrError, match="trousers, shorts, skirt"):
        make_subject("toga")


def test_a_model_without_texture_coordinates_is_refused():
    with pytest.raises(HvrError, match="texture coordinates"):
        make_subject(model=replace(load_body_model(OPEN_BODY), uv=None))


def test_clip_layer_cuts_on_the_line(subjects):
    """A sheet cut by a plane ends on the plane; what is kept and its complement make the whole."""
    shirt = subjects["trousers"].layers[1]
    height = shirt.positions[:, 1] - float(np.median(shirt.positions[:, 1]))
    parts = [clip_layer(shirt, sign * height, "part", 0) for sign in (1, -1)]
    middle = float(np.median(shirt.positions[:, 1]))
    old = {tuple(np.round(p, 9)) for p in shirt.positions}
    area = [np.linalg.norm(face_normals(m.positions, m.faces), axis=1).sum() for m in (shirt, *parts)]
    assert np.isclose(area[1] + area[2], area[0], rtol=1e-3)  # cuts are kept off the vertices
    for part in parts:
        new = np.array([tuple(np.round(p, 9)) not in old for p in part.positions])
        assert new.sum() > 50 and np.abs(part.positions[new, 1] - middle).max() < 1e-3
        assert set(np.flatnonzero(new)) <= set(border_vertices(part.faces).ravel())
        assert np.allclose(part.weights.sum(1), 1, atol=1e-5) and len(part.uv) == len(part.labels)


def test_mesh_renders_like_the_take(subjects, takes):
    t = takes["shorts"]
    mesh = clothed_mesh(subjects["shorts"], t.body, 2)
    depth, face, _ = rasterize(mesh.vertices, mesh.faces, t.camera)
    assert np.allclose(np.where(face >= 0, depth, 0), t.depth[2], atol=1e-4)
    assert mesh.uv[mesh.uv_faces].shape == (*mesh.faces.shape, 2) and mesh.texture is not None


def test_given_background_and_no_shade(subjects, camera):
    green = np.zeros((SIZE, SIZE, 3), np.uint8) + np.array([0, 200, 0], np.uint8)
    body = rotating_motion(1, camera=camera)
    t = render_subject(subjects["shorts"], body, background=green, geometry=False)
    empty = t.frames[0][t.alpha[0] == 0].astype(float)
    assert abs(empty[:, 1].mean() - 200) < 0.5 and 1.5 < empty[:, 1].std() < 2.7


def test_hidden_cameras_circle_the_person(camera):
    body = rotating_motion(1, camera=camera)
    joints = posed(load_body_model(OPEN_BODY), body)[1][0]
    views = hidden_cameras(body, joints[0], 5)
    distance = np.linalg.norm(camera_centre(camera) - joints[0])
    for view in views:
        eye = camera_centre(view)
        assert np.isclose(np.linalg.norm(eye - joints[0]), distance) and eye[1] > camera_centre(camera)[1]
        assert np.allclose(view.R @ view.R.T, np.eye(3)) and np.isclose(np.linalg.det(view.R), 1)
        assert np.allclose(to_camera(joints[0], view), to_camera(joints[0], camera), atol=1e-9)
    flat = np.stack([camera_centre(v) - joints[0] for v in views])[:, [0, 2]]
    gaps = np.diff(np.sort(np.degrees(np.arctan2(*flat.T))))
    assert gaps.min() > 30 and len({v.R.tobytes() for v in views}) == 5


# -- on disk -----------------------------------------------------------------------------------


OPTIONS = dict(outfit="shorts", motion="walk", frames=4, size=96, hidden_views=2, hidden_every=3, seed=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_synthetic(tmp_path_factory.mktemp("synthetic") / "clip", **OPTIONS)


def test_written_clip(written):
    truth, video = load_truth(written), read_video(written / "video.mp4")
    assert video.frames.shape == (4, 96, 96, 3) and video.fps == 30
    assert truth.source == "synthetic" and (truth.outfit, truth.seed) == ("shorts", 3)
    assert np.allclose(truth.body.betas, subject_betas(3)) and truth.camera.source == "truth"
    take = render_subject(truth.subject(), truth.body, seed=3)
    assert np.array_equal(take.alpha, truth.alpha) and np.array_equal(take.labels, truth.labels)
    assert np.allclose(take.joints, truth.joints) and np.allclose(take.points25, truth.points25)
    luma = np.abs((take.frames.astype(float) - video.frames) @ [0.299, 0.587, 0.114])
    assert luma.mean() < 2.5  # of 255, the noise included; only chroma is stored at half resolution
    with np.load(written / "truth.npz", allow_pickle=False) as file:
        assert all(file[key].dtype != object for key in file.files)


def test_hidden_views_see_the_same_person(written):
    truth = load_truth(written)
    assert len(truth.hidden) == 2
    for view in truth.hidden:
        assert view.frame_indices.tolist() == [0, 3] and view.frames.shape == (2, 96, 96, 3)
        for k, f in enumerate(view.frame_indices):
            pixel = project(truth.joints[f], view.camera).astype(int)
            assert (view.alpha[k][pixel[:, 1], pixel[:, 0]] > 200).mean() > 0.9
            inside = view.alpha[k] == 255
            assert (
                np.abs(
                    view.frames[k][inside].astype(float).mean(0) - view.frames[k][view.alpha[k] == 0].mean(0)
                ).max()
                > 10
            )


def test_truth_at_chosen_frames(written):
    truth = load_truth(written)
    part = truth.at([1, 3])
    assert np.array_equal(part.alpha, truth.alpha[[1, 3]]) and len(part.body) == 2
    assert part.hidden[0].frame_indices.tolist() == [1]
    assert np.array_equal(part.hidden[0].frames[0], truth.hidden[0].frames[1])
    with pytest.raises(HvrError, match="another video"):
        truth.at([4])


def test_writing_again_does_nothing(written, monkeypatch):
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in written.iterdir()}
    monkeypatch.setattr("hvr_nb.subject.take.render_subject", None)  # rendering again would fail
    write_synthetic(written, **OPTIONS)
    assert before == {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in written.iterdir()}


def test_another_look_is_rendered_again(written, tmp_path, monkeypatch):
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("hvr_nb.subject.take.PICTURES_VERSION", -1)
    monkeypatch.setattr("hvr_nb.subject.take.render_subject", None)
    with pytest.raises(TypeError):
        write_synthetic(tmp_path, **OPTIONS)


def test_interrupted_clip_is_made_again(written, tmp_path, monkeypatch):
    """Stopped between video and truth, the clip is not taken for finished; the rerun is identical."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hvr_nb.subject.take._save_truth", stop)
        with pytest.raises(KeyboardInterrupt):
            write_synthetic(tmp_path / "clip", **OPTIONS)
    assert sorted(p.name for p in (tmp_path / "clip").iterdir()) == ["synthetic.json", "video.mp4"]
    with pytest.raises(HvrError, match="truth.npz is missing"):
        load_truth(tmp_path / "clip")
    write_synthetic(tmp_path / "clip", **OPTIONS)
    first, second = load_truth(written), load_truth(tmp_path / "clip")
    assert np.array_equal(first.hidden[1].frames, second.hidden[1].frames)
    assert (written / "video.mp4").read_bytes() == (tmp_path / "clip/video.mp4").read_bytes()


def test_a_damaged_video_is_made_again_and_damaged_truth_named(written, tmp_path):
    for name in ("video.mp4", "truth.npz", "synthetic.json"):
        (tmp_path / name).write_bytes((written / name).read_bytes())
    (tmp_path / "video.mp4").write_bytes(b"cut short")
    write_synthetic(tmp_path, **OPTIONS)
    assert (tmp_path / "video.mp4").read_bytes() == (written / "video.mp4").read_bytes()
    (tmp_path / "truth.npz").write_bytes(b"cut short")
    with pytest.raises(HvrError, match="damaged"):
        load_truth(tmp_path)


def test_foreign_video_is_left_alone(tmp_path):
    (tmp_path / "video.mp4").write_bytes(b"holiday")
    with pytest.raises(HvrError, match="choose another folder"):
        write_synthetic(tmp_path, **OPTIONS)
    assert (tmp_path / "video.mp4").read_bytes() == b"holiday"


@pytest.mark.parametrize(
    "wrong", [{"motion": "fly"}, {"frames": 0}, {"size": 97}, {"outfit": "toga"}, {"fps": 0.0}]
)
def test_senseless_parameters(tmp_path, wrong):
    with pytest.raises(HvrError, match=str(next(iter(wrong.values())))):
        write_synthetic(tmp_path / "clip", **{**OPTIONS, **wrong})
    assert not (tmp_path / "clip").exists()
