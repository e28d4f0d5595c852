import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from hvr_nb.body.kinematics import turn_joints
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.binding import shifted
from hvr_nb.geometry.camera import default_camera, orbit, project
from hvr_nb.geometry.raster import interpolate, rasterize
from hvr_nb.methods import nvr
from hvr_nb.methods._clip import trained_frames
from hvr_nb.methods.nvr import baked
from hvr_nb.methods.nvr.avatar import OFFSETS
from hvr_nb.methods.nvr.fit import pose_rate
from hvr_nb.methods.nvr.lens import LensCorrection, refocused_lens
from hvr_nb.methods.nvr.network import AvatarField, FieldOptions
from hvr_nb.methods.nvr.pose import PoseCorrection, spread_to_all
from hvr_nb.methods.nvr.samples import positions
from hvr_nb.metrics.images import iou, psnr
from hvr_nb.store.clip import Clip
from hvr_nb.types import Body, HvrError, Keypoints, Masks

SMALL = FieldOptions(levels=4, finest=128, log2_table=13, geometry_levels=3, width=16, codes=4)
FRAMES, SIZE = 6, 72


def draw(vertices, faces, colours, camera):
    _, face, bary = rasterize(vertices, faces, camera)
    picture = interpolate(colours, faces, face, bary)
    return (picture * 255).astype(np.uint8), (255 * (face >= 0)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def colours(model):
    v = model.v_template.numpy()
    return np.stack([v[:, 1] > 0.1, np.sin(9 * v[:, 1]) * 0.5 + 0.5, v[:, 0] > 0], -1).astype(np.float32)


def cone():
    """A skirt about the hips of the zero pose: vertices (V, 3), faces (F, 3)."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = np.concatenate(
        [
            np.stack([r * np.cos(angle), np.full(48, y), r * np.sin(angle)], -1)
            for r, y in ((0.17, -0.12), (0.34, -0.62))
        ]
    )
    k, n = np.arange(48), (np.arange(48) + 1) % 48
    return x, np.concatenate([np.stack([k, n, k + 48], -1), np.stack([n, n + 48, k + 48], -1)])


def make_clip(folder, model, colours, *, shifted=0.0, skirt=False):
    """A doll that turns on the spot, perhaps in a skirt; its body is ``shifted`` metres to the side."""
    camera = default_camera(SIZE, SIZE)
    turn = np.stack([np.zeros(FRAMES), np.linspace(0, 5, FRAMES), np.zeros(FRAMES)], -1)
    pose = np.zeros((FRAMES, 69))
    pose[:, 47], pose[:, 50] = -0.9, 0.9  # arms down
    body = Body(
        betas=np.zeros(10),
        global_orient=turn,
        body_pose=pose,
        transl=np.tile([0, 0.2, -3.0], (FRAMES, 1)),
        camera=camera,
        valid=np.ones(FRAMES, bool),
        model_hash=model.hash,
    )
    faces, vertices = model.faces, posed(model, body)[0]
    if skirt:
        x, more = cone()
        vertices = np.concatenate([vertices, np.tile(x + body.transl[0], (FRAMES, 1, 1))], 1)
        faces = np.concatenate([faces, more + len(colours)])
        colours = np.concatenate([colours, np.full((len(x), 3), (0.8, 0.2, 0.2), np.float32)])
    pictures = [draw(v, faces, colours, camera) for v in vertices]
    frames, alpha = (np.stack(x) for x in zip(*pictures, strict=True))
    clip = Clip.create(
        folder,
        frames,
        fps=10,
        names=[f"{k:06d}" for k in range(FRAMES)],
        times=np.arange(FRAMES) / 10,
        source={},
    )
    clip.save("camera", camera)
    clip.save(
        "keypoints",
        Keypoints(
            np.zeros((FRAMES, 25, 3)),
            np.zeros((FRAMES, 25), bool),
            np.ones(FRAMES, bool),
            np.zeros((FRAMES, 4)),
        ),
    )
    clip.save("masks", Masks(alpha))
    clip.save("body", replace(body, transl=body.transl + [shifted, 0, 0]))
    return clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory, model, colours):
    return make_clip(tmp_path_factory.mktemp("clips") / "doll", model, colours)


def train(clip, iters=150, rays=256, **options):
    options = {
        "iters": iters,
        "rays": rays,
        "field": SMALL,
        "fold_every": 60,
        "pose_from": 40,
        "occupancy_from": 50,
        "occupancy_every": 50,
        "table_lr": 3e-2,
        "net_lr": 1e-2,
    } | options
    return nvr.reconstruct(clip, nvr.Options(**options), seed=1, device="cpu")


@pytest.fixture(scope="module")
def avatar(clip):
    return train(clip, hold_out=3)


def body_psnr(avatar, picture, frame, alpha):
    inside = alpha > 127
    return -10 * np.log10(((picture.rgb[inside] - frame[inside] / 255) ** 2).mean())


def test_training_makes_pictures_like_the_frames(avatar, clip, model, colours):
    camera = clip.camera
    picture = avatar.render(camera, avatar.body.frame(0), frame=0)
    assert body_psnr(avatar, picture, clip.frames[0], clip.masks.alpha[0]) > 18
    covered = picture.alpha > 0.5
    assert (covered & (clip.masks.alpha[0] > 127)).sum() / (
        covered | (clip.masks.alpha[0] > 127)
    ).sum() > 0.85
    hit = picture.alpha > 0.9
    assert np.abs(picture.depth[hit] - 3).max() < 0.6 and (picture.depth[picture.alpha == 0] == 0).all()
    side = orbit(camera, np.array([0, 0.2, -3.0]), 0.4)
    truth, alpha = draw(posed(model, clip.body.frame(0))[0][0], model.faces, colours, side)
    assert body_psnr(avatar, avatar.render(side, clip.body.frame(0)), truth, alpha) > 15
    history = avatar.history["psnr_body"]
    assert history[-1] > history[0] + 3


def test_held_out_frames_are_named_and_have_codes_and_poses(avatar, clip):
    assert avatar.held_out.tolist() == [2, 5]
    assert avatar.codes.shape == (FRAMES, SMALL.codes) and len(avatar.body) == FRAMES
    np.testing.assert_allclose(avatar.codes[2], (avatar.codes[1] + avatar.codes[3]) / 2, atol=1e-6)
    picture = avatar.render(clip.camera, avatar.body.frame(2), frame=2)
    assert body_psnr(avatar, picture, clip.frames[2], clip.masks.alpha[2]) > 15


def test_saved_and_loaded_renders_the_same(avatar, clip, tmp_path):
    back = nvr.load(clip.folder / "avatars" / "nvr")
    a, b = (x.render(clip.camera, avatar.body.frame(1), frame=1) for x in (avatar, back))
    np.testing.assert_allclose(a.rgb, b.rgb, atol=1e-5)
    np.testing.assert_allclose(a.depth, b.depth, atol=1e-4)
    assert back.fingerprint == avatar.fingerprint
    assert back.history["step"] == avatar.history["step"] and back.held_out.tolist() == [2, 5]
    nvr.load(avatar.save(tmp_path / "copy"))
    assert sum(f.stat().st_size for f in (tmp_path / "copy").iterdir()) < 30e6


def test_meshes_follow_the_body(avatar, clip, model):
    mesh = avatar.mesh(resolution=96)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    np.testing.assert_allclose(low, avatar.canonical.vertices.min(0), atol=0.08)
    np.testing.assert_allclose(high, avatar.canonical.vertices.max(0), atol=0.08)
    assert mesh.colors.shape == mesh.vertices.shape and mesh.colors.dtype == np.uint8
    import trimesh

    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume > 0.03  # outward faces
    posed_mesh = avatar.mesh(0, resolution=96)
    body = posed(model, avatar.body.frame(0))[0][0]
    np.testing.assert_allclose(posed_mesh.vertices.min(0), body.min(0), atol=0.1)


def test_its_surface_takes_a_frames_own_motion(avatar):
    rest, moved = avatar.surface(None).vertices, avatar.surface(None, frame=2).vertices
    gap = np.linalg.norm(moved - rest, axis=1)
    assert 0 < gap.max() < 0.1
    pose = avatar.body.frame(2)
    shift = np.linalg.norm(avatar.surface(pose, frame=2).vertices - avatar.surface(pose).vertices, axis=1)
    np.testing.assert_allclose(shift, gap, atol=0.2 * gap.max() + 1e-5)  # carried along by the skin


def test_it_exports_with_its_texture(avatar, clip, tmp_path):
    from hvr_nb.export.avatar import avatar_texture, export_avatar

    assert avatar.skin_weights().shape == (len(avatar.surface().vertices), 24)
    texture = avatar_texture(avatar, clip.frames, clip.masks, size=256)
    made = export_avatar(avatar, tmp_path / "out", fps=clip.fps, texture=texture)
    assert texture.seen_pct > 20 and made.loss["mean_mm"] < 6 and "avatar.glb" in made.files


def test_outlines_are_smoothed_and_nothing_else(avatar, clip, model, colours):
    rough, smooth = (avatar.render(clip.camera, avatar.body.frame(0), antialias=a) for a in (False, True))
    changed = np.abs(rough.rgb - smooth.rgb).max(-1) > 0
    solid = np.zeros_like(changed)
    solid[1:-1, 1:-1] = np.all(
        [
            rough.alpha[1 + y : SIZE - 1 + y, 1 + x : SIZE - 1 + x] > 0.95
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
        ],
        axis=0,
    )
    assert changed.any() and solid.any() and not (changed & solid).any()
    _, fine = draw(posed(model, clip.body.frame(0))[0][0], model.faces, colours, clip.camera.scaled(4))
    coverage = fine.reshape(SIZE, 4, SIZE, 4).mean((1, 3)) / 255
    assert np.abs(smooth.alpha - coverage).mean() < 0.8 * np.abs(rough.alpha - coverage).mean()


def test_guided_by_the_mesh_looks_like_the_whole_shell(avatar, clip, monkeypatch):
    guided = avatar.render(clip.camera, avatar.body.frame(0), frame=0)

    def everywhere(bounds, depth, pixel_size):
        return bounds, np.where(np.isfinite(bounds[..., 0]), 24, 0)

    monkeypatch.setattr(baked, "guided_bounds", everywhere)
    whole = avatar.render(clip.camera, avatar.body.frame(0), frame=0)
    inside = whole.alpha > 0.5
    assert psnr(guided.rgb[inside], whole.rgb[inside]) > 30
    assert np.abs(guided.alpha - whole.alpha).mean() < 0.003
    fast = avatar.render_fast(clip.camera, avatar.body.frame(0))
    assert iou(fast.alpha > 0.5, inside) > 0.9
    assert body_psnr(avatar, fast, clip.frames[0], clip.masks.alpha[0]) > 14


def test_a_soft_surface_needs_no_rays_beside_the_middle(avatar, clip, monkeypatch):
    offsets, trace = [], type(avatar)._trace
    monkeypatch.setattr(type(avatar), "_trace", lambda self, *a: offsets.append(a[2]) or trace(self, *a))
    far, zoom = clip.camera, 12
    K, (at,) = far.K.copy(), project(avatar.body.frame(0).transl, far)
    K[:2, :2] *= zoom
    K[:2, 2] = np.array([far.width, far.height]) / 2 - zoom * (at - far.K[:2, 2])
    near = replace(far, K=K)  # the waist fills the picture
    for camera, wanted in ((far, {(0.5, 0.5), *OFFSETS}), (near, {(0.5, 0.5)})):
        offsets.clear()
        assert avatar.render(camera, avatar.body.frame(0)).alpha.max() > 0.9
        assert set(offsets) == wanted


def test_a_light_brighter_than_white_stays_within_the_outline(avatar, clip, monkeypatch):
    plain = type(avatar.field).forward

    def bright(*given):
        over, colour = plain(*given)
        return over, colour + 0.8

    monkeypatch.setattr(type(avatar.field), "forward", bright)
    picture = avatar.render(clip.camera, avatar.body.frame(0), frame=0)
    assert picture.rgb.max() > 0.99 and (picture.rgb <= picture.alpha[..., None] + 1e-5).all()


def test_a_mesh_that_misleads_leaves_no_holes(avatar, clip):
    whole = avatar.render(clip.camera, avatar.body.frame(0), frame=0, antialias=False)
    wrong = replace(avatar)  # its own cache
    aside = np.tile(np.float32([0, 0, 0.03]), (len(avatar.surface().vertices), 1))
    wrong.__dict__["_binding"] = shifted(avatar._binding, avatar.canonical, aside)
    misled = wrong.render(clip.camera, avatar.body.frame(0), frame=0, antialias=False)
    inside = ndimage.minimum_filter(whole.alpha > 0.95, 5)
    assert inside.sum() > 50 and (misled.alpha[inside] > 0.9).mean() > 0.98


def test_where_the_field_tears_the_baked_mesh_is_seen(avatar, clip, monkeypatch):
    monkeypatch.setattr(type(avatar), "_trace", lambda *_: (0, 0, 0))  # rays that meet nothing
    torn = avatar.render(clip.camera, avatar.body.frame(0), antialias=False)
    mesh = avatar.render_fast(clip.camera, avatar.body.frame(0))
    inside = ndimage.minimum_filter(mesh.alpha > 0.5, 3)
    assert inside.sum() > 50
    for one, other in ((torn.alpha, mesh.alpha), (torn.rgb, mesh.rgb), (torn.depth, mesh.depth)):
        np.testing.assert_allclose(one[inside], other[inside], atol=1e-6)
    assert not torn.alpha[mesh.alpha < 0.5].any()


@pytest.mark.slow
def test_a_skirt_is_found_and_the_field_hangs_on_it(tmp_path, model, colours, avatar):
    clip = make_clip(tmp_path / "doll", model, colours, skirt=True)
    made = train(clip, iters=60)
    assert made.dress is not None and made.options["cloth"] and avatar.dress is None
    big = made.canonical.vertices
    assert ((np.abs(big[:, 0]) < 0.03) & (big[:, 1] < -0.4)).any(), "cloth between the turned-out legs"
    picture = made.render(clip.camera, made.body.frame(0), frame=0)
    assert iou(picture.alpha > 0.5, clip.masks.alpha[0] > 127) > 0.85
    back = nvr.load(tmp_path / "doll" / "avatars" / "nvr")
    assert back.fingerprint == made.fingerprint
    np.testing.assert_array_equal(back.render(clip.camera, back.body.frame(0), frame=0).rgb, picture.rgb)
    np.testing.assert_allclose(back.skin_weights().sum(1), 1, atol=1e-5)
    (tmp_path / "doll" / "avatars" / "nvr" / "cloth.npz").unlink()
    with pytest.raises(HvrError, match="cloth.npz"):
        nvr.load(tmp_path / "doll" / "avatars" / "nvr")


def test_training_with_patches_runs_and_keeps_its_quality(tmp_path, model, colours):
    clip = make_clip(tmp_path / "doll", model, colours)
    patched = train(clip, structure=0.05, patch_side=5)
    picture = patched.render(clip.camera, patched.body.frame(0), frame=0)
    assert body_psnr(patched, picture, clip.frames[0], clip.masks.alpha[0]) > 17
    assert patched.options["fit"]["structure"] == 0.05


def test_training_with_a_perceptual_term(tmp_path, model, colours, vgg_places, made_up_vgg):
    clip = make_clip(tmp_path / "doll", model, colours)
    with pytest.raises(HvrError, match="does not fit"):
        train(clip, iters=2, perceptual=0.1, patch_side=16)
    with pytest.raises(HvrError, match="not measured: put"):
        train(clip, iters=2, perceptual=0.1, patch_side=16, rays=1024, frames=2)
    torch.save(made_up_vgg, vgg_places[0])
    guided = train(clip, iters=2, perceptual=1e3, patch_side=16, patches=1, rays=1024, frames=2)
    plain = train(clip, iters=2, perceptual=1e-9, patch_side=16, patches=1, rays=1024, frames=2)
    change = guided.field.grid.table - plain.field.grid.table
    assert change.abs().max() > 1e-4


def test_any_pose_can_be_given_as_arrays(avatar, clip):
    pose = np.zeros(72)
    picture = avatar.render(clip.camera, (pose, np.array([0, 0.2, -3.0])))
    assert (picture.alpha > 0.5).sum() > 100
    with pytest.raises(HvrError, match="one pose"):
        avatar.render(clip.camera, avatar.body)


def test_poses_that_fit_are_left_alone_and_wrong_ones_mended(avatar, clip, tmp_path, model, colours):
    np.testing.assert_allclose(avatar.body.poses, clip.body.poses, atol=1e-12)
    assert pose_rate(2.0, 0.0) == 0 and pose_rate(2.0, 0.0005) == 1 and pose_rate(2.0, 0.5) == 2
    shifted = make_clip(tmp_path / "shifted", model, colours, shifted=0.03)
    mended = train(shifted, iters=80, pose_lr=2e-2, fold_every=30, pose_from=20)
    off = posed(model, mended.body)[1] - posed(model, clip.body)[1]
    assert np.abs(off[..., 0].mean()) < 0.02
    kept = train(shifted, iters=2, refine_pose=False)
    np.testing.assert_allclose(kept.body.transl[:, 0], 0.03)


@pytest.mark.slow
def test_a_wrong_focal_length_is_mended(clip, tmp_path, model, colours):
    copy = make_clip(tmp_path / "long", model, colours)
    K = clip.camera.K * [[1.06, 1, 1], [1, 1.06, 1], [1, 1, 1]] + np.array(
        [[0, 0, 2.0], [0, 0, 0], [0, 0, 0]]
    )
    copy.save("body", replace(copy.body, camera=replace(copy.camera, K=K)))
    mended = train(copy, refine_pose=False, refine_camera=True, iters=300, lens_lr=3e-3).body
    off = mended.camera.K - clip.camera.K
    assert mended.camera.source == "refined"
    assert abs(off[0, 0]) < 1.0 and abs(off[0, 2]) < 0.3, off
    np.testing.assert_array_equal(mended.poses, copy.body.poses)
    kept = train(copy, iters=2, refine_pose=False).body
    np.testing.assert_array_equal(kept.camera.K, K)


def test_what_a_lens_carries_is_what_the_new_camera_sees():
    camera = replace(default_camera(80, 60), t=np.array([0.1, -0.2, 0.3]))
    lens = LensCorrection()
    with torch.no_grad():
        lens.change.copy_(torch.tensor([1e-4, -2e-4, 3e-4]))
    points = torch.tensor([[0.3, 0.5, -2.0], [-0.4, 0.1, -3.0]])
    moved = (points + lens(points, camera)).detach().numpy().astype(np.float64)
    before = project(points.numpy().astype(np.float64), camera)
    after = project(moved, refocused_lens(camera, lens.fold()))
    np.testing.assert_allclose(after, before, atol=1e-3)
    assert np.abs(project(moved, camera) - before).max() > 5e-3
    assert lens.change.abs().max() == 0 and lens.prior() > 0


def test_stopped_and_resumed_is_bit_identical(tmp_path, model, colours, monkeypatch):
    clip = make_clip(tmp_path / "doll", model, colours, shifted=0.03)  # so that poses move too
    often = {"iters": 30, "checkpoint_every": 14, "fold_every": 10, "pose_from": 5, "occupancy_every": 10}
    whole = train(clip, **often, occupancy_from=8)
    monkeypatch.setattr("hvr_nb.methods.nvr.fit.losses.opacity_loss", Stopper(24))
    with pytest.raises(KeyboardInterrupt):
        train(clip, **often, occupancy_from=8)
    monkeypatch.undo()
    assert (clip.folder / "avatars" / "nvr" / "checkpoint.pt").exists()
    resumed = train(clip, **often, occupancy_from=8)
    assert resumed.fingerprint == whole.fingerprint
    np.testing.assert_array_equal(resumed.body.poses, whole.body.poses)
    assert np.abs(whole.body.poses - clip.body.poses).max() > 1e-3
    assert not (clip.folder / "avatars" / "nvr" / "checkpoint.pt").exists()


class Stopper:
    """The opacity loss, until it has been called often enough."""

    def __init__(self, calls):
        from hvr_nb.learning.losses import opacity_loss

        self.left, self.loss = calls, opacity_loss

    def __call__(self, *args):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.loss(*args)


def test_another_body_model_is_refused(avatar, clip, tmp_path, model):
    folder = avatar.save(tmp_path / "other")
    options = json.loads((folder / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps(options | {"model_hash": "0" * 64}))
    with pytest.raises(HvrError, match="body model 00000000"):
        nvr.load(folder)


def test_missing_and_damaged_files_name_the_notebook(avatar, tmp_path):
    with pytest.raises(HvrError, match="05_train"):
        nvr.load(tmp_path / "nothing")
    folder = avatar.save(tmp_path / "damaged")
    (folder / "weights.npz").write_bytes(b"no")
    with pytest.raises(HvrError, match="05_train"):
        nvr.load(folder)


def test_a_clip_without_masks_is_refused(tmp_path):
    clip = Clip.create(
        tmp_path / "bare",
        np.zeros((2, 8, 8, 3), np.uint8),
        fps=1,
        names=["a", "b"],
        times=np.arange(2),
        source={},
    )
    with pytest.raises(HvrError, match="02_masks"):
        nvr.reconstruct(clip)


def test_held_out_and_invalid_frames_are_not_trained_on(clip):
    body = replace(clip.body, valid=np.array([True, False, True, True, True, True]))
    assert trained_frames(body, 0).tolist() == [0, 2, 3, 4, 5]
    assert trained_frames(body, 3).tolist() == [0, 3, 4]
    with pytest.raises(HvrError, match="03_body"):
        trained_frames(replace(body, valid=np.zeros(6, bool)), 0)


def test_samples_lie_in_both_stretches():
    bounds = np.array([[1.0, 1.1, 2.0, 2.3], [1.0, 1.4, 1.4, 1.4]])
    depth, step = positions(bounds, 8, 0.5)
    np.testing.assert_allclose(depth[0], [1.025, 1.075, 2.025, 2.075, 2.125, 2.175, 2.225, 2.275], atol=1e-6)
    np.testing.assert_allclose(depth[1], 1.025 + 0.05 * np.arange(8), atol=1e-6)
    np.testing.assert_allclose(step[:, 0], 0.05, atol=1e-7)


def test_the_mean_moment_has_no_residual_motion():
    field = AvatarField(np.array([[-1.0, -1, -1], [1, 1, 1]]), 3, SMALL)
    x = torch.rand(50, 3)
    assert not field.residual(x, torch.zeros(1, SMALL.codes)).any()
    wild = field.residual(x, 1e4 * torch.ones(1, SMALL.codes))
    assert wild.abs().max() <= 0.05 + 1e-6


def test_linear_correction_is_the_derivative_of_posing(model):
    rng = np.random.default_rng(0)
    poses, transl = 0.3 * rng.normal(size=(1, 72)), rng.normal(size=(1, 3))
    small = 1e-3
    turn, shift = small * rng.normal(size=(1, 24, 3)), small * rng.normal(size=(1, 3))
    as32 = [torch.as_tensor(a, dtype=torch.float32) for a in (np.zeros(10), poses, transl)]
    before, joints, _ = model.pose(*as32)
    moved_poses, moved_transl = turn_joints(poses, transl, turn, shift, model.parents)
    after, _, _ = model.pose(
        as32[0], *(torch.as_tensor(a, dtype=torch.float32) for a in (moved_poses, moved_transl))
    )
    correction = PoseCorrection(model.parents, 1)
    with torch.no_grad():
        correction.turn.copy_(torch.as_tensor(turn))
        correction.shift.copy_(torch.as_tensor(shift))
        got = correction(before[0], model.weights, torch.tensor([0]), [len(before[0])], joints)
    error = (got - (after - before)[0]).norm(dim=-1)
    assert error.mean() < 0.05 * (after - before)[0].norm(dim=-1).mean()  # pose correctives move along
    taken = correction.fold()
    np.testing.assert_allclose(taken[0], turn, atol=1e-8)
    assert not correction.turn.any() and correction.prior() > 0


def test_corrections_between_trained_frames_are_interpolated():
    out = spread_to_all(np.array([[1.0], [3.0]]), np.array([1, 3]), 5)
    assert out[:, 0].tolist() == [1, 1, 2, 3, 3]


def test_unknown_device_and_scale_are_explained(clip):
    with pytest.raises(HvrError, match="image_scale"):
        nvr.reconstruct(clip, nvr.Options(image_scale=0.0))
    if not torch.cuda.is_available():
        with pytest.raises(HvrError, match="CUDA"):
            nvr.reconstruct(clip, device="cuda")


def test_a_step_with_the_search_in_torch_has_the_same_loss(clip, monkeypatch):
    """The branch of ``warp_rays`` for CUDA, here on the CPU, through training, folding and rendering."""
    from hvr_nb.methods.nvr import warp

    plain = train(clip, iters=1)
    monkeypatch.setattr(warp, "TORCH_DEVICES", ("cpu",))
    calls = []
    search = warp.warp_torch.warp_rays_torch
    monkeypatch.setattr(warp.warp_torch, "warp_rays_torch", lambda *a: calls.append(len(a[0])) or search(*a))
    in_torch = train(clip, iters=1)
    assert calls == [252]  # 42 rays of each of the 6 frames
    for name in ("loss", "psnr_body", "live"):
        assert in_torch.history[name] == pytest.approx(plain.history[name], rel=1e-4), name
    small = clip.camera.scaled(0.5)
    pictures = [avatar.render(small, avatar.body.frame(0), frame=0) for avatar in (plain, in_torch)]
    assert len(calls) > 1
    assert np.abs(pictures[0].rgb - pictures[1].rgb).mean() < 1e-3


def test_with_a_stand_in_for_tinycudann_it_trains_and_is_read_back_only_where_that_is(
    tmp_path, model, colours, fake_tinycudann, monkeypatch
):
    clip = make_clip(tmp_path / "doll", model, colours)
    made = train(clip, iters=4)
    assert made.field.grid.backend == made.field.motion_grid.backend == "tcnn"
    assert sum("table" in name or "params" in name for name in made.field.state_dict()) == 2
    assert made.field.grid.table.detach().abs().max() > 0.01  # the optimiser has it; it started at 1e-4
    back = nvr.load(clip.folder / "avatars" / "nvr")
    assert back.fingerprint == made.fingerprint and back.field.grid.backend == "tcnn"
    a, b = (x.render(clip.camera, clip.body.frame(1)) for x in (made, back))
    np.testing.assert_array_equal(a.rgb, b.rgb)
    monkeypatch.undo()
    with pytest.raises(HvrError, match="trained with tiny-cuda-nn.*05_train"):
        nvr.load(clip.folder / "avatars" / "nvr")


def test_where_tinycudann_is_avatars_of_the_cpu_are_read_in_torch(avatar, clip, tmp_path, fake_tinycudann):
    back = nvr.load(avatar.save(tmp_path / "copy"))
    assert back.field.grid.backend == back.field.motion_grid.backend == "torch"
    a, b = (x.render(clip.camera, avatar.body.frame(1), frame=1) for x in (avatar, back))
    np.testing.assert_allclose(a.rgb, b.rgb, atol=1e-4)


def test_a_checkpoint_of_another_table_layout_is_left_out(tmp_path, model, colours, monkeypatch, request):
    clip = make_clip(tmp_path / "doll", model, colours)
    monkeypatch.setattr("hvr_nb.methods.nvr.fit.losses.opacity_loss", Stopper(3))
    with pytest.raises(KeyboardInterrupt):
        train(clip, iters=4, checkpoint_every=2)
    monkeypatch.undo()
    request.getfixturevalue("fake_tinycudann")
    with pytest.warns(UserWarning, match="starts anew.*other options"):
        train(clip, iters=4, checkpoint_every=2)
