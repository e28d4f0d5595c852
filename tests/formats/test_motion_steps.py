"""Steps of reading motions: axes, rates, counts and names at their limits."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hvr_nb.formats.motion import amass, bvh, bvh_file, bvh_names, up
from hvr_nb.geometry.camera import default_camera
from hvr_nb.types import Body, HvrError


def waves(*shape, step=0.7) -> np.ndarray:
    """Numbers between -1 and 1 that look random and never change."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def a_body(count=5) -> Body:
    return Body(
        np.zeros(10),
        0.2 * waves(count, 3),
        0.1 * waves(count, 69),
        waves(count, 3) - [0, 0, 4],
        default_camera(64, 48),
        np.ones(count, bool),
    )


@pytest.mark.parametrize("lean, axis", [(0.7, "z"), (0.699, "y")])
def test_people_who_clearly_stand_along_an_axis(lean, axis):
    joints = np.zeros((4, 24, 3))
    joints[:, 12] = np.array([*[np.sqrt((1 - lean**2) / 2)] * 2, lean]) + [0.5, 0, 0]
    joints[:, 7], joints[:, 8] = (0, 0, 0), (1, 0, 0)
    assert up._found(joints) == axis
    assert up._found(-joints) == ("-z" if axis == "z" else "y")


def test_a_file_with_an_axis_of_its_own_is_turned_and_said(tmp_path):
    body = a_body()
    with pytest.raises(HvrError, match='up is "w"; give one of y, z, -y, -z, x, -x'):
        up.stand_up(body, "w", "a.bvh")
    assert up.stand_up(body, "y", "a.bvh") is body
    for axis, turn in {
        "z": ("x", -90),
        "-y": ("x", 180),
        "-z": ("x", 90),
        "x": ("z", 90),
        "-x": ("z", -90),
    }.items():
        found = up.stand_up(body, axis, "a.bvh")
        expected = Rotation.from_euler(*turn, degrees=True) * Rotation.from_rotvec(body.global_orient)
        difference = (Rotation.from_rotvec(found.global_orient) * expected.inv()).magnitude()
        assert np.abs(difference).max() < 1e-9 and found.camera is body.camera
        vector = np.zeros(3)
        vector["xyz".index(axis[-1])] = -1 if axis[0] == "-" else 1
        np.testing.assert_allclose(
            Rotation.from_euler(*turn, degrees=True).apply(vector), [0, 1, 0], atol=1e-12
        )


def test_long_motions_are_looked_at_here_and_there(monkeypatch):
    looked = []

    def posed(model, body):
        looked.append(len(body))
        joints = np.zeros((len(body), 24, 3))
        joints[:, 12, 2] = 1
        return None, joints

    monkeypatch.setattr(up, "posed", posed)
    for count in (200, 201, 3):
        with pytest.warns(UserWarning, match="people stand along z"):
            up.stand_up(a_body(count), "", "a.bvh")
    assert looked == [200, 200, 3]


@pytest.mark.parametrize("rate, fine", [(0.0, False), (0.5, True), (9999.0, True), (10_000.0, False)])
def test_rates_of_motions(tmp_path, rate, fine):
    np.savez(tmp_path / "m.npz", poses=np.zeros((2, 72)), trans=np.zeros((2, 3)), mocap_framerate=rate)
    if fine:
        assert len(amass.read_motion(tmp_path / "m.npz")) == 2
    else:
        with pytest.raises(HvrError, match="the frame rate is"):
            amass.read_motion(tmp_path / "m.npz")


def test_a_motion_without_a_rate_has_sixty_frames_a_second(tmp_path, monkeypatch):
    np.savez(tmp_path / "m.npz", poses=np.zeros((61, 72)), trans=np.zeros((61, 3)), betas=np.ones(3))
    motion = amass.read_motion(tmp_path / "m.npz", fps=30)
    assert len(motion) == 31 and motion.betas.tolist() == [1] * 3 + [0] * 7
    np.savez(tmp_path / "m.npz", poses=np.zeros((61, 72)), trans=np.zeros((61, 3)), mocap_frame_rate=120.0)
    assert len(amass.read_motion(tmp_path / "m.npz", fps=30)) == 16
    monkeypatch.setattr(amass, "LONGEST", 61)
    amass.read_motion(tmp_path / "m.npz")
    monkeypatch.setattr(amass, "LONGEST", 60)
    with pytest.raises(HvrError, match="no frames, too many"):
        amass.read_motion(tmp_path / "m.npz")
    for poses, trans in ((np.zeros((0, 72)), np.zeros((0, 3))), (np.full((1, 72), np.nan), np.zeros((1, 3)))):
        np.savez(tmp_path / "m.npz", poses=poses, trans=trans)
        with pytest.raises(HvrError, match="holds no frames, too many, or values that are not finite"):
            amass.read_motion(tmp_path / "m.npz")


HEADER = (
    "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
    "End Site\n{\nOFFSET 0 1 0\n}\n}\nMOTION\n"
)


@pytest.mark.parametrize(
    "seconds, fine", [("0.0001", False), ("0.00011", True), ("99", True), ("100", False)]
)
def test_times_of_frames_of_a_bvh(tmp_path, seconds, fine):
    path = tmp_path / "a.bvh"
    path.write_text(HEADER + f"Frames: 1\nFrame Time: {seconds}\n1 2 3\n")
    if fine:
        assert bvh_file.parse_bvh(path).fps == round(1 / float(seconds), 2)
    else:
        with pytest.raises(HvrError, match="line 13: a frame of .* seconds is not possible"):
            bvh_file.parse_bvh(path)


@pytest.mark.parametrize("words", ["Frames: 0", "Frames: 10000000", "Frames: -1", "Frames 1.5", "Count: 1"])
def test_numbers_of_frames_of_a_bvh(tmp_path, words):
    (tmp_path / "a.bvh").write_text(HEADER + f"{words}\nFrame Time: 0.1\n1 2 3\n")
    with pytest.raises(HvrError, match="line 12: `Frames: N` is expected"):
        bvh_file.parse_bvh(tmp_path / "a.bvh")


def test_the_most_joints_of_a_bvh(tmp_path, monkeypatch):
    inner = "JOINT b\n{\nOFFSET 0 1 0\nCHANNELS 0\n}\n"
    path = tmp_path / "a.bvh"
    path.write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 0\n"
        + inner * 3
        + "}\nMOTION\nFrames: 1\nFrame Time: 0.1\n"
    )
    monkeypatch.setattr(bvh_file, "MAX_JOINTS", 3)
    with pytest.raises(HvrError, match="too many joints"):
        bvh_file.parse_bvh(path)
    monkeypatch.setattr(bvh_file, "MAX_JOINTS", 4)
    with pytest.raises(HvrError, match="ends too early"):  # no numbers: there are no channels to read
        bvh_file.parse_bvh(path)


def test_a_bvh_is_known_by_its_first_word_or_its_suffix(tmp_path):
    for name, content, known in (
        ("a.txt", b"\xef\xbb\xbf \t\r\nHIERARCHY", True),
        ("b.txt", b"JERARCHY", False),
        ("c.BVH", b"", True),
        ("d.txt", b" " * 56 + b"HIERARCHY", False),  # 64 bytes are looked at
        ("e.txt", b" " * 55 + b"HIERARCHY", True),
    ):
        (tmp_path / name).write_bytes(content)
        assert bvh_file.is_bvh(tmp_path / name) == known, name
    assert bvh_file.is_bvh(tmp_path / "none.bvh") and not bvh_file.is_bvh(tmp_path / "none.txt")


def test_trunks_of_any_length():
    def spine(count):
        """A pelvis, ``count`` joints and two shoulders at the last."""
        chain = [0, *range(3, count + 3)]
        parents = [-1, 0, 0, *chain[:-1], chain[-1], chain[-1]]
        names = {
            "pelvis": 0,
            "left_hip": 1,
            "right_hip": 2,
            "left_shoulder": count + 3,
            "right_shoulder": count + 4,
        }
        return bvh_names._spine(SimpleNamespace(parents=parents), names)

    assert spine(0) == {} and spine(1) == {"spine2": 3} and spine(2) == {"spine1": 3, "spine3": 4}
    assert spine(3) == {"spine1": 3, "spine2": 4, "spine3": 5}
    assert spine(4) == {"spine1": 3, "spine2": 5, "spine3": 6}
    assert spine(6) == {"spine1": 3, "spine2": 6, "spine3": 8}


def test_the_prefix_of_more_than_half_of_the_names():
    words = [["bip", "hip"], ["bip", "knee"], ["foot"], ["hand"]]
    assert bvh_names.without_prefix(words) == words
    assert bvh_names.without_prefix([*words[:2], ["bip", "x"], ["hand"]])[0] == ["hip"]
    assert bvh_names.without_prefix([["left", "hip"], ["left", "knee"]])[0] == ["left", "hip"]
    assert bvh_names.without_prefix([["a", "b", "hip"], ["a", "b", "knee"]]) == [["hip"], ["knee"]]
    assert bvh_names.without_prefix([["a"], ["a"]]) == [["a"], ["a"]] and bvh_names.without_prefix([]) == []


def test_turns_between_directions():
    source = np.array([0.0, 2, 0])
    for target, angle in (
        ((0, 5, 0), 0),
        ((0, -1, 0), np.pi),
        ((0, 0, 1), np.pi / 2),
        ((0.3, 0.4, 0), 0.6435),
    ):
        turn = bvh._least_turn(source, np.array(target, float))
        np.testing.assert_allclose(turn @ [0, 1, 0], np.array(target) / np.linalg.norm(target), atol=1e-12)
        assert Rotation.from_matrix(turn).magnitude() == pytest.approx(angle, abs=1e-4)
    frame = bvh._frame(np.array([0.2, 1, 0]), np.array([-0.2, 1, 0]), np.array([0, 1.5, 0]))
    np.testing.assert_allclose(frame, np.eye(3), atol=1e-12)
    turned = Rotation.from_euler("xyz", [0.2, 1.0, -0.4]).as_matrix()
    places = [turned @ p for p in ([0.2, 1, 0], [-0.2, 1, 0], [0, 1.5, 0.0])]
    np.testing.assert_allclose(bvh._frame(*places), turned, atol=1e-12)
