"""The clothed mesh against the synthetic subject's own, where everything is known."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from hvr_nb.batch import run_chain
from hvr_nb.body.kinematics import turn_joints
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.canonical.binding import bind, carried, pose_skin
from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.evaluate.stages import keep_truth
from hvr_nb.export.avatar import export_avatar
from hvr_nb.formats.models.skinned_mesh import read_skinned_glb
from hvr_nb.geometry.camera import default_camera
from hvr_nb.geometry.mesh import face_normals, unique_edges, vertex_normals
from hvr_nb.geometry.outline_distance import FARTHEST, lookup, signed_distance
from hvr_nb.methods import selfrecon
from hvr_nb.methods.selfrecon.avatar import MeshAvatar
from hvr_nb.metrics.images import iou
from hvr_nb.metrics.surfaces import outer_faces, surface_quality
from hvr_nb.store.clip import Clip
from hvr_nb.subject import load_truth, write_synthetic
from hvr_nb.subject.person import pose_subject
from hvr_nb.surface import carving
from hvr_nb.surface.albedo import Sightings, albedo_and_light, filled
from hvr_nb.surface.clothed import motion, pose
from hvr_nb.surface.clothed.fit import footage
from hvr_nb.surface.displace import consensus, unfolded
from hvr_nb.surface.light import lobes
from hvr_nb.surface.remesh import remeshed, subdivision
from hvr_nb.surface.rim import Rim, find_rim, shared_edges
from hvr_nb.surface.unexplained import hem_of_skirt, views_of
from hvr_nb.types import HvrError, Mesh

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
FRAMES = 16  # of the turning clip
COARSE = selfrecon.Options(hold_out=4, cell=0.014)


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def truth(turning):
    return turning.truth


@pytest.fixture(scope="module")
def clip(turning_clip):
    return turning_clip


@pytest.fixture(scope="module")
def avatar(clip):
    return selfrecon.reconstruct(clip, COARSE)


def test_the_mesh_is_near_the_clothed_truth(avatar, truth, model):
    true = Mesh(pose_subject(truth.subject(), truth.body.frame(1))[0], truth.subject().faces)
    row = surface_quality(avatar.mesh(1), true, samples=20_000)
    bare = surface_quality(Mesh(posed(model, truth.body.frame(1))[0][0], model.faces), true, samples=20_000)
    assert row["chamfer_mm"] < 8 < bare["chamfer_mm"] + 2
    assert row["chamfer_mm"] < 0.85 * bare["chamfer_mm"] and row["normal_deg"] < 20


def test_silhouettes_agree_in_held_out_frames_too(avatar, clip):
    assert avatar.held_out.tolist() == [3, 7, 11, 15]
    for k in (0, 3):
        picture = avatar.render(clip.body.camera, avatar.body.frame(k), frame=k)
        assert iou(to_uint8(picture.alpha), clip.masks.alpha[k]) > (0.95 if k == 0 else 0.94)
        hit = picture.depth > 0
        middle = posed(load_body_model(), avatar.body.frame(k))[1][0, 0]
        assert (
            np.abs(picture.depth[hit] + middle[2]).max() < 1
            and (picture.depth[picture.alpha == 0] == 0).all()
        )
        assert (picture.rgb <= picture.alpha[..., None] + 1e-5).all()
    assert avatar.history["iou"][-1] > 0.95 and avatar.history["psnr_body"][-1] > 17


def test_it_leaves_as_a_skinned_glb(avatar, tmp_path):
    made = export_avatar(avatar, tmp_path / "out", fps=10.0)
    back = read_skinned_glb(tmp_path / "out" / "avatar.glb")
    assert len(back.mesh.faces) == len(avatar.surface().faces) and len(back.times) == FRAMES
    assert made.loss["mean_mm"] < 10


def test_topology_is_constant_and_closed(avatar):
    mesh, other = avatar.mesh(), avatar.surface(avatar.body.frame(5))
    assert (mesh.faces == other.faces).all() and mesh.vertices.shape == other.vertices.shape
    assert len(unique_edges(mesh.faces)) * 2 == mesh.faces.size  # every edge has two faces
    weights = avatar.skin_weights()
    assert weights.shape == (len(mesh.vertices), 24) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    coarse = avatar.mesh(resolution=40)
    assert len(coarse.vertices) < len(mesh.vertices) / 3 and coarse.colors.shape == coarse.vertices.shape
    assert len(avatar.mesh(resolution=4000).vertices) == len(mesh.vertices)
    posed_coarse = avatar.mesh(2, resolution=40)
    np.testing.assert_allclose(posed_coarse.vertices.mean(0), avatar.mesh(2).vertices.mean(0), atol=0.1)


def test_a_frames_own_displacement_shows_in_every_pose(avatar):
    body = avatar.body.frame(5)
    assert np.array_equal(avatar.surface(body, frame=5).vertices, avatar.mesh(5).vertices)
    rest, moved = avatar.surface(None), avatar.surface(None, frame=5)
    gap = np.linalg.norm(moved.vertices - rest.vertices, axis=1)
    assert 1e-4 < gap.max() < 0.05 and np.array_equal(rest.vertices, avatar.made.vertices)
    assert np.array_equal(moved.faces, rest.faces)


def test_signed_distance_knows_inside_from_outside(avatar):
    joints = make_joints(avatar)
    assert avatar.signed_distance(joints[[0, 6, 12]]).max() < -0.02
    far = avatar.signed_distance(np.array([[0, 0, 2.0]]))
    assert 1.5 < far[0] < 2.1
    body = avatar.body.frame(0)
    assert avatar.signed_distance(posed(avatar.model, body)[1][0][[0, 6]], body).max() < -0.02


def make_joints(avatar):
    big = avatar.canonical.A_big
    return np.einsum("jab,jb->ja", big[:, :, :3], avatar.canonical.rest_joints) + big[:, :, 3]


def test_saved_and_loaded_is_the_same(avatar, clip, tmp_path):
    back = selfrecon.load(clip.folder / "avatars" / "selfrecon")
    a, b = (x.render(clip.camera, avatar.body.frame(1), frame=1) for x in (avatar, back))
    assert (a.rgb == b.rgb).all() and (a.depth == b.depth).all()
    assert back.fingerprint == avatar.fingerprint
    assert back.held_out.tolist() == avatar.held_out.tolist() and back.history == avatar.history
    fast = back.render_fast(clip.camera, avatar.body.frame(1))
    assert set(np.unique(fast.alpha)) == {0.0, 1.0}
    folder = back.save(tmp_path / "copy")
    options = json.loads((folder / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps(options | {"model_hash": "0" * 64}))
    with pytest.raises(HvrError, match="body model"):
        selfrecon.load(folder)
    (folder / "options.json").write_text(json.dumps(options | {"method": "nvr"}))
    with pytest.raises(HvrError, match="selfrecon"):
        selfrecon.load(folder)


def test_bad_options_are_refused(clip, tmp_path):
    with pytest.raises(HvrError, match="image_scale"):
        selfrecon.reconstruct(clip, selfrecon.Options(image_scale=0))
    with pytest.raises(HvrError, match="hold_out"):
        selfrecon.reconstruct(clip, selfrecon.Options(hold_out=1))
    with pytest.raises(HvrError, match="00_video"):
        selfrecon.reconstruct(Clip(tmp_path))


@pytest.mark.slow  # 05 to 07 with a small method: tests/methods/test_contract.py
def test_the_notebooks_know_it(clip, turning):
    assert keep_truth(clip, turning.source / "video.mp4")
    given = {
        "05_train": {"method": "selfrecon", "hold_out": 4, "image_scale": 0.5},
        "": {"method": "selfrecon"},
        "06_render": {"views": 2, "motion_frames": 2, "novel_limit": 1, "mesh_resolution": 48},
        "07_visualize": {"player_side": 96},
    }
    run_chain("", clip.folder, notebooks_dir=NOTEBOOKS, overrides=given, from_stage="05", progress=False)
    numbers = Clip.open(clip.folder).metrics
    assert numbers["06_render"]["heldout_body_psnr"] > 14 and numbers["06_render"]["held_out_frames"] == 4
    assert numbers["06_render"]["novel_body_psnr"] > 12 and numbers["06_render"]["seen_pct"] > 70
    for name in ("frames.mp4", "turntable.mp4", "novel_poses.mp4", "canonical.glb"):
        assert (clip.folder / "renders" / "selfrecon" / name).stat().st_size > 1000
    assert "</html>" in (clip.folder / "report.html").read_text()


# -- parts -----------------------------------------------------------------------------------------


def ball(radius=0.5, cell=0.1):
    axis = np.arange(-0.8, 0.8, cell)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return carving.surface_of(np.sqrt(x**2 + y**2 + z**2) - radius, np.full(3, -0.8), cell)


def test_surfaces_of_grids_are_closed_face_outwards_and_drop_bubbles():
    vertices, faces = ball()
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.5, atol=0.01)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a) * (a + b + c)).sum(1).min() > 1e-7
    axis = np.arange(-0.8, 0.8, 0.1)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    hollow = np.maximum(r - 0.5, 0.15 - r)
    assert len(carving.surface_of(hollow, np.full(3, -0.8), 0.1)[0]) == len(vertices)


def test_remeshing_and_subdivision_keep_a_ball():
    vertices, faces = ball()
    finer, new_faces = subdivision(faces, len(vertices))
    assert finer.shape[0] == len(vertices) + len(unique_edges(faces)) and len(new_faces) == 4 * len(faces)
    np.testing.assert_allclose(np.asarray(finer.sum(1)).ravel(), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(finer @ vertices, axis=1), 0.5, atol=0.015)
    again, _ = remeshed(finer @ vertices, new_faces, 0.05)
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 0.495, atol=0.02)


def disc(side=101, radius=30.0):
    y, x = np.mgrid[:side, :side] + 0.5
    r = np.hypot(x - side / 2, y - side / 2)
    return (255 * np.clip(radius - r + 0.5, 0, 1)).astype(np.uint8), r - radius


def test_signed_distance_of_a_mask_is_sub_pixel():
    alpha, true = disc()
    found = signed_distance(alpha).astype(float)
    near = np.abs(true) < 10
    assert np.abs(found - true)[near].mean() < 0.15 and np.abs((found - true)[near].mean()) < 0.1
    assert (signed_distance(np.zeros((8, 8), np.uint8)) == FARTHEST).all()


def test_lookup_is_bilinear_with_centres_at_half():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    at = np.array([[0.5, 0.5], [3.5, 2.5], [1.0, 0.5], [-9, -9]])
    np.testing.assert_allclose(lookup(image, at), [0, 11, 0.5, 0])


def test_faces_that_a_step_folds_are_smoothed_and_nothing_else():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
    before, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    thumb = before[:, 0] > 0.07
    after = np.where(thumb[:, None], before * [-1, 1, 1] + [0.1, 0, 0], before)  # pushed in through itself
    healed = unfolded(before, after, faces)
    folded = [
        (face_normals(before, faces) * face_normals(x, faces)).sum(1).clip(max=0).sum()
        for x in (after, healed)
    ]
    assert folded[1] > 0.1 * folded[0] and folded[0] < 0
    far = before[:, 0] < 0
    np.testing.assert_array_equal(healed[far], after[far])
    np.testing.assert_array_equal(unfolded(before, before, faces), before)


def test_the_rim_of_a_ball_and_the_consensus_that_grows_it():
    camera = replace(default_camera(128, 128), R=np.diag([1.0, -1, -1]), t=np.array([0, 0, 2.0]))
    vertices, faces = ball(cell=0.05)
    focal = camera.K[0, 0]
    y, x = np.mgrid[:128, :128] + 0.5
    wanted = focal * np.tan(np.arcsin(0.55 / 2))  # a ball of 0.55 m
    alpha = (255 * np.clip(wanted - np.hypot(x - 64, y - 64) + 0.5, 0, 1)).astype(np.uint8)
    rims = find_rim(vertices, faces, shared_edges(faces), camera, signed_distance(alpha))
    assert len(rims.vertex) > 20 and rims.trust.max() <= 1
    np.testing.assert_allclose(np.median(rims.residual), -0.05, atol=0.015)
    unit = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    assert (rims.gradient * unit[rims.vertex]).sum(1).min() > 0.5
    move = consensus([rims], [unit], vertices, faces, sigma=0.1)
    np.testing.assert_allclose(np.median(move[rims.vertex]), 0.05, atol=0.015)


def test_poses_are_found_again_from_rims(model):
    """Turned arms and a shift, seen through points that know where they should be."""
    rest = np.zeros((3, 72))
    skin = pose_skin(model, np.zeros(10), rest, np.zeros((3, 3)))
    weights = model.weights.numpy()
    wrong = np.zeros((3, 24, 3))
    wrong[:, 16, 2] = 0.05
    poses, transl = turn_joints(rest, np.zeros((3, 3)), wrong, np.full((3, 3), 0.01), model.parents)
    moved = pose_skin(model, np.zeros(10), poses, transl)
    np.testing.assert_allclose(poses.reshape(3, 24, 3)[:, 16, 2], 0.05, atol=1e-9)
    rng, rims = np.random.default_rng(0), []
    for k in range(3):
        vertex = rng.permutation(len(weights))
        way = rng.normal(size=(len(vertex), 3))
        gap = ((skin.vertices[k] - moved.vertices[k])[vertex] * way).sum(1)
        rims.append(Rim(vertex, gap, way, skin.vertices[k][vertex], np.ones(len(vertex))))
    turn, shift = pose.correction(rims, skin, weights, model.parents, np.arange(3), 3)
    again = turn_joints(rest, np.zeros((3, 3)), turn, shift, model.parents)
    found = pose_skin(model, np.zeros(10), *again).vertices  # the collar may turn instead of the shoulder
    before, after = (np.abs(moved.vertices - v).mean() for v in (skin.vertices, found))
    assert after < 0.3 * before


def test_points_on_the_skin_follow_it_exactly(model):
    canonical = make_canonical(replace_body(model), model)
    bound = bind(canonical.vertices, canonical)
    poses = np.random.default_rng(0).normal(0, 0.2, (1, 72))
    skin = pose_skin(model, np.zeros(10), poses, np.array([[0.1, 0.2, -3]]))
    out = carried(bound, canonical.faces, skin.vertices[0], skin.world[0])
    np.testing.assert_allclose(out, skin.vertices[0], atol=1e-4)


def replace_body(model):
    from hvr_nb.types import Body

    return Body(
        np.zeros(10),
        np.zeros((1, 3)),
        np.zeros((1, 69)),
        np.zeros((1, 3)),
        default_camera(64, 64),
        np.ones(1, bool),
        model.hash,
    )


def test_bumps_fill_frames_that_were_not_seen():
    vertices, faces = ball(cell=0.05)
    unit = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    basis = motion.bumps(vertices, motion.middles(vertices))
    np.testing.assert_allclose(np.asarray(basis.sum(1)).ravel(), 1)
    everyone = np.arange(len(vertices))
    rim = Rim(everyone, np.full(len(vertices), -0.003), unit, vertices, np.ones(len(vertices)))
    heights = motion.heights([rim] * 4, [unit] * 4, basis, np.array([0, 1, 3, 4]), 5)
    assert 0.001 < (basis @ heights[2]).mean() < 0.0032 and heights.shape == (5, basis.shape[1])


def test_albedo_and_light_are_told_apart_and_outliers_ignored():
    rng = np.random.default_rng(0)
    true, toward = rng.uniform(0.2, 0.6, (200, 3)), np.array([0.5, 0.7, 0.5]) / 0.99**0.5
    normals = rng.normal(size=(40, 200, 3))
    normals[..., 2] = np.abs(normals[..., 2])  # one camera sees one side only
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)

    def shade(n):
        return 0.7 + 0.5 * np.maximum(n @ toward, 0)

    rgb = (255 * np.clip(true * shade(normals)[..., None], 0, 1) + 0.5).astype(np.uint8)
    rgb[:3] = 255 - rgb[:3]  # some frames show something else
    weight = np.ones((40, 200), np.float32)
    weight[:, 0] = 0
    seen = Sightings(rgb, weight, np.zeros(normals.shape), normals.astype(np.float16))
    found, lamps = albedo_and_light(seen)
    assert np.isnan(found[0]).all() and lamps.min() >= 0
    for n in (normals[5, 1:], -normals[5, 1:]):  # what was filmed, and its far side
        again = found[1:] * (lobes(n) @ lamps)[:, None]
        error = np.abs(again - true[1:] * shade(n)[:, None])
        assert error.mean() < 0.03, error.mean()
    near = np.ones((3, 3)) / 3
    np.testing.assert_allclose(filled(np.array([[0.2] * 3, [0.4] * 3, [np.nan] * 3]), near)[2], 0.3)


def test_a_skirt_is_carved_and_shorts_are_not(model, truth, tmp_path):
    write_synthetic(tmp_path / "skirt", outfit="skirt", frames=8, size=128, hidden_views=0)
    for scene, there in ((load_truth(tmp_path / "skirt"), True), (truth.at(range(0, FRAMES, 2)), False)):
        canonical = make_canonical(scene.body, model)
        pictures = np.zeros((*scene.alpha.shape, 3), np.uint8)
        film = footage(pictures, scene.alpha, scene.camera, np.arange(8))
        skin = pose_skin(model, scene.body.betas, scene.body.poses, scene.body.transl)
        volume = carving.loose_volume(canonical, skin, film.distances, scene.camera)
        assert (volume is not None) == there
        cloth = np.isin(scene.labels, [4, 5, 6, 7])  # ATR: upper clothes, skirt, pants, dress
        for wider in (0.0, 0.02):  # metres; estimated bodies widen to fill what is worn
            bodies = [v + wider * vertex_normals(v, canonical.faces) for v in skin.vertices]
            views = views_of(bodies, canonical, scene.camera, film.distances, cloth)
            assert (hem_of_skirt(views, labels=True) is not None) == there


def test_outer_faces_leave_out_what_is_inside():
    vertices, faces = ball()
    both = Mesh(np.concatenate([vertices, 0.5 * vertices]), np.concatenate([faces, faces + len(vertices)]))
    seen = outer_faces(both)
    assert seen[: len(faces)].mean() > 0.8 and not seen[len(faces) :].any()
    row = surface_quality(both, Mesh(1.02 * vertices, faces), samples=5000)
    assert 9 < row["chamfer_mm"] < 20 and row["normal_deg"] < 15


def test_an_avatar_says_what_was_measured():
    found = [{"depth": 0.00598, "error": 0.001, "measured": measured} for measured in (True, False)]
    made = SimpleNamespace(vertices=np.zeros((7, 3)))
    avatar = MeshAvatar(made, None, range(3), None, np.zeros(0, int), {}, {"layers": found}, "")
    assert repr(avatar) == "MeshAvatar(7 vertices, 3 frames, 0 of them held out, cloth over cloth by 6.0 mm)"
    assert repr(replace(avatar, options={})).endswith("0 of them held out)")  # of layers=False
