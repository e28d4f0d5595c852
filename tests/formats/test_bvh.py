"""BVH: exact parsing, export and return, other skeletons, and errors that name the line."""

import contextlib
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.body.worlds import rest_pelvis
from hvr_nb.formats.motion.amass import read_motion, write_motion
from hvr_nb.formats.motion.bvh import _frame, read_bvh, write_bvh
from hvr_nb.formats.motion.bvh_file import Bvh, format_bvh, parse_bvh
from hvr_nb.formats.motion.bvh_names import name_parts, smpl_joints
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
    "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase "
    "RightToeBase "
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
    up = replace(bvh, translations=bvh.translations.copy(), rotations=bvh.rotations.copy())
    up.translations[:, 0], up.rotations[:, 0] = bvh.translations[:, 0] @ turn.T, turn @ bvh.rotations[:, 0]
    one = read_bvh(format_bvh(bvh, tmp_path / "y.bvh"), model=model)
    two = read_bvh(format_bvh(up, tmp_path / "z.bvh"), model=model, up="z")
    np.testing.assert_allclose(posed(model, one)[1], posed(model, two)[1], atol=1e-5)


CMU = """Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot
    RightToeBase LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand
    LThumb RightShoulder RightArm RightForeArm RightHand RThumb""".split()
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


# the joints of one person, hips to hands, as other programs name them: middle, then a side with its mark
_TREE = (-1, 0, 1, 2, 3, 4, 5, 4, 7, 8, 9, 10, 4, 12, 13, 14, 15, 0, 17, 18, 19, 0, 21, 22, 23)
PROGRAMS = {
    "VRoid": ("J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Chest2 J_Bip_C_Neck "
              "J_Bip_C_Head",
              "J_Bip_@_Shoulder J_Bip_@_UpperArm J_Bip_@_LowerArm J_Bip_@_Hand J_Bip_@_Middle1",
              "J_Bip_@_UpperLeg J_Bip_@_LowerLeg J_Bip_@_Foot J_Bip_@_ToeBase", "LR"),
    "Perception Neuron": ("Robot_Hips Robot_Spine Robot_Spine1 Robot_Spine2 Robot_Spine3 Robot_Neck "
                          "Robot_Head",
                          "Robot_@Shoulder Robot_@Arm Robot_@ForeArm Robot_@Hand Robot_@HandMiddle",
                          "Robot_@UpLeg Robot_@Leg Robot_@Foot Robot_@Toe", ("Left", "Right")),
    "Character Creator": ("CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 CC_Base_Ribs "
                          "CC_Base_NeckTwist01 CC_Base_Head",
                          "CC_Base_@_Clavicle CC_Base_@_Upperarm CC_Base_@_Forearm CC_Base_@_Hand "
                          "CC_Base_@_Mid1",
                          "CC_Base_@_Thigh CC_Base_@_Calf CC_Base_@_Foot CC_Base_@_ToeBase", "LR"),
    "OptiTrack": ("Skeleton1_Hip Skeleton1_Ab Skeleton1_Chest Skeleton1_Chest2 Skeleton1_Chest3 "
                  "Skeleton1_Neck Skeleton1_Head",
                  "Skeleton1_@Shoulder Skeleton1_@UArm Skeleton1_@FArm Skeleton1_@Hand Skeleton1_@Middle1",
                  "Skeleton1_@Thigh Skeleton1_@Shin Skeleton1_@Foot Skeleton1_@Toe", "LR"),
    "Genesis 8": ("pelvis abdomenLower abdomenUpper chestLower chestUpper neckLower head",
                  "@Collar @ShldrBend @ForearmBend @Hand @Mid1", "@ThighBend @Shin @Foot @Toe", "lr"),
    "Genesis 9": ("pelvis spine1 spine2 spine3 spine4 neck1 head",
                  "@_shoulder @_upperarm @_forearm @_hand @_mid1", "@_thigh @_shin @_foot @_toes", "lr"),
    "Acclaim": ("root lowerback upperback thorax thorax2 lowerneck head",
                "@clavicle @humerus @radius @wrist @fingers", "@femur @tibia @foot @toes", "lr"),
    "Unreal": ("pelvis spine_01 spine_02 spine_03 spine_04 neck_01 head",
               "clavicle_@ upperarm_@ lowerarm_@ hand_@ middle_01_@", "thigh_@ calf_@ foot_@ ball_@", "lr"),
    "MakeHuman": ("root spine05 spine03 spine02 spine01 neck01 head",
                  "clavicle.@ upperarm01.@ lowerarm01.@ wrist.@ finger3-1.@",
                  "upperleg01.@ lowerleg01.@ foot.@ toe1-1.@", "LR"),
    "Rigify": ("DEF-spine DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-spine.004 DEF-neck DEF-head",
               "DEF-shoulder.@ DEF-upper_arm.@ DEF-forearm.@ DEF-hand.@ DEF-f_middle.01.@",
               "DEF-thigh.@ DEF-shin.@ DEF-foot.@ DEF-toe.@", "LR"),
    "a prefix of someone's": ("Ann_hips Ann_spine Ann_spine1 Ann_spine2 Ann_spine3 Ann_neck Ann_head",
                              "Ann_@_collar Ann_@_shoulder Ann_@_elbow Ann_@_wrist Ann_@_fingers",
                              "Ann_@_hip Ann_@_knee Ann_@_ankle Ann_@_foot", ("left", "right")),
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_names_of_other_programs(program):
    middle, arm, leg, sides = PROGRAMS[program]
    names = middle.split()
    for limb in (arm, leg):
        for side in sides:
            names += limb.replace("@", side).split()
    assert len(names) == len(_TREE)
    empty = np.zeros((1, len(names), 3))
    found = smpl_joints(Bvh(tuple(names), _TREE, empty[0], empty, empty[..., None], {}, 30.0))
    expected = {0: 0, 12: 5, 15: 6, 13: 7, 16: 8, 18: 9, 20: 10, 14: 12, 17: 13, 19: 14, 21: 15}
    expected |= {1: 17, 4: 18, 7: 19, 10: 20, 2: 21, 5: 22, 8: 23, 11: 24}
    assert {k: found.get(k) for k in expected} == expected


@pytest.mark.parametrize("name", ["names_vroid_vrm", "names_perception_neuron", "reference_root"])
def test_the_cases_of_names(shared_cases, model, name):
    """The same motion under three sets of names: equal poses."""
    body = read_bvh(shared_cases / "bvh_names" / f"{name}.bvh", model=model)
    other = read_bvh(shared_cases / "bvh_names" / "names_vroid_vrm.bvh", model=model)
    np.testing.assert_allclose(posed(model, body)[1], posed(model, other)[1], atol=1e-6)
    joints = posed(model, body)[1]
    assert (joints[:, 15, 1] > joints[:, 7, 1] + 0.8).all()  # head above the feet


@pytest.mark.parametrize(
    ("name", "read"), [("zup.bvh", read_bvh), ("smplh_zup_real_layout.npz", read_motion)]
)
def test_the_cases_with_z_up(shared_cases, model, name, read):
    path = shared_cases / "z_up" / name
    with pytest.warns(UserWarning, match=f"{name}: people stand along z"):
        body = read(path, up="")
    said = read(path, up="z")
    np.testing.assert_allclose(posed(model, body)[1], posed(model, said)[1], atol=1e-6)
    joints = posed(model, body)[1]
    assert (joints[:, 15, 1] > joints[:, [7, 8], 1].mean(1) + 1.2).all()
    lying = posed(model, read(path))[1]
    assert (lying[:, 15, 2] > lying[:, [7, 8], 2].mean(1) + 1.2).all()
    like = replace(body.frame(0), transl=np.array([[0.2, 0.1, -3.0]]), betas=np.zeros(10))
    with pytest.warns(UserWarning, match="stand along z"):
        moving = novel_poses(like, path, frames=5, fps=15)
    joints = posed(model, moving)[1]
    assert (joints[:, 15, 1] > joints[:, [7, 8], 1].mean(1) + 1.2).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        novel_poses(like, path, frames=5, fps=15, up="z")


@pytest.mark.parametrize("up", ["x", "-x", "y", "-y", "z", "-z"])
def test_every_axis_may_be_up(model, body, tmp_path, up):
    upright = replace(body, global_orient=np.zeros((7, 3)), betas=np.zeros(10))
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
    turn = Rotation.align_vectors(axis[None], [[0, 1.0, 0]])[0]
    orient = (turn * Rotation.from_rotvec(upright.global_orient)).as_rotvec()
    pelvis = rest_pelvis(model, upright.betas)
    moved = replace(upright, global_orient=orient, transl=turn.apply(upright.transl + pelvis) - pelvis)
    path = write_motion(moved, tmp_path / "m.npz", fps=30)
    with contextlib.nullcontext() if up == "y" else pytest.warns(UserWarning, match=f"stand along {up}"):
        found = read_motion(path, up="")
    for again in (found, read_motion(path, up=up)):
        joints, true = posed(model, again)[1], posed(model, upright)[1]
        np.testing.assert_allclose(joints[..., 1], true[..., 1], atol=1e-5)
        heading = np.linalg.norm(joints[:, 0, [0, 2]] - joints[:1, 0, [0, 2]], axis=1)
        np.testing.assert_allclose(
            heading, np.linalg.norm(true[:, 0, [0, 2]] - true[:1, 0, [0, 2]], axis=1), atol=1e-5
        )


def test_somebody_who_tumbles_is_left_as_he_is(model, body, tmp_path):
    turning = replace(body, global_orient=np.outer(np.linspace(0, 2 * np.pi, 7), [1.0, 0, 0]))
    path = write_motion(turning, tmp_path / "m.npz", fps=30)
    np.testing.assert_allclose(read_motion(path, up="").transl, turning.transl, atol=1e-9)
    with pytest.raises(HvrError, match='up is "w"'):
        read_motion(path, up="w")


def test_a_bvh_file_is_known_by_its_first_word(model, body, tmp_path):
    path = write_bvh(tmp_path / "m.bvh", replace(body, betas=np.zeros(10)), model, 30)
    path.rename(tmp_path / "motion.txt")
    like = replace(body.frame(0), betas=np.zeros(10))
    assert len(novel_poses(like, tmp_path / "motion.txt", frames=5, fps=30, up="y")) == 5


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
        ("lfemur", ("left", "femur")),
        ("rhumerus", ("right", "humerus")),
        ("LUArm", ("left", "uarm")),
        ("RThigh", ("right", "thigh")),
        ("lThighBend", ("left", "thighbend")),
        ("upperleg01.L", ("left", "upperleg")),
        ("Neck1", ("", "neck")),
        ("ribs", ("", "ribs")),
        ("lowerback", ("", "lowerback")),
        ("DEF-thigh.L.001", ("left", "thigh")),
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
    heap.offsets[:], heap.translations[:] = 0, 0
    with pytest.raises(HvrError, match="heap.bvh: at rest"), np.errstate(invalid="ignore"):
        read_bvh(format_bvh(heap, tmp_path / "heap.bvh"), model=model)
    with pytest.raises(HvrError, match=r"\.bvh"):
        write_bvh(tmp_path / "m.npz", body, model, 30)
    with pytest.raises(HvrError, match="fps is 0"):
        write_bvh(tmp_path / "m.bvh", body, model, 0)
    with pytest.raises(HvrError, match="the body was made with body model other"):
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


def test_the_axes_of_a_person_do_not_depend_on_where_they_stand():
    turn = Rotation.from_rotvec([0.3, -0.7, 0.2]).as_matrix()
    left, right, top = np.array([[0.1, 0.02, 0.0], [-0.1, -0.02, 0.0], [0.0, 0.5, 0.1]]) @ turn.T
    axes = _frame(left, right, top)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes[:, 0], (left - right) / np.linalg.norm(left - right), atol=1e-12)
    assert axes[:, 1] @ top > 0.45 and abs(axes[:, 2] @ top) < 1e-12
    for place in ([3.0, 0, 0], [0, -2.0, 0], [1.0, 2.0, 5.0]):
        np.testing.assert_allclose(_frame(left + place, right + place, top + place), axes, atol=1e-12)
