"""Steps of importing 2D joints: who, in which pixels, in which frames, at the limits."""

from pathlib import Path

import numpy as np
import pytest

from hvr_nb.formats.joints2d import frames, layouts, picture_size, pose_npz, seen
from hvr_nb.formats.joints2d import people as people2d
from hvr_nb.types import HvrError


def waves(*shape, step=0.7) -> np.ndarray:
    """Numbers between -1 and 1 that look random and never change."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def person(scale=1.0, shift=0.0, conf=0.9) -> np.ndarray:
    """(25, 3) joints of BODY_25 within 0 to 200 pixels."""
    out = np.full((25, 3), conf)
    out[:, 0], out[:, 1] = 100 + 40 * waves(25), np.linspace(10, 190, 25)
    out[:, :2] = out[:, :2] * scale + shift
    return out


def test_the_prominent_one_is_large_and_sure():
    one = person()
    box = one[:, :2].min(0), one[:, :2].max(0)
    area = np.prod(box[1] - box[0])
    small = people2d._prominence(one)
    assert people2d._prominence(person(conf=1.7)) == people2d._prominence(person(conf=1.0))
    assert people2d._prominence(person(scale=2)) == pytest.approx(4 * small)
    half = person(conf=0.45)
    assert people2d._prominence(half) == pytest.approx(small / 4) and small < area * 1.5**2


def test_chosen_people_are_numbered_by_prominence():
    people = [[person(0.5), person(1.0, 30)], [person(1.0, 31), person(0.5)]]
    for ids in (None, [[7, 3], [3, 7]]):
        for number, scale in ((0, 1.0), (1, 0.5)):
            got = people2d.pick_person(people, size=(400, 300), person=number, source="x", ids=ids)
            assert np.ptp(got.points[:, :, 1], axis=1) == pytest.approx(scale * 180)
        for number in (-1, 2):
            with pytest.raises(
                HvrError, match=f"person {number} was asked for, the x keypoints show 2 people"
            ):
                people2d.pick_person(people, size=(400, 300), person=number, source="x", ids=ids)
    wide = person(conf=1.4)
    wide[3] = 500, -20, 1.4
    got = people2d.pick_person([[wide]], size=(400, 300), person=0, source="x")
    assert (
        got.points[..., 2].max() == 1
        and got.boxes[0].min() >= 0
        and got.boxes[0, 2] == 400
        and got.found.all()
    )


@pytest.mark.parametrize(
    "given, refused",
    [((400.0,), True), ((0.5, 300), True), ((np.nan, 300), True), ((1, 1), False), ((400, 300), False)],
)
def test_sizes_that_the_user_gives(given, refused):
    found = seen.SeenPeople(["0"], [[person()]], "x")
    how = {"names": None, "size": (400, 300), "film": {}, "given": given, "person": 0}
    if refused:
        with pytest.raises(HvrError, match="the pictures' size is .*; give their width and height"):
            people2d.keypoints_of(found, Path("a.json"), **how)
    elif given == (1, 1):
        with pytest.raises(HvrError, match="a.json: the joints were found in pictures of 1x1"):
            people2d.keypoints_of(found, Path("a.json"), **how)
    else:
        assert people2d.keypoints_of(found, Path("a.json"), **how).found.all()


def test_notes_point_to_the_line_that_read_the_joints(tmp_path):
    """The warnings of a reader name the file of its caller, none of the package."""
    from hvr_nb.formats.joints2d.keypoints import read_keypoints

    path = tmp_path / "a.npz"
    np.savez(path, kpts=np.stack([person()[:17] * [0.5, 0.5, 1]] * 3))
    film = {"size": [400, 300], "frames": 3}
    with pytest.warns(UserWarning, match="keypoints_size") as said:
        read_keypoints(path, size=(200, 150), film=film, names=["0", "1", "2"])
    assert {warning.filename for warning in said} == {__file__}


def test_joints_outside_a_picture_and_its_shape():
    """Five hundredths beyond the border count as inside; a tenth of the joints may lie outside."""
    points = np.array(
        [[-5.0, 50], [-5.1, 50], [105, 50], [105.1, 50], [50, -5], [50, -5.1], [50, 105], [50, 105.1]]
    )
    assert picture_size._outside(points[::2], (100, 100)) == 0
    assert picture_size._outside(points[1::2], (100, 100)) == 1
    size, film = (100, 100), (200, 200)
    inside = np.full((20, 2), 50.0)
    for strays, taken in ((2, size), (3, film)):
        inside[:strays] = 150
        found, note = picture_size._found_in(inside, size, film, named_alike=True)
        assert found == taken and bool(note) == (taken == size)
    assert picture_size._found_in(inside, size, size, named_alike=False) == (size, "")
    inside[:3] = 500  # outside both: the film does not explain it
    assert picture_size._found_in(inside, size, film, named_alike=True)[0] == size


@pytest.mark.parametrize(
    "theirs, refused", [((200, 100), False), ((203, 100), False), ((205, 100), True), ((195, 100), True)]
)
def test_pictures_of_another_shape_are_refused(theirs, refused):
    one = person(0.4, 5)
    one[0, 2] = 0.49
    found = seen.SeenPeople(["0"], [[one]], "x", size=theirs)
    how = {"size": (400, 200), "film_size": (400, 200), "given": (), "named_alike": False}
    if refused:
        with pytest.raises(HvrError, match="of another shape"):
            picture_size.pixels_of_clip([[one]], found, **how)
    else:
        (scaled,), note = picture_size.pixels_of_clip([[one]], found, **how)
        np.testing.assert_allclose(scaled[0], one * [400 / theirs[0], 2, 1])
        assert note == ""


def test_shares_of_a_picture_are_no_pixels():
    one = person(1 / 200, 0)
    one[0, 2] = 0.4
    one[0, :2] = 50  # unsure joints say nothing
    found = seen.SeenPeople(["0"], [[one]], "x")
    how = {"size": (400, 200), "film_size": (400, 200), "given": (), "named_alike": False}
    with pytest.raises(HvrError, match="lie between 0 and 1"):
        picture_size.pixels_of_clip([[one]], found, **how)
    one[1, 0] = 1.1
    assert picture_size.pixels_of_clip([[one]], found, **how)[1] == ""
    nobody = one * [1, 1, 0.5]
    assert picture_size.pixels_of_clip([[nobody]], found, **how) == ([[nobody]], "")


@pytest.mark.parametrize(
    "film, jump, refused",
    [
        (400, 2.0, True),
        (400, 0.5, True),
        (400, 1.5, False),
        (218, 1.09, False),
        (222, 1.11, True),
        (400, 2.09, True),
        (400, 2.11, False),
    ],
)
def test_joints_that_jump_between_two_sizes(film, jump, refused):
    people = [[person()], [], [person(jump), person(0.1, 3)]]
    if refused:
        with pytest.raises(
            HvrError, match=f"between frames 0 and 2 of the clip all joints jump by a factor of {jump}"
        ):
            picture_size.check_one_size(people, (200, 150), (film, 150 * film // 200))
    else:
        picture_size.check_one_size(people, (200, 150), (film, 150 * film // 200))
    few = person(jump)
    few[5:, 2] = 0.4
    picture_size.check_one_size([[person()], [few]], (200, 150), (film, film))
    moved = person(jump)
    moved[:, :2] += 60 * waves(25, 2, step=1.9)
    picture_size.check_one_size([[person()], [moved]], (200, 150), (film, film))


def test_boxes_of_detectron_from_seven_tenths(tmp_path):
    boxes, joints = np.zeros((3, 5)), np.zeros((3, 4, 17))
    boxes[:, 4] = 0.7, 0.699, 0.9
    joints[:, 0], joints[:, 1], joints[:, 2], joints[:, 3] = 5, 6, 99, [[0.3], [0.4], [0.5]]
    found = pose_npz._detectron(
        {"boxes": [[[], boxes]], "keypoints": [[[], joints]], "metadata": {"w": 40, "h": 30}}
    )
    assert [p[0].tolist() for p in found.people[0]] == [[5, 6, 0.3], [5, 6, 0.5]]
    assert found.size == (40, 30) and found.every_frame and found.layout == "coco17" and found.ids is None
    for metadata, size in (
        ({"w": 0, "h": 30}, None),
        ({"w": 1, "h": 1}, (1, 1)),
        ({"w": 3}, None),
        (None, None),
        (4, None),
    ):
        assert pose_npz._size_in(metadata) == size


def test_arrays_of_one_person():
    track = np.ones((2, 17, 3)) * 5
    track[0, 0, :2], track[0, 1, :2], track[1, 2, 0], track[1, 3, 2] = 0, (0, 3), np.nan, -1
    first, second = pose_npz._one(Path("a.npz"), track)
    assert first[0][:3, 2].tolist() == [0, 5, 5] and second[0][2:5, 2].tolist() == [0, 0, 5]
    assert (pose_npz._one(Path("a.npz"), track[..., :2])[0][0][1:, 2] == 1).all()
    for wrong in (track[0], track[..., :1], np.ones((2, 17, 4))):
        with pytest.raises(HvrError, match="has joints of shape"):
            pose_npz._one(Path("a.npz"), wrong)


def test_joints_from_lists_of_all_kinds():
    assert seen.joints_from([1, 2, 0.5, 3, 4, 0.0]).tolist() == [[1, 2, 0.5], [0, 0, 0]]
    assert seen.joints_from([[1, 2, 0.5, 9]], [0.7]).tolist() == [[1, 2, 0.7]]
    assert seen.joints_from([1, 2, 3, 4], [0.7, -1]).tolist() == [[1, 2, 0.7], [0, 0, 0]]
    for lost in (np.inf, np.nan, -1e200):
        assert seen.joints_from([[lost, 2, 0.5], [1, 2, 0.1]]).tolist() == [[0, 0, 0], [1, 2, 0.1]]


def test_a_json_of_gigabytes_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("[1, 2]")
    monkeypatch.setattr(seen, "_LARGEST", 6)
    assert seen.read_json_content(path) == [1, 2]
    monkeypatch.setattr(seen, "_LARGEST", 5)
    with pytest.raises(HvrError, match="a.json has more than"):
        seen.read_json_content(path)


def test_another_order_needs_clearly_shorter_bones(monkeypatch):
    lengths = {"openpose18": 1.0, "coco17 and neck": 0.69}
    monkeypatch.setattr(layouts, "body25_of", lambda joints, name: name)
    monkeypatch.setattr(layouts, "_bone_lengths", lambda name: np.array([lengths[name], np.nan]))
    people = [np.zeros((18, 3))] * 3
    assert layouts.layout_of(people) == "coco17 and neck"
    lengths["coco17 and neck"] = 0.7
    assert layouts.layout_of(people) == "openpose18"
    lengths["coco17 and neck"] = np.nan
    assert layouts.layout_of(people) == "openpose18"


def test_means_of_shoulders_and_hips():
    body = person()
    body[[1, 8], 2], body[5, 2], body[9, 2], body[10, 2] = 0, 0.4, 0, -1
    found = layouts.with_means(body)
    assert (
        found[1].tolist() == [*body[[2, 5], :2].mean(0), 0.4]
        and (found[8] == 0).all()
        and (found[10] == 0).all()
    )
    body[1] = 3, 4, 0.1
    assert layouts.with_means(body)[1].tolist() == [3, 4, 0.1]


@pytest.mark.parametrize(
    "theirs, ours, frames_of_film, expected, note",
    [
        ([0, 1, 2], [5, 6, 7], 0, None, "as many as the clip's frames"),
        ([1, 2, 3], [5, 6, 7], 0, None, "as many as the clip's frames"),
        ([2, 3, 4], [9, 10, 11], 0, 0, ""),
        ([0, 2], [5, 6, 7], 0, None, "as many"),  # two of three frames
        ([0], [5, 6], 0, 0, ""),  # one of two is too few to tell
        ([0, 1, 2], [0, 1, 2], 0, 0, ""),
        ([1, 2, 3], [0, 1, 2], 0, 1, "counted from 1"),
        ([1, 2], [0, 1, 2, 3], 0, 0, "nobody in the first frame"),
        ([0, 1, 2], [1, 2, 3], 0, -1, "one behind"),
        ([4, 5, 6, 7], [4, 5, 6], 6, 1, "counted from 1"),  # a film of six frames has no number 6
    ],
)
def test_how_other_programs_count(theirs, ours, frames_of_film, expected, note):
    start, said = frames._counted_from(np.array(theirs), np.array(ours), frames_of_film)
    assert start == expected and note in said and bool(said) == bool(note)
