"""Joints and bodies of OpenPose, AlphaPose and EasyMocap, read and written."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.formats.datasets import easymocap
from hvr_nb.formats.joints2d.easymocap import write_annots
from hvr_nb.formats.joints2d.keypoints import read_keypoints
from hvr_nb.formats.joints2d.openpose import write_openpose
from hvr_nb.geometry.camera import default_camera, project
from hvr_nb.types import Body, Camera, HvrError, Keypoints

SIZE = (640, 480)
NAMES = [f"{i:06d}" for i in range(0, 18, 3)]  # every third frame of a video


def person(frames=6, *, x=200.0, step=8.0, height=300.0, seed=0) -> np.ndarray:
    """(T, 25, 3) joints of somebody walking to the right, confidence about 0.8."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform((0, 0), (0.4 * height, height), (25, 2))
    points = shape + np.array([x, 60.0]) + np.arange(frames)[:, None, None] * (step, 0)
    return np.concatenate([points.round(2), rng.uniform(0.7, 0.9, (frames, 25, 1)).round(2)], axis=-1)


def as_keypoints(points: np.ndarray) -> Keypoints:
    found = points[..., 2].any(1)
    low, high = points[..., :2].min(1), points[..., :2].max(1)
    boxes = np.where(found[:, None], np.concatenate([low, high], 1).round(2), np.nan)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, boxes, source="test")


def openpose_file(folder, name, people):
    folder.mkdir(exist_ok=True)
    text = json.dumps({"people": [{"pose_keypoints_2d": np.ravel(p).tolist()} for p in people]})
    (folder / f"{name}_keypoints.json").write_text(text)


# -- OpenPose ----------------------------------------------------------------------------------------


def test_openpose_round_trip(tmp_path):
    points = person()
    points[2] = 0  # nobody in the third frame
    write_openpose(tmp_path, as_keypoints(points), names=NAMES)
    back = read_keypoints(tmp_path, size=SIZE, names=NAMES)
    np.testing.assert_allclose(back.points, points, atol=1e-4)
    assert back.found.tolist() == [True, True, False, True, True, True] and back.source == "openpose"
    assert np.isnan(back.boxes[2]).all() and not back.filled.any()
    known = back.points[0]
    assert (back.boxes[0, :2] <= known[:, :2].min(0)).all()
    assert (back.boxes[0, 2:] >= known[:, :2].max(0)).all()


def test_openpose_people_are_followed_not_taken_by_their_order(tmp_path):
    big, small = person(height=380, x=60), person(height=200, x=420, step=-5, seed=1)
    for t in range(6):
        openpose_file(tmp_path, f"video_{3 * t:012d}", [big[t], small[t]][:: 1 if t % 2 else -1])
    first = read_keypoints(tmp_path, size=SIZE, names=NAMES)
    second = read_keypoints(tmp_path, size=SIZE, names=NAMES, person=1)
    np.testing.assert_allclose(first.points, big)
    np.testing.assert_allclose(second.points, small)
    with pytest.raises(HvrError, match="person 2 was asked for.*show 2 people"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES, person=2)


def test_openpose_frames_by_count_and_by_their_own_numbers(tmp_path):
    points = person()
    for t in (1, 2, 4):
        openpose_file(tmp_path, f"clip_{t:012d}", [points[t]])
    by_count = read_keypoints(tmp_path, size=SIZE, names=[f"{t:06d}" for t in range(6)])
    assert by_count.found.tolist() == [False, True, True, False, True, False]
    np.testing.assert_allclose(by_count.points[4], points[4])
    assert read_keypoints(tmp_path, size=SIZE).found.tolist() == [True, True, True]  # the files' own


def test_openpose_coco18_gets_a_mid_hip_and_no_feet(tmp_path):
    body25 = person(1)[0]
    order = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    openpose_file(tmp_path, "000000", [body25[order]])
    points = read_keypoints(tmp_path, size=SIZE, names=["000000"]).points[0]
    np.testing.assert_allclose(points[order], body25[order])
    np.testing.assert_allclose(points[8, :2], (body25[9, :2] + body25[12, :2]) / 2)
    assert points[8, 2] == min(body25[9, 2], body25[12, 2]) and (points[19:, 2] == 0).all()


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not readable JSON"),
        ('{"people": 3}', "neither a picture's joints"),
        ('{"people": [{}]}', "not laid out as 2D joints .KeyError"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "has 1 joints; layouts of 17, 18"),
        ('{"people": [{"pose_keypoints_2d": ["a"]}]}', "not laid out as 2D joints"),
        ('{"people": []}', "show 0 people"),
        (json.dumps({"people": [{"pose_keypoints_2d": [0.5, 0.5, 0.9] * 25}]}), "keypoint_scale 0"),
    ],
)
def test_bad_openpose_files(tmp_path, text, message):
    (tmp_path / "000000_keypoints.json").write_text(text)
    with pytest.raises(HvrError, match=message):
        read_keypoints(tmp_path, size=SIZE, names=["000000"])


def test_no_openpose_files(tmp_path):
    with pytest.raises(HvrError, match="holds no"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES)


# -- AlphaPose ---------------------------------------------------------------------------------------


def alphapose_file(path, entries):
    path.write_text(json.dumps([{"category_id": 1, "score": 2.9, **entry} for entry in entries]))
    return path


def test_alphapose_coco17(tmp_path):
    joints = np.random.default_rng(0).uniform(10, 400, (6, 17, 3))
    joints[..., 2] = 0.8
    entries = [{"image_id": f"{3 * t}.jpg", "keypoints": joints[t].ravel().tolist()} for t in (5, 0, 1, 2)]
    path = alphapose_file(tmp_path / "results.json", entries)
    keypoints = read_keypoints(path, size=SIZE, names=NAMES)
    assert keypoints.found.tolist() == [True, True, True, False, False, True]
    np.testing.assert_allclose(keypoints.coco[[0, 1, 2, 5]], joints[[0, 1, 2, 5]])
    np.testing.assert_allclose(keypoints.points[1, 1, :2], joints[1, [5, 6], :2].mean(0))
    assert (keypoints.points[:, 19:, 2] == 0).all()


def test_alphapose_halpe26_and_its_track_numbers(tmp_path):
    rng = np.random.default_rng(1)
    a, b = (rng.uniform((x, 20), (x + 120, 260), (6, 26, 2)) for x in (300, 20))
    early = (np.arange(6) < 3)[:, None, None]
    seven, four = np.where(early, a, b), np.where(early, b, a)  # they change places: only numbers tell
    entries = []
    for t in range(6):
        for number, points, sure in ((7, seven, 1.5), (4, four, 0.3)):
            flat = np.column_stack([points[t], np.full(26, sure)]).ravel().tolist()
            entries.append({"image_id": f"{t}.jpg", "keypoints": flat, "idx": [float(number)]})
    path = alphapose_file(tmp_path / "results.json", entries)
    for person_, truth, sure in ((0, seven, 1.0), (1, four, 0.3)):  # confidences above 1 become 1
        points = read_keypoints(path, size=SIZE, names=[f"{t:06d}" for t in range(6)], person=person_).points
        for halpe, body25 in ((0, 0), (2, 15), (6, 2), (18, 1), (19, 8), (20, 19), (23, 23), (25, 24)):
            np.testing.assert_allclose(points[:, body25, :2], truth[:, halpe])
        assert (points[..., 2] == sure).all()


@pytest.mark.parametrize(
    "text, message",
    [
        ("nonsense", "not readable JSON"),
        ("{}", "neither a picture's joints"),
        ('[{"image_id": "0.jpg"}]', "not laid out as AlphaPose's"),
        ('[{"image_id": "0.jpg", "keypoints": [1, 2, 3]}]', "has 1 joints; layouts of 17, 18"),
        ('[{"image_id": "x.jpg", "keypoints": []}]', "has 0 joints"),
    ],
)
def test_bad_alphapose_files(tmp_path, text, message):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(HvrError, match=message):
        read_keypoints(path, size=SIZE, names=NAMES)
    with pytest.raises(HvrError, match="does not exist"):
        read_keypoints(tmp_path / "other.json", size=SIZE, names=NAMES)


# -- EasyMocap ---------------------------------------------------------------------------------------


def test_annots_round_trip_and_layout(tmp_path):
    points = person()
    points[4] = 0
    folder = write_annots(tmp_path, as_keypoints(points), names=NAMES, size=SIZE, sub="0")
    assert folder == tmp_path / "annots" / "0"
    content = json.loads((folder / "000003.json").read_text())
    assert content["filename"] == "images/0/000003.jpg" and (content["width"], content["height"]) == SIZE
    entry = content["annots"][0]
    assert set(entry) == {"personID", "bbox", "keypoints", "area", "isKeyframe"}
    assert len(entry["bbox"]) == 5 and np.shape(entry["keypoints"]) == (25, 3)
    width, height = entry["bbox"][2] - entry["bbox"][0], entry["bbox"][3] - entry["bbox"][1]
    assert entry["area"] == pytest.approx(max(width, height) ** 2, abs=0.01)
    assert json.loads((folder / "000012.json").read_text())["annots"] == []
    back = read_keypoints(folder, size=SIZE, names=NAMES)
    np.testing.assert_allclose(back.points, points, atol=0.0051)
    assert back.found.tolist() == [True] * 4 + [False, True]


def test_damaged_easymocap_annotations_are_refused(tmp_path):
    with pytest.raises(HvrError, match="no .json files"):
        read_keypoints(tmp_path, size=SIZE)
    (tmp_path / "000000.json").write_text('{"annots": []}')
    with pytest.raises(HvrError, match="not laid out as 2D joints .KeyError"):
        read_keypoints(tmp_path, size=SIZE)
    (tmp_path / "000000.json").write_text('{"height": 4, "width": 4, "annots": [{"keypoints": [[1, 2]]}]}')
    with pytest.raises(HvrError, match="not laid out as 2D joints"):
        read_keypoints(tmp_path, size=SIZE)


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def some_body(model, camera, frames=5) -> Body:
    rng = np.random.default_rng(3)
    turn = Rotation.from_rotvec(rng.normal(0, 1.2, (frames, 3))).as_rotvec()
    pose, transl = rng.normal(0, 0.2, (frames, 69)), rng.normal(0, 0.3, (frames, 3)) + (0, 0, -3)
    return Body(rng.normal(0, 1, 10), turn, pose, transl, camera, np.ones(frames, bool), model.hash)


def test_rotation_about_the_origin_and_about_the_pelvis_agree(model):
    """V = R LBS(zero root) + Th equals the standard model with the converted parameters."""
    body = some_body(model, default_camera(*SIZE))
    pelvis = easymocap.rest_pelvis(model, body.betas)
    assert np.linalg.norm(pelvis) > 0.05  # else the test could not see a forgotten offset
    Rh, Th = easymocap.from_standard(body.global_orient, body.transl, pelvis)
    unrooted = np.concatenate([np.zeros((5, 3)), body.body_pose], axis=1)
    tensors = (torch.as_tensor(x, dtype=torch.float32) for x in (body.betas, unrooted, np.zeros((5, 3))))
    vertices = model.pose(*tensors)[0].numpy()
    theirs = np.einsum("tij,tvj->tvi", Rotation.from_rotvec(Rh).as_matrix(), vertices) + Th[:, None]
    np.testing.assert_allclose(theirs, posed(model, body)[0], atol=2e-5)
    again = easymocap.to_standard(Rh, Th, pelvis)
    np.testing.assert_allclose(again[1], body.transl, atol=1e-12)


@pytest.mark.parametrize("in_camera", [True, False])
def test_smpl_round_trip(tmp_path, model, in_camera):
    R = Rotation.from_euler("yx", [0.4, 3.0]).as_matrix()
    camera = Camera(K=default_camera(*SIZE).K, width=640, height=480, R=R, t=np.array([0.1, -0.2, 0.5]))
    body = some_body(model, camera)
    names = NAMES[:5]
    folder = easymocap.write_smpl(tmp_path, body, model=model, names=names, in_camera=in_camera)
    content = json.loads((folder / "000003.json").read_text())
    shapes = {key: np.shape(value) for key, value in content[0].items() if key != "id"}
    assert shapes == {"Rh": (1, 3), "Th": (1, 3), "poses": (1, 69), "shapes": (1, 10)}
    back = easymocap.read_smpl(folder, camera=camera, model=model, names=names, in_camera=in_camera)
    np.testing.assert_allclose(posed(model, back)[1], posed(model, body)[1], atol=2e-5)
    np.testing.assert_allclose(back.betas, body.betas, atol=1e-6)
    if in_camera:  # in EasyMocap's own reading (R = I, T = 0) the joints fall on the same pixels
        plain = Camera(K=camera.K, width=640, height=480, R=np.eye(3), t=np.zeros(3))
        theirs = easymocap.read_smpl(folder, camera=plain, model=model, names=names)
        pixels = project(posed(model, body)[1], camera)
        np.testing.assert_allclose(project(posed(model, theirs)[1], plain), pixels, atol=0.02)


def test_smpl_missing_frames_repeat_the_nearest_and_are_not_valid(tmp_path, model):
    camera = default_camera(*SIZE)
    body = some_body(model, camera)
    folder = easymocap.write_smpl(tmp_path, body, model=model, names=NAMES[:5])
    (folder / "000009.json").unlink()
    back = easymocap.read_smpl(folder, camera=camera, model=model, names=NAMES[:5])
    assert back.valid.tolist() == [True, True, True, False, True]
    np.testing.assert_allclose(back.body_pose[3], body.body_pose[2], atol=1e-6)
    with pytest.raises(HvrError, match="nobody with id 4"):
        easymocap.read_smpl(folder, camera=camera, model=model, names=NAMES[:5], person=4)
    short = {"id": 0, "Rh": [[0, 0]], "Th": [[0, 0, 0]], "poses": [[]], "shapes": [[]]}
    (folder / "000000.json").write_text(json.dumps([short]))
    with pytest.raises(HvrError, match="Rh 3"):
        easymocap.read_smpl(folder, camera=camera, model=model, names=NAMES[:5])


def test_smpl_with_three_zeros_before_the_pose(tmp_path, model):
    row = {
        "id": 0,
        "Rh": [[0.1, 0.2, 0.3]],
        "Th": [[0, 0, 3]],
        "poses": [[0, 0, 0, *([0.25] * 69)]],
        "shapes": [[0.5] * 10],
    }
    (tmp_path / "000000.json").write_text(json.dumps({"annots": [row]}))
    body = easymocap.read_smpl(tmp_path, camera=default_camera(*SIZE), model=model)
    assert body.body_pose.shape == (1, 69) and (body.body_pose == 0.25).all()
