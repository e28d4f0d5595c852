"""Skeleton tracks written as npz, CSV, TRC, BVH and GLB come back within a millimetre."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hvr_nb.body.joint_sets import H36M17_NAMES, H36M17_PARENTS
from hvr_nb.formats.models.glb_file import accessor, read_glb
from hvr_nb.formats.motion.bvh import read_bvh
from hvr_nb.formats.motion.bvh_file import parse_bvh
from hvr_nb.formats.skeletons.bvh import read_skeleton_bvh, write_skeleton_bvh
from hvr_nb.formats.skeletons.glb import read_skeleton_glb, write_skeleton_glb
from hvr_nb.formats.skeletons.rig import rig_track
from hvr_nb.formats.skeletons.tables import (
    read_skeleton_csv,
    read_skeleton_trc,
    write_skeleton_csv,
    write_skeleton_trc,
)
from hvr_nb.formats.skeletons.track import (
    SkeletonTrack,
    known_joints,
    read_skeleton_npz,
    tree_order,
    write_skeleton_npz,
)
from hvr_nb.metrics.poses import bone_length_spread, bone_lengths
from hvr_nb.types import SMPL_JOINT_NAMES, Body, HvrError

ALL = {
    ".npz": (write_skeleton_npz, read_skeleton_npz),
    ".csv": (write_skeleton_csv, read_skeleton_csv),
    ".trc": (write_skeleton_trc, read_skeleton_trc),
    ".bvh": (write_skeleton_bvh, read_skeleton_bvh),
    ".glb": (write_skeleton_glb, read_skeleton_glb),
}
EACH = pytest.mark.parametrize("suffix", ALL)


def wild(parents=H36M17_PARENTS, names=H36M17_NAMES, frames=40, fps=29.97, seed=0) -> SkeletonTrack:
    """Bones of constant lengths that swing any way, each on its own: no joint is rigid."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / fps
    joints = np.zeros((frames, len(parents), 3))
    joints[:, 0] = [0.3, 0.9, -2.0] + 0.4 * np.sin(t * rng.uniform(1, 4, 3))
    for j in tree_order(parents)[1:]:
        turn = Rotation.from_rotvec(
            rng.normal(0, 1, 3) + 1.5 * np.sin(t * rng.uniform(1, 5, 3) + rng.uniform(0, 6, 3))
        )
        joints[:, j] = joints[:, parents[j]] + rng.uniform(0.1, 0.45) * turn.apply([0, -1.0, 0])
    return SkeletonTrack(joints, names, parents, fps, np.ones(frames, bool))


def largest_error(a: SkeletonTrack, b: SkeletonTrack) -> float:
    """Metres, joints being matched by name, in frames valid in both."""
    order = [b.names.index(name) for name in a.names]
    both = a.valid & b.valid
    return float(np.linalg.norm(a.joints[both] - b.joints[both][:, order], axis=2).max())


@EACH
def test_every_format_comes_back_within_a_millimetre(tmp_path, suffix):
    write, read = ALL[suffix]
    track = wild()
    assert write(tmp_path / f"x{suffix}", track) == tmp_path / f"x{suffix}"
    back = read(tmp_path / f"x{suffix}")
    assert largest_error(track, back) < 1e-5
    assert back.fps == pytest.approx(track.fps, abs=1e-4) and back.valid.all()
    if suffix != ".trc":
        over = {
            name: back.names[p] if p >= 0 else None for name, p in zip(back.names, back.parents, strict=True)
        }
        assert over == {
            name: H36M17_NAMES[p] if p >= 0 else None
            for name, p in zip(H36M17_NAMES, H36M17_PARENTS, strict=True)
        }
    again = (tmp_path / f"x{suffix}").read_bytes()
    write(tmp_path / f"x{suffix}", track)
    assert (tmp_path / f"x{suffix}").read_bytes() == again or suffix == ".npz"


@EACH
def test_frames_without_the_person(tmp_path, suffix):
    write, read = ALL[suffix]
    full = wild()
    valid = np.ones(40, bool)
    valid[[0, 1, 10, 11, 12, 39]] = False
    joints = np.where(valid[:, None, None], full.joints, np.nan)
    track = SkeletonTrack(joints, full.names, full.parents, full.fps, valid)
    write(tmp_path / f"x{suffix}", track)
    back = read(tmp_path / f"x{suffix}")
    assert largest_error(track, back) < 1e-5 and len(back.joints) == 40
    if suffix == ".bvh":  # it cannot say so: the joints are interpolated
        assert back.valid.all() and np.linalg.norm(back.joints[11, 0] - full.joints[11, 0]) < 0.05
    else:
        assert back.valid.tolist() == valid.tolist()
        assert suffix == ".glb" or np.isnan(back.joints[~valid]).all()


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_bones_that_change_their_length_get_their_median(tmp_path, suffix):
    write, read = ALL[suffix]
    true = wild()
    spoilt = true.joints + np.random.default_rng(1).normal(0, 0.01, true.joints.shape)
    track = SkeletonTrack(spoilt, true.names, true.parents, true.fps, true.valid)
    assert bone_length_spread(spoilt, track.parents) > 3
    write(tmp_path / f"x{suffix}", track)
    back = read(tmp_path / f"x{suffix}")
    assert bone_length_spread(back.joints, back.parents) < 1e-3
    order = [back.names.index(name) for name in track.names]
    lengths = bone_lengths(back.joints, back.parents)[0, order]
    np.testing.assert_allclose(lengths, np.median(bone_lengths(spoilt, track.parents), 0), atol=1e-6)
    bones = [x - x[:, list(H36M17_PARENTS)] for x in (back.joints[:, order], spoilt)]
    assert np.abs(np.cross(*bones))[:, 1:].max() < 1e-5  # the directions are kept


def mocap_body(shared_data, name: str, step=1) -> SkeletonTrack:
    """The project's body moved by captured motion."""
    from hvr_nb.body.model import load_body_model, posed
    from hvr_nb.geometry.camera import default_camera

    model = load_body_model()
    with np.load(shared_data / "mocap" / f"{name}.npz", allow_pickle=False) as file:
        poses, trans = file["poses"][::step].astype(float), file["trans"][::step].astype(float)
    every = np.ones(len(poses), bool)
    body = Body(np.zeros(10), poses[:, :3], poses[:, 3:], trans, default_camera(512, 512), every, model.hash)
    joints = posed(model, body)[1].astype(float)
    return SkeletonTrack(joints, SMPL_JOINT_NAMES, tuple(int(p) for p in model.parents), 60.0 / step, every)


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_captured_motion_of_24_joints(tmp_path, shared_data, suffix):
    write, read = ALL[suffix]
    track = mocap_body(shared_data, "02_03")
    write(tmp_path / f"x{suffix}", track)
    assert largest_error(track, read(tmp_path / f"x{suffix}")) < 1e-4


def test_rotations_of_captured_dance_are_smooth(shared_data):
    turns = rig_track(mocap_body(shared_data, "05_02", step=2)).rotations
    steps = Rotation.from_matrix((turns[:-1].swapaxes(2, 3) @ turns[1:]).reshape(-1, 3, 3)).magnitude()
    assert steps.max() < 1.0  # radians in a thirtieth of a second; the captured joints themselves reach 1.3


def test_pose2sim_trc(shared_data):
    path = next((shared_data / "videos" / "pose2sim_balancing").glob("*.trc"))
    track = read_skeleton_trc(path)
    assert track.joints.shape == (100, 21, 3) and track.fps == 60 and track.names[:2] == ("RHip", "RKnee")
    thigh = np.linalg.norm(track.joints[:, 0] - track.joints[:, 1], axis=1)
    assert 0.35 < thigh.min() and thigh.max() < 0.5


def test_a_bvh_of_joints_moves_a_body(tmp_path):
    """The rest pose is a T-pose with SMPL's names, so the project's own reader lays a body into it."""
    from hvr_nb.body.model import load_body_model, posed
    from hvr_nb.subject.motion import walking_motion

    model = load_body_model()
    body = walking_motion(12, turn=1.0, model=model)
    joints = posed(model, body)[1]
    track = SkeletonTrack(joints, SMPL_JOINT_NAMES, tuple(int(p) for p in model.parents), 30.0, body.valid)
    back = read_bvh(write_skeleton_bvh(tmp_path / "x.bvh", track), model=model, betas=body.betas)
    limbs = [1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21]
    theirs = posed(model, back)[1]
    off = np.linalg.norm((theirs - theirs[:, :1] - joints + joints[:, :1])[:, limbs], axis=2)
    assert off.mean() < 0.03 and off.max() < 0.08
    bvh = parse_bvh(tmp_path / "x.bvh")
    rest = dict(zip(bvh.names, bvh.rest(), strict=True))
    assert rest["left_wrist"][0] > rest["left_shoulder"][0] + 40 > rest["right_wrist"][0] + 80
    assert rest["left_ankle"][1] < -70 < 40 < rest["head"][1]


def test_trimesh_opens_the_glb(tmp_path):
    track = wild()
    write_skeleton_glb(tmp_path / "x.glb", track)
    scene = trimesh.load(tmp_path / "x.glb")
    mesh = scene.geometry["bones"]
    assert len(mesh.faces) == 16 * 8 and {"pelvis", "left_wrist"} <= set(scene.graph.nodes)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    solid.merge_vertices()
    assert solid.is_watertight and solid.is_winding_consistent and solid.volume > 0
    arm = np.median(bone_lengths(track.joints, track.parents), 0)[[11, 12, 13]].sum()
    assert mesh.bounds[1, 0] == pytest.approx(arm, abs=1e-3) and mesh.bounds[0, 1] == pytest.approx(
        0, abs=0.03
    )


def test_the_mesh_in_the_glb_moves_with_the_joints(tmp_path):
    """Skinned as the glTF specification says: world matrix of a joint times its inverse bind matrix."""
    track = wild()
    gltf, data = read_glb(write_skeleton_glb(tmp_path / "x.glb", track))
    assert len(data) == gltf["buffers"][0]["byteLength"] and len(data) % 4 == 0
    primitive = gltf["meshes"][0]["primitives"][0]["attributes"]
    rest, inverse = (
        accessor(gltf, data, i) for i in (primitive["POSITION"], gltf["skins"][0]["inverseBindMatrices"])
    )
    owner = accessor(gltf, data, primitive["JOINTS_0"])[:, 0]
    assert gltf["skins"][0]["joints"] == list(range(len(inverse))) and gltf["skins"][0]["skeleton"] == 0
    frame = 17
    output = {
        (c["target"]["node"], c["target"]["path"]): accessor(
            gltf, data, gltf["animations"][0]["samplers"][c["sampler"]]["output"]
        )[frame]
        for c in gltf["animations"][0]["channels"]
    }
    world = {}

    def pose(node, above):
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(output[node, "rotation"]).as_matrix()
        local[:3, 3] = output.get((node, "translation"), gltf["nodes"][node]["translation"])
        world[node] = above @ local
        for child in gltf["nodes"][node].get("children", ()):
            pose(child, world[node])

    pose(0, np.eye(4))
    skin = [world[k] @ inverse[k] for k in range(len(inverse))]
    moved = np.stack([skin[k] @ [*p, 1.0] for k, p in zip(owner, rest, strict=True)])[:, :3]
    tips = moved.reshape(-1, 8, 3, 3)[:, [0, 7], 2]  # of each spindle: where it begins, where it ends
    ends = {
        tuple(np.round(track.joints[frame, [p, j]].ravel(), 3))
        for j, p in enumerate(H36M17_PARENTS)
        if p >= 0
    }
    for tip in tips.reshape(-1, 6):
        assert min(np.abs(np.array(end) - tip).max() for end in ends) < 1e-3


def test_times_of_a_single_frame_and_unknown_joints(tmp_path):
    one = wild(frames=1)
    for suffix, (write, read) in ALL.items():
        assert largest_error(one, read(write(tmp_path / f"x{suffix}", one))) < 1e-5
    gone = wild()
    gone.joints[:, 3] = np.nan
    with pytest.raises(HvrError, match="joint right_ankle is not known in any frame"):
        write_skeleton_bvh(tmp_path / "y.bvh", gone)
    partly = wild()
    partly.joints[10:13, 3] = np.nan
    np.testing.assert_allclose(known_joints(partly)[11, 3], (partly.joints[9, 3] + partly.joints[13, 3]) / 2)


def test_bad_tracks_and_files_are_named(tmp_path):
    good = wild()
    bad = {
        "two roots|has 2 roots": SkeletonTrack(
            good.joints, good.names, (-1, -1, *good.parents[2:]), 30.0, good.valid
        ),
        "cycle|one tree": SkeletonTrack(
            good.joints, good.names, (-1, 2, 1, *good.parents[3:]), 30.0, good.valid
        ),
        "shape|needs joints": SkeletonTrack(good.joints[:, :5], good.names, good.parents, 30.0, good.valid),
        "rate|fps is 0": SkeletonTrack(good.joints, good.names, good.parents, 0.0, good.valid),
    }
    for message, track in bad.items():
        for write in (write_skeleton_bvh, write_skeleton_glb):
            with pytest.raises(HvrError, match=message.split("|")[1]):
                write(tmp_path / f"x.{write.__name__[-3:]}", track)
    for suffix, (write, read) in ALL.items():
        with pytest.raises(HvrError, match="must end in"):
            write(tmp_path / "x.txt", good)
        with pytest.raises(HvrError):
            read(tmp_path / f"missing{suffix}")
        (tmp_path / f"bad{suffix}").write_text("nonsense\n1\n")
        with pytest.raises(HvrError, match=f"bad\\{suffix}"):
            read(tmp_path / f"bad{suffix}")


@EACH
def test_true_times_of_a_varying_rate_are_kept(tmp_path, suffix):
    """Frames lie where they were filmed; BVH, which knows one rate only, gets the motion resampled."""
    track = wild(frames=60, fps=30.0)
    kept = np.flatnonzero((np.arange(60) < 30) | (np.arange(60) % 3 == 2))  # the camera became slow
    seconds = kept / 30.0
    filmed = SkeletonTrack(
        track.joints[kept],
        track.names,
        track.parents,
        (len(kept) - 1) / seconds[-1],
        track.valid[kept],
        times=seconds + 7.0,
    )
    write, read = ALL[suffix]
    back = read(write(tmp_path / f"x{suffix}", filmed))
    if suffix != ".bvh":
        np.testing.assert_allclose(back.seconds, seconds, atol=1e-6)
        assert largest_error(filmed, back) < 1e-3
        return
    assert len(back.joints) == len(kept)
    assert (len(back.joints) - 1) / back.fps == pytest.approx(seconds[-1], rel=2e-3)
    order = [back.names.index(name) for name in track.names]
    moments = back.seconds.clip(max=59 / 30)
    dense = track.joints.reshape(60, -1).T
    true = np.stack([np.interp(moments, np.arange(60) / 30.0, x) for x in dense], 1)
    true = true.reshape(len(kept), -1, 3)
    off = np.linalg.norm(back.joints[:, order] - true, axis=2).mean()
    drifting = np.linalg.norm(filmed.joints - true, axis=2).mean()
    assert off < 0.02 < 0.1 * drifting


def test_times_that_cannot_be_are_refused(tmp_path):
    good = wild(frames=4)
    for times in ([0, 1, 1, 2], [0.0, np.nan, 1, 2], [0, 1, 2]):
        track = SkeletonTrack(
            good.joints, good.names, good.parents, 30.0, good.valid, times=np.array(times, float)
        )
        with pytest.raises(HvrError, match="4 frames need as many times"):
            write_skeleton_csv(tmp_path / "x.csv", track)


def test_rounded_stamps_of_a_steady_rate_are_steady():
    track = wild(frames=50, fps=30.0)
    rounded = np.round(np.arange(50) / 30.0, 3)  # milliseconds, as in mkv
    stamped = SkeletonTrack(track.joints, track.names, track.parents, 30.0, track.valid, times=rounded)
    np.testing.assert_array_equal(stamped.seconds, track.seconds)


def test_another_programs_glb_is_not_replaced(tmp_path):
    theirs = tmp_path / "box.glb"
    trimesh.creation.box().export(theirs)
    before = theirs.read_bytes()
    with pytest.raises(HvrError, match="was not written by this project"):
        write_skeleton_glb(theirs, wild())
    assert theirs.read_bytes() == before
