"""COCO, PoseFlow, Detectron, VideoPose3D and `kpts` joints, told by content and read as they were."""

import json
import pickle
import zipfile

import numpy as np
import pytest

from hvr_nb.formats.joints2d.keypoints import read_keypoints
from hvr_nb.types import HvrError

SIZE = (640, 480)
NAMES = [f"{i:06d}" for i in range(5)]


def track(x=100.0, *, seed=0, height=300.0) -> np.ndarray:
    """(5, 17, 3) somebody walking to the right, confidence 0.8."""
    shape = np.random.default_rng(seed).uniform((0, 0), (0.4 * height, height), (17, 2))
    points = shape + (x, 60) + 6.0 * np.arange(5)[:, None, None] * (1, 0)
    return np.concatenate([points, np.full((5, 17, 1), 0.8)], -1)


BIG, SMALL = track(60), track(400, seed=1, height=200)


def read(path, person=0, names=NAMES):
    return read_keypoints(path, names=names, size=SIZE, person=person)


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_coco_results_as_hrnet_writes_them(tmp_path):
    people = [
        {"image_id": t, "category_id": 1, "score": 0.9, "keypoints": p[t].ravel().tolist()}
        for t in (3, 0, 1, 4)
        for p in ((BIG, SMALL) if t % 2 else (SMALL, BIG))
    ]
    path = write(tmp_path / "results.json", people)
    for person, truth in enumerate((BIG, SMALL)):
        got = read(path, person)
        assert got.source == "coco" and got.found.tolist() == [True, True, False, True, True]
        np.testing.assert_allclose(got.coco[got.found], truth[got.found])
    with pytest.raises(HvrError, match="person 2 was asked for"):
        read(path, 2)


def test_coco_annotations_with_their_visibility_flags(tmp_path):
    joints = BIG.copy()
    joints[..., 2] = 2
    joints[:, 3, 2], joints[:, 4] = 1, 0
    images = [{"id": 70 + t, "file_name": f"a/{t:06d}.jpg"} for t in range(5)]
    people = [
        {"image_id": 70 + t, "keypoints": joints[t].ravel().tolist(), "num_keypoints": 16, "iscrowd": 0}
        for t in range(5)
    ]
    crowd = {"image_id": 70, "keypoints": [0] * 51, "num_keypoints": 0, "iscrowd": 1}
    got = read(write(tmp_path / "a.json", {"images": images, "annotations": [*people, crowd]}))
    assert got.found.all()
    np.testing.assert_allclose(got.coco[:, :4, :2], BIG[:, :4, :2])
    assert (
        (got.coco[:, :3, 2] == 1).all() and (got.coco[:, 3, 2] == 0.5).all() and (got.coco[:, 4] == 0).all()
    )


def test_poseflow_tracks_say_who_is_who(tmp_path):
    early = np.arange(5) < 2  # they change places: only the numbers tell
    seven, four = (np.where(early[:, None, None], a, b) for a, b in ((BIG, SMALL), (SMALL, BIG)))
    content = {
        f"frame_{t}.png": [
            {"keypoints": p[t].ravel().tolist(), "scores": 2.0, "idx": i} for i, p in ((7, seven), (4, four))
        ]
        for t in range(5)
    }
    path = write(tmp_path / "poseflow-results.json", content)
    got = [read(path, k) for k in (0, 1)]
    assert {g.source for g in got} == {"poseflow"}
    np.testing.assert_allclose(got[0].coco, four)  # three large frames of five
    np.testing.assert_allclose(got[1].coco, seven)


@pytest.mark.parametrize(
    "content, message",
    [
        ({"images": [], "annotations": [{"image_id": 3, "keypoints": [0] * 51}]}, "not laid out as COCO"),
        ({"images": [], "annotations": []}, "no person with joints"),
        ([{"image_id": 3, "keypoints": [1, 2, 3]}], "has 1 joints"),
        ({"0.jpg": [{"keypoints": [0] * 51}, "x"]}, "not laid out as PoseFlow's"),
    ],
)
def test_bad_coco_files(tmp_path, content, message):
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(HvrError, match=message):
        read(path)
    with pytest.raises(HvrError, match="neither a picture's joints"):
        read(write(tmp_path / "other.json", {"shapes": 3}))


def detectron(path, people):
    """As VideoPose3D's inference script lays its npz out; people: for each frame [(score, (17, 3))]."""
    boxes, keypoints = np.empty(len(people), object), np.empty(len(people), object)
    for t, here in enumerate(people):
        boxes[t] = [[], np.array([[0, 0, 9, 9, score] for score, _ in here]).reshape(-1, 5)]
        rows = [[p[:, 0], p[:, 1], np.full(17, -3.0), p[:, 2]] for _, p in here]
        keypoints[t] = [[], np.array(rows).reshape(-1, 4, 17)]
    np.savez(path, boxes=boxes, keypoints=keypoints, segments=None, metadata={"w": 640, "h": 480})
    return path


def test_detectron_people_are_followed_and_unsure_boxes_left_out(tmp_path):
    frames = [
        [(0.99, BIG[t]), (0.8, SMALL[t]), (0.5, track(200, seed=3)[t])][:: -1 if t % 2 else 1]
        for t in range(5)
    ]
    frames[2] = []
    path = detectron(tmp_path / "clip.mp4.npz", frames)
    for person, truth in enumerate((BIG, SMALL)):
        got = read(path, person)
        assert got.source == "detectron" and got.found.tolist() == [True, True, False, True, True]
        np.testing.assert_allclose(got.coco[got.found], truth[got.found])
    with pytest.raises(HvrError, match="show 2 people"):
        read(path, 2)


def videopose(path, sequences, *, left=(1, 3, 5, 7, 9, 11, 13, 15)):
    metadata = {"layout_name": "x", "num_joints": 17, "keypoints_symmetry": [list(left), []]}
    positions = {
        subject: {"custom": [points[..., :2].astype(np.float32)]} for subject, points in sequences.items()
    }
    np.savez_compressed(path, positions_2d=positions, metadata=metadata)
    return path


def test_videopose3d_data_sets(tmp_path):
    path = videopose(tmp_path / "data_2d_custom_x.npz", {"a.mp4": BIG, "b.mp4": SMALL})
    for person, truth in enumerate((BIG, SMALL)):
        got = read(path, person)
        assert got.source == "videopose3d" and got.found.all() and (got.coco[..., 2] == 1).all()
        np.testing.assert_allclose(got.coco[..., :2], truth[..., :2], atol=1e-4)
    with pytest.raises(HvrError, match=r"sequence 2 was asked for.*a.mp4/custom/0, b.mp4/custom/0"):
        read(path, 2)
    path = videopose(tmp_path / "data_2d_h36m_gt.npz", {"S1": BIG}, left=(4, 5, 6, 11, 12, 13))
    points = read(path).points
    for ours, theirs in ((8, 0), (9, 1), (14, 6), (1, 8), (7, 13), (4, 16)):
        np.testing.assert_allclose(points[:, ours, :2], BIG[:, theirs, :2], atol=1e-4)
    assert (points[:, 15:, 2] == 0).all()


def test_kpts_arrays_with_and_without_confidence(tmp_path):
    plain, path = BIG[..., :2].astype(np.float32), tmp_path / "clip.npz"
    plain[0] = 0  # as the original marks frames before the first person
    plain[3, 5] = np.nan
    np.savez(path, kpts=plain)
    got = read(path)
    assert got.source == "kpts" and got.found.tolist() == [False, True, True, True, True]
    assert got.coco[3, 5, 2] == 0 and (got.coco[4, :, 2] == 1).all()
    np.testing.assert_allclose(got.coco[4, :, :2], BIG[4, :, :2], atol=1e-4)
    np.savez(path, kpts=BIG)
    np.testing.assert_allclose(read(path).coco, BIG)
    np.testing.assert_allclose(read(path, names=["000001", "000003"]).coco, BIG[[1, 3]])
    np.testing.assert_allclose(read_keypoints(path, size=SIZE).coco, BIG)
    with pytest.raises(HvrError, match="has 5 frames, the clip 6"):
        read(path, names=[f"{i}" for i in range(6)])


class Trap:
    def __reduce__(self):
        return print, ("boo",)


def test_bad_npz_files_are_refused_and_never_run(tmp_path, capsys):
    path = tmp_path / "x.npz"
    np.savez(path, other=np.zeros(3))
    with pytest.raises(HvrError, match="holds other; an npz of 2D joints has"):
        read(path)
    np.savez(path, kpts=np.zeros((5, 16, 2)))
    with pytest.raises(HvrError, match="person 0 was asked for|has 16 joints"):
        read(path)
    np.savez(path, boxes=np.zeros(3), keypoints=np.zeros(3))
    with pytest.raises(HvrError, match="not laid out as 2D joints"):
        read(path)
    trap = np.empty((), object)
    trap[()] = Trap()
    np.savez(path, positions_2d=trap, metadata={})
    with pytest.raises(HvrError, match="was refused: it asks for builtins.print"):
        read(path)
    assert capsys.readouterr().out == ""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("kpts.npy", pickle.dumps(3))
    with pytest.raises(HvrError, match="cannot be read"):
        read(path)
