"""BVH: exact parsing, export and return, other skeletons, and errors that name the line."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.formats.motion.bvh import name_parts, read_bvh, smpl_joints, write_bvh
from hvr_nb.formats.motion.bvh_file import Bvh, format_bvh, parse_bvh
from hvr_nb.geometry.camera import default_camera
from hvr_nb.render.posing import novel_poses
from hvr_nb.types import SMPL_JOINT_NAMES, Body, HvrError

THREE = """HIERARCHY
ROOT Hip
{
  OFFSET 0.0 0.0 0.0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Knee
  {
    OFFSET 0.0 -4.0 0.0
    CHANNELS 3 Xrotation Yrotation Zrotation
    JOINT Ankle {
      OFFSET 0.0 -3.0 1.0
      CHANNELS 1 zrotation
      End Site
      {
        OFFSET 0.0 0.0 2.0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0083333
1.0 2.0 3.0 0 0 0 0 0 0 0

1.0 2.0 3.0 90 0 90 90 0 0 45
"""
LIMBS = [
    (a, b) for s in (0, 1) for a, b in ((1 + s, 4 + s), (4 + s, 7 + s), (16 + s, 18 + s), (18 + s, 20 + s))
]
MIXAMO = (
    "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase "
    "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand "
    "LeftHandMiddle1 RightHandMiddle1"
).split()


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def body(model):
    rng, n = np.random.default_rng(0), 7
    pose = 0.4 * rng.standard_normal((n, 69))
    pose[3, 51:54] = [0.0, np.pi / 2, 0.0]  # in the gimbal lock of many orders
    return Body(
        betas=rng.standard_normal(10),
        global_orient=np.linspace([0, 0, 0], [1, 4, 0], n),
        body_pose=pose,
        transl=np.linspace([0, 0.9, 0], [1, 0.9, 2], n),
        camera=default_camera(64, 64),
        valid=np.ones(n, bool),
        model_hash=model.hash,
    )


def test_three_joints_exactly(tmp_path):
    (tmp_path / "three.bvh").write_text(THREE)
    bvh = parse_bvh(tmp_path / "three.bvh")
    assert bvh.names == ("Hip", "Left Knee", "Ankle") and bvh.parents == (-1, 0, 1) and bvh.fps == 120.0
    assert bvh.rest().tolist() == [[0, 0, 0], [0, -4, 0], [0, -7, 1]] and bvh.ends[2].tolist() == [0, 0, 2]
    turns, joints = bvh.pose()
    np.testing.assert_allclose(joints[0], [[1, 2, 3], [1, -2, 3], [1, -5, 4]], atol=1e-12)
    # hip: Rz(90) Ry(90) takes (x, y, z) to (-y, z, -x); knee below: Rx(90) takes it to (x, -z, y)
    np.testing.assert_allclose(joints[1], [[1, 2, 3], [5, 2, 3], [6, -1, 3]], atol=1e-12)
    hip = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0.0]])
    knee = hip @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    c = np.sqrt(0.5)
    np.testing.assert_allclose(turns[1], [hip, knee, knee @ [[c, -c, 0], [c, c, 0], [0, 0, 1]]], atol=1e-12)


def test_position_channels_stand_in_for_offsets(tmp_path):
    text = THREE.replace("CHANNELS 1 zrotation", "CHANNELS 2 Yposition zrotation")
    (tmp_path / "p.bvh").write_text(
        text.replace("0 0 0 0 0 0 0\n", "0 0 0 0 0 0 -5 0\n").replace("0 0 45", "0 0 -3 45")
    )
    np.testing.assert_allclose(parse_bvh(tmp_path / "p.bvh").pose()[1][0, 2], [1, -7, 4], atol=1e-12)


def test_a_body_goes_out_and_comes_back(model, body, tmp_path):
    path = write_bvh(tmp_path / "m.bvh", body, model, 30)
    _, joints = parse_bvh(path).pose()
    bvh, true = parse_bvh(path), posed(model, body)[1]
    by_name = [bvh.names.index(name) for name in SMPL_JOINT_NAMES]
    assert np.abs(joints[:, by_name] / 100 - true).max() < 2e-6, "metres"
    again = read_bvh(path, model=model, betas=body.betas)
    assert np.abs(posed(model, again)[1] - true).max() < 1e-5 and again.valid.all()
    assert np.abs(posed(model, again)[0] - posed(model, body)[0]).max() < 1e-5, "no bone is twisted"
    mean = replace(body, betas=np.zeros(10))
    again = read_bvh(write_bvh(tmp_path / "mean.bvh", mean, model, 25))
    assert np.abs(posed(model, again)[1] - posed(model, mean)[1]).max() < 1e-5
    assert len(read_bvh(path, fps=15)) == 4 and len(read_bvh(path, fps=30)) == 7


def skeleton(model, pose, *, turn=(0, 0, 0), scale=3.7, frames=5):
    """The model's skeleton with ``pose`` as its rest pose, turned and scaled, under random rotations."""
    rng = np.random.default_rng(1)
    body = Body(
        np.zeros(10),
        pose[None, 0],
        pose[None, 1:].reshape(1, 69),
        np.zeros((1, 3)),
        default_camera(8, 8),
        np.ones(1, bool),
    )
    rest = scale * Rotation.from_rotvec(turn).apply(posed(model, body)[1][0])
    offsets = rest - rest[[max(p, 0) for p in model.parents]]
    offsets[0] = 0
    rotations = (
        Rotation.from_rotvec(0.5 * rng.standard_normal((frames * 24, 3)))
        .as_matrix()
        .reshape(frames, 24, 3, 3)
    )
    rotations[0] = np.eye(3)
    places = np.repeat(offsets[None], frames, axis=0)
    places[:, 0] = rest[0] + scale * rng.standard_normal((frames, 3))
    return Bvh(
        tuple(MIXAMO), model.parents, offsets, places, rotations, {k: offsets[k] for k in range(24)}, 30.0
    )


def a_pose():
    pose = np.zeros((24, 3))
    pose[16, 2], pose[17, 2], pose[18, 1], pose[1, 2], pose[2, 2] = -0.8, 0.8, -0.3, 0.15, -0.15
    return pose


@pytest.mark.parametrize("turn", [(0, 0, 0), (0, np.pi, 0), (np.pi / 2, 0, 0), (0, 0.9, 0)])
def test_limbs_point_where_the_file_s_do(model, tmp_path, turn):
    """A-pose at rest, other units, facing elsewhere at rest: bone directions come over, sizes too."""
    bvh = skeleton(model, a_pose(), turn=turn)
    body = read_bvh(format_bvh(bvh, tmp_path / "a.bvh"), model=model)
    ours, (_, theirs) = posed(model, body)[1].astype(float), bvh.pose()
    for a, b in LIMBS:
        one, two = ours[:, b] - ours[:, a], theirs[:, b] - theirs[:, a]
        cosine = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
        assert cosine.min() > 1 - 1e-6, (SMPL_JOINT_NAMES[a], cosine)
    np.testing.assert_allclose(ours[:, [1, 2]].mean(1), theirs[:, [1, 2]].mean(1) / 3.7, atol=1e-3)


def test_the_rest_pose_of_the_file_is_known_for_what_it_is(model, tmp_path):
    """An A-pose without any rotation: the SMPL body stands in that A-pose, up to a degree of twist."""
    pose = a_pose()
    body = read_bvh(format_bvh(skeleton(model, pose, frames=1), tmp_path / "a.bvh"), model=model)
    limbs = [1, 2, 16, 17, 18]
    np.testing.assert_allclose(body.poses.reshape(24, 3)[limbs], pose[limbs], atol=np.radians(1))
    assert (
        np.abs(body.global_orient).max() < 1e-6
        and np.abs(body.body_pose.reshape(23, 3)[[2, 5, 8]]).max() < 1e-6
    )


def test_a_world_with_z_up(model, tmp_path):
    turn = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    bvh = skeleton(model, np.zeros((24, 3)))
    up = replace(bvh, places=bvh.places.copy(), rotations=bvh.rotations.copy())
    up.places[:, 0], up.rotations[:, 0] = bvh.places[:, 0] @ turn.T, turn @ bvh.rotations[:, 0]
    one = read_bvh(format_bvh(bvh, tmp_path / "y.bvh"), model=model)
    two = read_bvh(format_bvh(up, tmp_path / "z.bvh"), model=model, up="z")
    np.testing.assert_allclose(posed(model, one)[1], posed(model, two)[1], atol=1e-5)


CMU = """Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot RightToeBase
    LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand LThumb RightShoulder RightArm
    RightForeArm RightHand RThumb""".split()
CMU_PARENTS = (
    -1,
    0,
    1,
    2,
    3,
    4,
    0,
    6,
    7,
    8,
    9,
    0,
    11,
    12,
    13,
    14,
    15,
    13,
    17,
    18,
    19,
    20,
    13,
    22,
    23,
    24,
    25,
)


def test_the_names_of_cmu():
    bvh = Bvh(
        tuple(CMU), CMU_PARENTS, np.zeros((27, 3)), np.zeros((1, 27, 3)), np.zeros((1, 27, 3, 3)), {}, 120.0
    )
    found = {SMPL_JOINT_NAMES[k]: CMU[j] for k, j in smpl_joints(bvh).items()}
    assert found == {
        "pelvis": "Hips",
        "left_hip": "LeftUpLeg",
        "right_hip": "RightUpLeg",
        "left_knee": "LeftLeg",
        "right_knee": "RightLeg",
        "left_ankle": "LeftFoot",
        "right_ankle": "RightFoot",
        "left_foot": "LeftToeBase",
        "right_foot": "RightToeBase",
        "spine1": "LowerBack",
        "spine2": "Spine",
        "spine3": "Spine1",
        "neck": "Neck",
        "head": "Head",
        "left_collar": "LeftShoulder",
        "right_collar": "RightShoulder",
        "left_shoulder": "LeftArm",
        "right_shoulder": "RightArm",
        "left_elbow": "LeftForeArm",
        "right_elbow": "RightForeArm",
        "left_wrist": "LeftHand",
        "right_wrist": "RightHand",
    }


def test_old_names_without_arms_of_their_own():
    """Shoulder is the joint of the arm where nothing is called an arm, and the clavicle elsewhere."""
    names = [
        "Hips",
        *(f"{s}{p}" for s in ("Left", "Right") for p in ("Hip", "Knee", "Ankle")),
        "Chest",
        *(f"{s}{p}" for s in ("Left", "Right") for p in ("Collar", "Shoulder", "Elbow", "Wrist")),
    ]
    parents = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 10, 7, 12, 13, 14)
    empty = np.zeros((1, 16, 3))
    found = smpl_joints(Bvh(tuple(names), parents, empty[0], empty, empty[..., None], {}, 30.0))
    assert (
        names[found[16]] == "LeftShoulder" and names[found[13]] == "LeftCollar" and names[found[6]] == "Chest"
    )
    shorter = [n.replace("Collar", "Twist") for n in names]
    found = smpl_joints(Bvh(tuple(shorter), parents, empty[0], empty, empty[..., None], {}, 30.0))
    assert names[found[16]] == "LeftShoulder" and 13 not in found


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mixamorig:LeftUpLeg", ("left", "upleg")),
        ("Bip01 L Thigh", ("left", "thigh")),
        ("lShldr", ("left", "shldr")),
        ("upper_arm.R", ("right", "upperarm")),
        ("m_avg_L_Hip", ("left", "hip")),
        ("right_collar", ("right", "collar")),
        ("thigh_r", ("right", "thigh")),
        ("leftforearm", ("left", "forearm")),
        ("Spine1", ("", "spine1")),
        ("RHipJoint", ("right", "hipjoint")),
        ("Head", ("", "head")),
    ],
)
def test_sides_and_parts_of_names(name, parts):
    assert name_parts(name) == parts


def test_novel_poses_take_bvh(model, body, tmp_path):
    path = write_bvh(tmp_path / "m.BVH", replace(body, betas=np.zeros(10)), model, 30)
    like = Body(
        np.linspace(-1, 1, 10),
        np.zeros((4, 3)),
        np.zeros((4, 69)),
        np.tile([0.2, 0.1, -3.0], (4, 1)),
        default_camera(64, 64),
        np.ones(4, bool),
        model.hash,
    )
    motion = novel_poses(like, path, frames=5, fps=30)
    assert len(motion) == 5 and np.array_equal(motion.betas, like.betas)
    np.testing.assert_allclose(motion.transl[0], like.transl[0])
    np.testing.assert_allclose(motion.body_pose[4], body.body_pose[4], atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("HIERARCHY", "HIERARCHIE", "line 1: .*HIERARCHY"),
        ("OFFSET 0.0 -4.0 0.0", "OFFSET 0.0 -4.0", "line 8: 2 values where 3"),
        ("OFFSET 0.0 -4.0 0.0", "OFFSET 0.0 four 0.0", "line 8: .*four"),
        ("OFFSET 0.0 -4.0 0.0", "OFFSET 0.0 nan 0.0", "line 8"),
        ("CHANNELS 3 X", "CHANNELS 4 X", "line 9: CHANNELS"),
        ("CHANNELS 3 Xrotation", "CHANNELS 3 Wrotation", "line 9: CHANNELS"),
        ("  JOINT Left Knee\n  {", "  JOINT Left Knee\n  JOINT", "line 7: a {"),
        ("  JOINT Left", "  BONE Left", "line 6: 'BONE'"),
        ("  JOINT Left", "  ROOT Left", "line 6: one ROOT"),
        ("MOTION", "}\nMOTION", "line 20: '}'"),
        ("Frames: 2", "Frames: none", "line 21: `Frames"),
        ("Frames: 2", "Frames: 3", "line 25: the file ends"),
        ("0.0083333", "0", "line 22: a frame of 0.0"),
        ("90 0 0 45", "90 0 45", "line 25: 9 values where 10"),
    ],
)
def test_errors_name_the_line(tmp_path, old, new, words):
    assert THREE.count(old) == 1
    (tmp_path / "bad.bvh").write_text(THREE.replace(old, new))
    with pytest.raises(HvrError, match=f"bad.bvh, {words}"):
        parse_bvh(tmp_path / "bad.bvh")


def test_what_cannot_be_used_is_refused(model, body, tmp_path):
    with pytest.raises(HvrError, match="none.bvh is missing"):
        read_bvh(tmp_path / "none.bvh")
    (tmp_path / "three.bvh").write_text(THREE)
    with pytest.raises(HvrError, match="three.bvh: no joint is known as left_hip, .*Left Knee"):
        read_bvh(tmp_path / "three.bvh", model=model)
    heap = skeleton(model, np.zeros((24, 3)))
    heap.offsets[:], heap.places[:] = 0, 0
    with pytest.raises(HvrError, match="heap.bvh: at rest"), np.errstate(invalid="ignore"):
        read_bvh(format_bvh(heap, tmp_path / "heap.bvh"), model=model)
    with pytest.raises(HvrError, match=r"\.bvh"):
        write_bvh(tmp_path / "m.npz", body, model, 30)
    with pytest.raises(HvrError, match="fps is 0"):
        write_bvh(tmp_path / "m.bvh", body, model, 0)
    with pytest.raises(HvrError, match="fitted with model other"):
        write_bvh(tmp_path / "m.bvh", replace(body, model_hash="other"), model, 30)


def test_a_body_filmed_at_a_varying_rate_keeps_its_pace(tmp_path, model):
    times = np.array([0.0, 0.1, 0.2, 0.7, 0.8, 1.0])
    poses = np.zeros((6, 72))
    poses[:, 1] = times  # turns by one radian a second
    body = Body(
        np.zeros(10),
        poses[:, :3],
        poses[:, 3:],
        np.outer(times, [1.0, 0, 0]),
        default_camera(64, 64),
        np.ones(6, bool),
        model.hash,
    )
    again = read_bvh(write_bvh(tmp_path / "m.bvh", body, model, 5.0, times=times), model=model)
    np.testing.assert_allclose(again.global_orient[:, 1], np.arange(6) / 5, atol=1e-3)
    assert np.diff(again.transl[:, 0]) == pytest.approx([0.2] * 5, abs=2e-3)
