"""Joints in every order, of every size of picture and every way to count, as other programs write them."""

import json

import numpy as np
import pytest

from hvr_nb.formats.joints2d.frames import match_pictures, picture_numbers
from hvr_nb.formats.joints2d.keypoints import read_keypoints
from hvr_nb.formats.joints2d.layouts import _BONES, LAYOUTS, body25_of, layout_of
from hvr_nb.types import BODY25_NAMES, HvrError

SIZE = (640, 480)
NAMES = [f"{i:06d}" for i in range(6)]
# a standing person, per mille of the height: nose, neck, arms, mid-hip, legs (right first), face, feet
_STANDING = [(0, 90), (0, 190), (-90, 190), (-130, 320), (-150, 440), (90, 190), (130, 320), (150, 440),
             (0, 500), (-50, 500), (-55, 720), (-55, 930), (50, 500), (55, 720), (55, 930), (-20, 70),
             (20, 70), (-40, 80), (40, 80), (80, 985), (95, 975), (45, 965), (-80, 985), (-95, 975),
             (-45, 965)]  # fmt: skip


def standing(frames=6, *, x=300.0, height=400.0, step=6.0, top=40.0) -> np.ndarray:
    """(T, 25, 3) somebody who walks to the right, confidence 0.9."""
    shape = np.array(_STANDING) * height / 1000 + (x, top)
    points = shape + np.arange(frames)[:, None, None] * (step, 0)
    return np.concatenate([points, np.full((frames, 25, 1), 0.9)], -1)


def in_layout(body25: np.ndarray, layout: str, count: int) -> np.ndarray:
    """(T, count, 3) the same person in another order; joints that BODY_25 lacks lie on the nose."""
    out = np.repeat(body25[:, :1], count, 1)
    for theirs, ours in enumerate(LAYOUTS[layout]):
        if ours >= 0:
            out[:, theirs] = body25[:, ours]
    return out


def openpose_folder(folder, people, names):
    """A JSON file a picture, in OpenPose's layout; people: (T, J, 3)."""
    folder.mkdir(exist_ok=True)
    for person, name in zip(people, names, strict=True):
        (folder / name).write_text(json.dumps({"people": [{"pose_keypoints_2d": person.ravel().tolist()}]}))
    return folder


def alphapose_file(path, people, pictures):
    entries = [
        {"image_id": name, "category_id": 1, "keypoints": person.ravel().tolist(), "score": 2.0}
        for name, person in zip(pictures, people, strict=True)
    ]
    path.write_text(json.dumps(entries))
    return path


# -- orders of joints --------------------------------------------------------------------------------

EVERY = [
    ("coco17", 17),
    ("openpose18", 18),
    ("coco17 and neck", 18),
    ("coco17 and feet", 23),
    ("body25", 25),
    ("body25b", 25),
    ("halpe26", 26),
    ("blazepose33", 33),
    ("mhr70", 70),
    ("coco17 and feet", 133),
    ("halpe26", 136),
]


@pytest.mark.parametrize(("layout", "count"), EVERY)
def test_every_order_of_joints_is_told_and_read(tmp_path, layout, count):
    truth = standing()
    written = in_layout(truth, layout, count)
    assert layout_of(list(written)) == layout
    folder = openpose_folder(tmp_path / "op", written, [f"cam01_{t:05d}.json" for t in range(6)])
    got = read_keypoints(folder, size=SIZE, names=NAMES).points
    known = sorted({ours for ours in LAYOUTS[layout] if ours >= 0} | {1, 8})
    np.testing.assert_allclose(got[:, known], truth[:, known], atol=1e-6)
    others = sorted(set(range(25)) - set(known))
    assert (got[:, others, 2] == 0).all()


def test_orders_are_told_apart_from_all_sides_and_half_seen():
    """Eleven views of a turn, with limbs hidden: the bones still decide."""
    for angle in np.linspace(0, np.pi, 11):
        truth = standing(3)
        truth[:, :, 0] = 300 + (truth[:, :, 0] - 300) * np.cos(angle)
        truth[:, [3, 4, 10, 11], 2] = 0
        for layout, count in EVERY[:6]:
            assert layout_of(list(in_layout(truth, layout, count))) == layout


def test_the_table_names_every_joint_once():
    for layout, ours in LAYOUTS.items():
        known = [joint for joint in ours if joint >= 0]
        assert len(set(known)) == len(known) and set(known) <= set(range(len(BODY25_NAMES))), layout
    left = [k for k, name in enumerate(BODY25_NAMES) if name.lower().startswith(("l", "left"))]
    right = [k for k, name in enumerate(BODY25_NAMES) if name.lower().startswith(("r", "right"))]
    assert len(left) == len(right) == 11
    halpe = body25_of(np.arange(26 * 3).reshape(26, 3) + 1.0, "halpe26")
    assert halpe[1, 0] == 18 * 3 + 1 and halpe[8, 0] == 19 * 3 + 1  # neck and hip of its own


def test_bones_join_neighbours_and_hang_together():
    names = [tuple(BODY25_NAMES[k] for k in bone) for bone in _BONES]
    limbs = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("eye", "ear")]
    wanted = {("nose", "neck"), ("neck", "mid_hip")}
    for side in ("right_", "left_"):
        wanted |= {(side + a, side + b) for a, b in limbs}
        wanted |= {("neck", f"{side}shoulder"), ("mid_hip", f"{side}hip"), ("nose", f"{side}eye")}
    assert set(names) == wanted and len(names) == 18


def test_people_with_different_numbers_of_joints_are_refused(tmp_path):
    truth = standing()
    openpose_folder(tmp_path, truth[:3], ["a0.json", "a1.json", "a2.json"])
    openpose_folder(tmp_path, truth[3:, :18], ["a3.json", "a4.json", "a5.json"])
    with pytest.raises(HvrError, match="people have 18 or 25 joints"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES)
    (tmp_path / "odd").mkdir()
    openpose_folder(tmp_path / "odd", np.ones((1, 19, 3)) * 5, ["0.json"])
    with pytest.raises(
        HvrError, match="a person has 19 joints; layouts of 17, 18, 23, 25, 26, 33, 70, 133, 136"
    ):
        read_keypoints(tmp_path / "odd", size=SIZE, names=NAMES)


# -- layouts of files --------------------------------------------------------------------------------


def mmpose_film(people, start=0) -> dict:
    return {
        "meta_info": {"dataset_name": "coco"},
        "instance_info": [
            {"frame_id": start + t, "instances": [instance(person)]} for t, person in enumerate(people)
        ],
    }


def instance(person) -> dict:
    return {
        "keypoints": person[:, :2].tolist(),
        "keypoint_scores": person[:, 2].tolist(),
        "bbox": [[0, 0, 1, 1]],
        "bbox_score": 0.9,
    }


def test_mmpose_writes_a_file_a_film_or_a_picture(tmp_path):
    truth = standing()
    coco = in_layout(truth, "coco17", 17)
    film = tmp_path / "film.json"
    for start in (0, 1):  # its demos count from 0 or 1
        film.write_text(json.dumps(mmpose_film(coco, start)))
        with_note = pytest.warns(UserWarning, match="counted from 1") if start else _nothing()
        with with_note:
            got = read_keypoints(film, size=SIZE, names=NAMES, film={"frames": 6})
        assert got.source == "mmpose"
        np.testing.assert_allclose(got.coco, coco)
    content = mmpose_film(np.stack([coco[0], coco[1]]))
    content["instance_info"][0]["instances"] = [instance(coco[0]) | {"track_id": 4}]
    film.write_text(json.dumps(content))
    np.testing.assert_allclose(read_keypoints(film, size=SIZE, names=NAMES[:2]).coco, coco[:2])
    for as_list in (True, False):
        folder = tmp_path / f"pictures{as_list}"
        folder.mkdir()
        for t, person in enumerate(coco):
            here = [instance(person)]
            (folder / f"frame_{t:03d}.json").write_text(
                json.dumps(here if as_list else {"instance_info": here})
            )
        np.testing.assert_allclose(read_keypoints(folder, size=SIZE, names=NAMES).coco, coco)


def _nothing():
    import contextlib

    return contextlib.nullcontext()


@pytest.mark.parametrize(("key", "inner"), [("people", "pose_keypoints_2d"), ("bodies", "joints")])
def test_alphapose_in_the_layouts_of_others(tmp_path, key, inner):
    truth = standing()
    flat = in_layout(truth, "openpose18", 18)
    pictures = {
        f"{t}.jpg": {"version": "AlphaPose v0.3", key: [{inner: person.ravel().tolist()}]}
        for t, person in enumerate(flat)
    }
    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(pictures))
    got = read_keypoints(path, size=SIZE, names=NAMES)
    known = list(LAYOUTS["openpose18"])
    np.testing.assert_allclose(got.points[:, known], truth[:, known])
    folder = tmp_path / "sep-json"
    folder.mkdir()
    for name, content in pictures.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    np.testing.assert_allclose(read_keypoints(folder, size=SIZE, names=NAMES).points, got.points)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks_and_other_encodings(tmp_path, encoding):
    truth = in_layout(standing(), "coco17", 17)
    path = alphapose_file(tmp_path / "a.json", truth, [f"{t}.jpg" for t in range(6)])
    path.write_text(path.read_text(), encoding=encoding)
    np.testing.assert_allclose(read_keypoints(path, size=SIZE, names=NAMES).coco, truth)


def test_content_decides_not_the_suffix(tmp_path):
    truth = in_layout(standing(), "coco17", 17)
    wrong = tmp_path / "joints.npz"
    alphapose_file(wrong, truth, [f"{t}.jpg" for t in range(6)])
    np.testing.assert_allclose(read_keypoints(wrong, size=SIZE, names=NAMES).coco, truth)
    np.savez(tmp_path / "x.npz", kpts=truth)
    (tmp_path / "x.npz").rename(tmp_path / "joints.json")
    np.testing.assert_allclose(read_keypoints(tmp_path / "joints.json", size=SIZE, names=NAMES).coco, truth)
    np.save(tmp_path / "plain.npy", truth)
    (tmp_path / "plain.npy").rename(tmp_path / "plain.txt")
    np.testing.assert_allclose(read_keypoints(tmp_path / "plain.txt", size=SIZE, names=NAMES).coco, truth)
    folder = openpose_folder(tmp_path / "folder", truth, [f"p{t}.txt" for t in range(6)])
    (folder / "notes.md").write_text("hello")
    (folder / "picture.png").write_bytes(b"\x89PNG....")
    np.testing.assert_allclose(read_keypoints(folder, size=SIZE, names=NAMES).coco, truth)
    np.save(tmp_path / "trap.npy", np.array([{1: 2}], object))
    with pytest.raises(HvrError, match="not laid out as 2D joints"):
        read_keypoints(tmp_path / "trap.npy", size=SIZE, names=NAMES)


def test_a_folder_with_the_file_of_a_film_or_with_folders(tmp_path):
    truth = in_layout(standing(), "coco17", 17)
    (tmp_path / "res").mkdir()
    alphapose_file(tmp_path / "res" / "alphapose-results.json", truth, [f"{t}.jpg" for t in range(6)])
    np.testing.assert_allclose(read_keypoints(tmp_path / "res", size=SIZE, names=NAMES).coco, truth)
    with pytest.raises(HvrError, match=r"holds no .json files; give one of the folders in it \(res\)"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES)
    with pytest.raises(HvrError, match="does not exist"):
        read_keypoints(tmp_path / "nowhere", size=SIZE, names=NAMES)


def test_deep_and_damaged_json_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    with pytest.raises(HvrError, match="not readable JSON"):
        read_keypoints(path, size=SIZE, names=NAMES)
    path.write_text('[{"image_id": "0.jpg", "keypoints": [NaN, 1, 1, 1e999, 2, 1' + ", 0" * 45 + "]}]")
    with pytest.raises(HvrError, match="show 0 people"):
        read_keypoints(path, size=SIZE, names=NAMES)
    (tmp_path / "mix").mkdir()
    openpose_folder(tmp_path / "mix", standing(1), ["0.json"])
    (tmp_path / "mix" / "1.json").write_text(json.dumps({"width": 9, "height": 9, "annots": []}))
    with pytest.raises(HvrError, match="mixes the layouts of easymocap and openpose"):
        read_keypoints(tmp_path / "mix", size=SIZE, names=NAMES)


# -- sizes of pictures -------------------------------------------------------------------------------

FILM = {"size": [1280, 960], "frames": 6}


def test_joints_of_the_film_are_scaled_to_the_reduced_clip(tmp_path):
    truth = standing()
    folder = openpose_folder(
        tmp_path / "op", truth * (2, 2, 1), [f"film_{t:012d}_keypoints.json" for t in range(6)]
    )
    got = read_keypoints(folder, size=SIZE, names=NAMES, film=FILM)
    np.testing.assert_allclose(got.points, truth, atol=1e-9)
    assert (got.boxes[:, 3] <= 480).all()


def test_joints_that_fit_film_and_clip_are_the_films_unless_named_as_the_clips(tmp_path):
    """Somebody in the upper left: both sizes hold the joints."""
    truth = standing(x=120, height=150, top=20)
    numbered = [f"film_{t:012d}_keypoints.json" for t in range(6)]
    folder = openpose_folder(tmp_path / "film", truth * (2, 2, 1), numbered)
    with pytest.warns(
        UserWarning, match=r"taken as pixels of pictures of 1280x960.*keypoints_size = \[640, 480\]"
    ):
        got = read_keypoints(folder, size=SIZE, names=NAMES, film=FILM)
    np.testing.assert_allclose(got.points, truth, atol=1e-9)
    folder = openpose_folder(tmp_path / "own", truth, [f"{name}_keypoints.json" for name in NAMES])
    with pytest.warns(UserWarning, match="taken as pixels of pictures of 640x480"):
        got = read_keypoints(folder, size=SIZE, names=NAMES, film=FILM)
    np.testing.assert_allclose(got.points, truth, atol=1e-9)
    got = read_keypoints(folder, size=SIZE, names=NAMES, film=FILM, pictures_size=[1280.0, 960.0])
    np.testing.assert_allclose(got.points, truth / (2, 2, 1), atol=1e-9)


def test_sizes_that_files_state_are_believed(tmp_path):
    truth = standing()
    for t, person in enumerate(truth * (3, 3, 1)):
        entry = {"personID": 0, "keypoints": person.tolist()}
        (tmp_path / f"{t:06d}.json").write_text(
            json.dumps({"width": 1920, "height": 1440, "annots": [entry]})
        )
    got = read_keypoints(tmp_path, size=SIZE, names=NAMES, film=FILM)
    np.testing.assert_allclose(got.points, truth, atol=1e-9)
    (tmp_path / "000003.json").write_text(json.dumps({"width": 640, "height": 480, "annots": []}))
    with pytest.raises(HvrError, match=r"different sizes \(000000.json 1920x1440, 000003.json 640x480\)"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES)
    images = [{"id": t, "file_name": f"{t}.jpg", "width": 1280, "height": 960} for t in range(6)]
    flags = np.concatenate([in_layout(truth, "coco17", 17)[..., :2] * 2, np.full((6, 17, 1), 2.0)], -1)
    people = [
        {"image_id": t, "num_keypoints": 17, "keypoints": p.ravel().tolist()} for t, p in enumerate(flags)
    ]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"images": images, "annotations": people}))
    got = read_keypoints(path, size=SIZE, names=NAMES)
    np.testing.assert_allclose(got.coco[..., :2], in_layout(truth, "coco17", 17)[..., :2], atol=1e-9)
    images[2]["width"] = 640
    path.write_text(json.dumps({"images": images, "annotations": people}))
    with pytest.raises(HvrError, match=r"different sizes \(640x960, 1280x960\)"):
        read_keypoints(path, size=SIZE, names=NAMES)


def test_joints_of_other_pictures_are_refused(tmp_path):
    truth = standing()
    names = [f"{t}.json" for t in range(6)]
    folder = openpose_folder(tmp_path / "large", truth * (4, 4, 1), names)
    for film in ({}, FILM):
        with pytest.raises(HvrError, match=r"reach to pixel \d+ x \d+, the pictures are .*keypoints_size"):
            read_keypoints(folder, size=SIZE, names=NAMES, film=film)
    got = read_keypoints(folder, size=SIZE, names=NAMES, film=FILM, pictures_size=(2560, 1920))
    np.testing.assert_allclose(got.points, truth, atol=1e-9)
    with pytest.raises(HvrError, match="2560x1440, the clip's are 640x480, of another shape"):
        read_keypoints(folder, size=SIZE, names=NAMES, pictures_size=(2560, 1440))
    for wrong in ([5], [0, 3], [float("nan"), 4], [1, 2, 3]):
        with pytest.raises(HvrError, match="give their width and height"):
            read_keypoints(folder, size=SIZE, names=NAMES, pictures_size=wrong)
    mixed = truth * (2, 2, 1)
    mixed[3:] = truth[3:]
    mixed[1] = 0  # nobody
    folder = openpose_folder(tmp_path / "mixed", mixed, names)
    with pytest.raises(HvrError, match="between frames 2 and 3 .* factor of 0.5.*two sizes"):
        read_keypoints(folder, size=SIZE, names=NAMES, film=FILM)


def test_people_cut_by_the_edge_stay_where_they_are(tmp_path):
    """Guessed joints a little outside do not make pictures of another size."""
    truth = standing(x=310, height=600, top=10)  # shins and feet below the picture
    truth[truth[..., 1] > 480, 2] = 0.4
    folder = openpose_folder(tmp_path / "op", truth, [f"{t}.json" for t in range(6)])
    got = read_keypoints(folder, size=SIZE, names=NAMES)
    np.testing.assert_allclose(got.points[..., 1].max(), truth[..., 1].max())


# -- frames ------------------------------------------------------------------------------------------


def matched(theirs, ours, film_frames=0):
    frames, note = match_pictures(
        [str(t) for t in theirs], [f"{t:06d}" for t in ours], film_frames=film_frames
    )
    return {t: frame for t, frame in zip(theirs, frames, strict=True) if frame is not None}, note


@pytest.mark.parametrize(
    ("theirs", "ours", "film_frames", "ahead", "note"),
    [
        (range(24), range(24), 24, 0, ""),
        (range(1, 25), range(24), 24, 1, "counted from 1"),
        (range(1, 25), range(24), 0, 1, "counted from 1"),
        (range(1, 24), range(24), 24, 0, "nobody in the first frame"),
        ([*range(1, 5), *range(7, 25)], range(24), 24, 1, "counted from 1"),  # nobody found in between
        (range(3, 20), range(24), 24, 0, ""),
        (range(100), range(10, 20), 100, 0, ""),
        (range(1, 101), range(10, 20), 100, 1, "counted from 1"),
        (range(1, 101), range(0, 99, 7), 100, 1, "counted from 1"),
        (range(100), range(0, 99, 7), 100, 0, ""),
        (range(24), range(1, 25), 0, -1, "one behind"),  # pictures from 1, joints from 0
    ],
)
def test_numbers_are_matched_by_their_range(theirs, ours, film_frames, ahead, note):
    got, said = matched(list(theirs), list(ours), film_frames)
    expected = {t: list(ours).index(t - ahead) for t in theirs if t - ahead in ours}
    assert got == expected and (note in said if note else not said)


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_along_a_clip_of_every_third_frame(first):
    got, note = matched(range(first, first + 10), range(0, 30, 3), 30)
    assert got == {first + k: k for k in range(10)} and "in order" in note
    got, _ = matched([t for t in range(first, first + 10) if t != first + 4], range(100, 130, 3), 300)
    assert got == {first + k: k for k in range(10) if k != 4}


def test_the_number_that_counts_is_the_one_that_changes():
    assert picture_numbers(["cam2_12_pose3d", "cam2_13_pose3d"]) == [12, 13]
    assert picture_numbers(["2024-05-01_0007", "2024-05-01_0008", "2024-05-01_0010"]) == [7, 8, 10]
    assert picture_numbers(["x", "y1"]) == [None, 1]
    assert picture_numbers(["a1b22"]) == [22]


def test_names_that_are_all_there_decide():
    names = ["left", "right", "IMG_3"]
    assert match_pictures(["right", "other", "IMG_3", "left"], names)[0] == [1, None, 2, 0]
    assert match_pictures(["0", "1", "2"], names)[0] == [0, 1, 2]
    with pytest.raises(HvrError, match="pictures 7 to 9 are none of the clip's frames left to IMG_3"):
        match_pictures(["7", "8", "9"], names)
    with pytest.raises(HvrError, match="none of the clip's frames"):
        matched(range(500, 510), range(10))


def test_two_files_of_one_frame_are_refused(tmp_path):
    openpose_folder(tmp_path, standing(4), ["a_1.json", "a_2.json", "b_1.json", "b_2.json"])
    with pytest.raises(HvrError, match="two pictures .* belong to frame"):
        read_keypoints(tmp_path, size=SIZE, names=NAMES)


# -- the cases ---------------------------------------------------------------------------------------


def test_the_case_of_full_size_joints(shared_cases):
    folder = shared_cases / "full_size_joints" / "openpose"
    names = [f"{t:06d}" for t in range(12)]
    film = {"size": [1920, 1080], "frames": 12}
    full = read_keypoints(folder, size=(1920, 1080), names=names, film=film)
    got = read_keypoints(folder, size=(1280, 720), names=names, film=film)
    assert got.found.all() and got.points[..., 1].max() < 720
    np.testing.assert_allclose(got.points[..., :2] * 1.5, full.points[..., :2], atol=1e-6)
    assert layout_of(list(full.points)) == "body25"


@pytest.mark.parametrize("name", ["ap_bom", "ap_format_open", "ap_wholebody133", "mmpose"])
def test_the_cases_of_other_layouts(shared_cases, name):
    """The same detections in four layouts: all agree."""
    names, film = [f"{t:06d}" for t in range(24)], {"size": [512, 512], "frames": 24}
    folder = shared_cases / "joints_other"
    reference = read_keypoints(folder / "ap_bom.json", size=(512, 512), names=names, film=film)
    if name == "mmpose":
        with pytest.warns(UserWarning, match="counted from 1"):
            got = read_keypoints(folder / f"{name}.json", size=(512, 512), names=names, film=film)
    else:
        got = read_keypoints(folder / f"{name}.json", size=(512, 512), names=names, film=film)
    assert got.found.all()
    np.testing.assert_allclose(got.coco[..., :2], reference.coco[..., :2], atol=1e-6)
    hips, head = got.coco[:, 11:13, 1].mean(1), got.coco[:, 0, 1]
    assert (hips > head + 100).all()


def test_the_case_counted_from_one(shared_cases):
    names, film = [f"{t:06d}" for t in range(24)], {"size": [512, 512], "frames": 24}
    path = shared_cases / "one_based" / "ap_one_based.json"
    with pytest.warns(UserWarning, match="counted from 1"):
        got = read_keypoints(path, size=(512, 512), names=names, film=film)
    zero = read_keypoints(
        shared_cases / "joints_other" / "ap_bom.json", size=(512, 512), names=names, film=film
    )
    assert got.found.all()
    np.testing.assert_allclose(got.points, zero.points, atol=1e-6)
