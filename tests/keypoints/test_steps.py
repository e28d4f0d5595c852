"""The steps between picture and joints without the networks: exact cases and golden numbers."""

from dataclasses import replace

import numpy as np
import pytest
from golden import Golden

from hvr_nb.keypoints import blazepose, evidence, follow, merge_passes, tracking
from hvr_nb.keypoints.blazepose import Detection, Person, box_iou, crop, find_pose, make_roi, mask_to_image
from hvr_nb.keypoints.tracking import Track

GOLDEN = Golden(__file__)
ROI = np.array([60.0, 50.0, 64.0, 0.3])


def picture(height=96, width=120):
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, 128 + 90 * np.sin(x / 9) * np.cos(y / 7)], -1).astype(np.uint8)


def detection(x=100.0, y=100.0, *, side=80.0, spread=30.0, score=0.9, seen=0.9, seed=0) -> Detection:
    """A pose whose landmarks are strewn around (x, y)."""
    marks = np.zeros((33, 5))
    marks[:, :2] = (x, y) + np.random.default_rng(seed).uniform(-spread, spread, (33, 2))
    marks[:, 3] = seen
    roi = np.array([x, y, side, 0.0])
    box = np.concatenate([marks[:, :2].min(0), marks[:, :2].max(0)])
    return Detection(marks, np.zeros((33, 3)), score, box, np.ones((256, 256), np.float32), roi, roi)


def track_of(places, *, first=0, side=80.0, colour=(50.0,) * 6) -> Track:
    """A track through places (x, y), one a frame."""
    poses = {first + k: detection(*place, side=side) for k, place in enumerate(places)}
    return Track(poses, {t: np.array(colour, float) for t in poses})


# -- regions ---------------------------------------------------------------------------------------


def test_a_region_stands_upright_on_the_hips():
    assert make_roi(np.array([10.0, 20]), np.array([10.0, 0])) == pytest.approx([10, 20, 50, 0])
    assert make_roi(np.array([10.0, 20]), np.array([30.0, 20]))[3] == pytest.approx(np.pi / 2)  # to the right
    assert make_roi(np.array([0.0, 0]), np.array([-1.0, 0]))[3] == pytest.approx(-np.pi / 2)
    assert abs(make_roi(np.array([0.0, 0]), np.array([0.0, 7]))[3]) == pytest.approx(np.pi)
    both = make_roi(np.zeros((2, 2)), np.array([[0.0, -1], [1, -1]]))
    assert both[:, 2] == pytest.approx([2.5, 2.5 * 2**0.5]) and both[1, 3] == pytest.approx(np.pi / 4)


def test_crops_and_masks_lie_where_the_region_is():
    to_image = blazepose.roi_to_image(ROI, 64)
    assert to_image @ [32, 32, 1] == pytest.approx([60, 50])
    assert to_image @ [32, 0, 1] == pytest.approx([60 + 32 * np.sin(0.3), 50 - 32 * np.cos(0.3)])
    image = picture()
    upright = np.array([64.0, 48, 32, 0])  # pixel for pixel
    np.testing.assert_array_equal(crop(image, upright, 32), image[32:64, 48:80])
    GOLDEN.check("crop", crop(image, ROI, 32), abs=0.01)
    GOLDEN.check("crop of a large region", crop(image, np.array([60.0, 50, 400, 0]), 32), abs=0.01)
    GOLDEN.check("crop at one and a half", crop(image, np.array([60.0, 50, 47.9, 0]), 32), abs=0.01)
    mask = np.zeros((256, 256), np.float32)
    mask[64:192, 96:160] = 1
    full = mask_to_image(mask, upright, 96, 120)
    assert full[40:56, 60:68].min() > 0.99 and full[:39].max() < 0.01 and full[:, 69:].max() < 0.01
    GOLDEN.check("mask in the image", mask_to_image(mask, ROI, 96, 120), abs=1e-4)


def test_squares_to_search_overlap_and_cover_the_image():
    assert [s.tolist() for s in blazepose._squares(90, 120, 0)] == [[60, 45, 120, 0]]
    one = blazepose._squares(60, 120, 1)
    assert [s.tolist() for s in one] == [[60, 30, 120, 0], [30, 30, 60, 0], [60, 30, 60, 0], [90, 30, 60, 0]]
    assert [len(blazepose._squares(90, 160, d)) for d in range(4)] == [1, 4, 22, 72]
    assert len(blazepose._squares(60, 60, 1)) == 1  # the whole image is that square
    GOLDEN.check("squares", blazepose._squares(90, 160, 3))


def test_overlapping_boxes_are_told():
    box = np.array([0.0, 0, 4, 4])
    others = np.array([[0.0, 0, 4, 4], [2, 2, 6, 6], [4, 0, 8, 4], [9, 9, 9, 9], [1, 1, 2, 3]])
    assert box_iou(box, others) == pytest.approx([1, 4 / 28, 0, 0, 2 / 16])
    assert box_iou(np.zeros(4), np.zeros((1, 4)))[0] == 0


def fake_detector(monkeypatch, answers):
    """Answers: anchor -> (dx, dy, width, height, hip x, hip y, edge x, edge y, logit), in 224 pixels."""
    values, logits = np.zeros((2254, 12)), np.full((2254, 1), -9.0)
    for anchor, (*box, hx, hy, ex, ey, logit) in answers.items():
        values[anchor, :4], values[anchor, 4:8], logits[anchor] = box, (hx, hy, ex, ey), logit
    monkeypatch.setattr(blazepose, "_network", lambda name: lambda view: [values.copy(), logits])


def test_anchors_are_the_centres_of_the_cells():
    anchors = blazepose._anchors()
    assert anchors.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2)
    assert anchors[0] == pytest.approx([4 / 224, 4 / 224]) and anchors[2] == pytest.approx(
        [12 / 224, 4 / 224]
    )
    assert anchors[28 * 2] == pytest.approx([4 / 224, 12 / 224])
    assert anchors[28 * 28 * 2] == pytest.approx([8 / 224, 8 / 224])
    assert anchors[-1] == pytest.approx([208 / 224, 208 / 224])
    assert (anchors[-6:] == anchors[-1]).all() and (anchors[-7] != anchors[-1]).any()


def test_the_detectors_answers_are_carried_into_the_image_and_merged(monkeypatch):
    base = 28 * 28 * 2 + 14 * 14 * 2  # anchor at (16, 16) of 224
    near = {base: (0, 0, 40, 40, 8, 24, 8, -16, 3.0), base + 1: (2, 2, 40, 40, 10, 26, 10, -14, 1.0)}
    fake_detector(
        monkeypatch, near | {base + 6 * 20: (0, 0, 30, 50, 0, 0, 0, -20, 0.5), base + 3: (0,) * 8 + (-1e-3,)}
    )
    people = blazepose.detect(np.zeros((112, 224, 3), np.uint8))
    assert [p.score for p in people] == pytest.approx([1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-0.5))])
    a, b = (1 / (1 + np.exp(-x)) for x in (3, 1))
    shift = 2 * b / (a + b)  # the weighted mean of two answers; the square begins 56 pixels above
    assert people[0].box == pytest.approx(np.array([-4, -60, 36, -20]) + shift)
    assert people[0].roi == pytest.approx([24 + shift, 40 - 56 + shift, 100, 0])
    far = blazepose._anchors()[base + 6 * 20] * 224 - (0, 56)
    assert people[1].box == pytest.approx([far[0] - 15, far[1] - 25, far[0] + 15, far[1] + 25])
    assert people[1].roi == pytest.approx([*far, 50, 0])
    half = blazepose.detect(np.zeros((56, 112, 3), np.uint8), threshold=0.4)
    assert len(half) == 3 and half[0].box == pytest.approx(people[0].box / 2)


def fake_landmarks(monkeypatch, calls=None):
    """A landmark network that tells 39 points, a heatmap, a silhouette and 3D points by formulas."""
    k = np.arange(39.0)
    values = np.stack([60 + 3 * k, 200 - 4 * k, 5 * np.cos(k), np.sin(k), np.cos(2 * k)], 1)
    heat = np.full((64, 64, 39), -9.0, np.float32)
    for j in range(0, 39, 2):
        heat[int(values[j, 1] / 4) + 1, int(values[j, 0] / 4) - 1, j] = 4.0
        heat[int(values[j, 1] / 4), int(values[j, 0] / 4), j] = 2.0
    mask = np.full((256, 256, 1), -5.0, np.float32)
    mask[80:200, 100:140] = 5
    world = np.stack([0.02 * k, -0.03 * k, 0.01 * k], 1)

    def run(view):
        if calls is not None:
            calls.append(view)
        return [values.ravel().copy(), np.array([0.8]), mask, heat, world.ravel().copy()]

    monkeypatch.setattr(blazepose, "_network", lambda name: run)


def test_landmarks_are_carried_from_the_crop_into_the_image(monkeypatch):
    calls = []
    fake_landmarks(monkeypatch, calls)
    pose = find_pose(picture(), ROI)
    assert calls[0].max() <= 1 and pose.score == 0.8 and pose.roi == pytest.approx(ROI)
    for name in ("landmarks", "world", "box", "next_roi", "mask"):
        GOLDEN.check(name, getattr(pose, name), abs=1e-5)
    to_image = blazepose.roi_to_image(ROI)
    assert pose.landmarks[1, :2] == pytest.approx(to_image @ [63, 196, 1])  # no heat: as it is
    assert pose.landmarks[:, 2] == pytest.approx(5 * np.cos(np.arange(33)) * 64 / 256)
    assert pose.landmarks[3, 3] == pytest.approx(1 / (1 + np.exp(-np.sin(3))))
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    assert pose.world[2, :2] == pytest.approx(turn @ [0.04, -0.06]) and pose.world[2, 2] == pytest.approx(
        0.02
    )


def test_the_mirrored_pass_mirrors_back(monkeypatch):
    calls = []
    fake_landmarks(monkeypatch, calls)
    upright = np.array([60.0, 50, 64, 0])
    plain, other = find_pose(picture(), upright), find_pose(picture(), upright, mirrored=True)
    np.testing.assert_array_equal(calls[1], calls[0][:, ::-1])
    mirror = list(blazepose.MIRROR)
    assert other.landmarks[:, 0] == pytest.approx(120 - plain.landmarks[mirror, 0])
    np.testing.assert_allclose(other.landmarks[:, 1:], plain.landmarks[mirror, 1:])
    np.testing.assert_allclose(other.world, plain.world[mirror] * (-1, 1, 1))
    np.testing.assert_array_equal(other.mask, plain.mask[:, ::-1])


def test_heatmaps_move_points_where_they_are_high():
    heat = np.full((64, 64, 4), -20.0)
    heat[10, 12, 0], heat[9, 12, 0], heat[13, 13, 0], heat[14, 12, 0] = 8, 8, 8, 8  # the last is too far off
    heat[30, 30, 1] = -0.1  # too low
    heat[0, 0, 2], heat[3, 3, 2] = 8, 8  # a window that is cut by the border
    points = np.array([[50.0, 42], [121, 121], [1, 2], [-1, 3]])
    moved = blazepose._refine(points, heat)
    assert moved[0] == pytest.approx([4 * (12 + 12 + 13) / 3, 4 * (10 + 9 + 13) / 3], abs=1e-3)
    assert moved[2] == pytest.approx([6, 6], abs=1e-3)
    np.testing.assert_array_equal(moved[[1, 3]], points[[1, 3]])


def test_silhouettes_have_a_box():
    mask = np.zeros((256, 256))
    assert np.isnan(blazepose._mask_box(mask, blazepose.roi_to_image(ROI))).all()
    mask[64:128, 32:96] = 0.51
    box = blazepose._mask_box(mask, blazepose.roi_to_image(np.array([128.0, 128, 256, 0])))
    assert box == pytest.approx([32.5, 64.5, 95.5, 127.5])


@pytest.mark.parametrize(
    ("moved", "grown", "score", "runs"),
    [
        (0.04, 1.0, 0.9, 1),
        (0.06, 1.0, 0.9, 2),
        (0.0, 1.21, 0.9, 1),
        (0, 1.23, 0.9, 2),
        (0, 0.8, 0.9, 2),
        (0.5, 1, 0.4, 1),
    ],
)
def test_a_pose_is_looked_for_again_where_the_person_has_moved(monkeypatch, moved, grown, score, runs):
    calls = []

    def find(image, roi, *, mirrored, network):
        calls.append(roi)
        there = np.array([100 + 80 * moved, 100, 80 * grown, 0])
        return replace(detection(score=score), next_roi=there)

    monkeypatch.setattr(blazepose, "find_pose", find)
    blazepose.follow_pose(None, np.array([100.0, 100, 80, 0]))
    assert len(calls) == runs


# -- evidence --------------------------------------------------------------------------------------


def test_evidence_is_the_product_of_three_measures(monkeypatch):
    pose, frames = detection(), np.zeros((9, 200, 200, 3), np.uint8)
    off = replace(pose, landmarks=pose.landmarks + np.array([0.02 * 80 / 1.45, 0, 0, 0, 0]))
    person = Person(np.zeros(4), np.array([52.0, 52, 80, 0]), 0.6)
    monkeypatch.setattr(evidence, "detect", lambda cut, threshold: [person])
    monkeypatch.setattr(evidence, "find_pose", lambda image, roi, mirrored: off if mirrored else None)
    assert evidence.person_evidence(frames, {3: pose}) == pytest.approx([0.9 * 0.6 / 2], rel=1e-4)
    assert len(evidence.person_evidence(frames, {t: pose for t in range(9)})) == 8


def test_the_detector_must_find_the_person_at_the_same_place_and_size(monkeypatch):
    cuts = []

    def people(*found):
        def detect(cut, threshold):
            cuts.append(cut.shape)
            assert threshold == 0.25
            return [Person(np.zeros(4), np.array([x, y, side, 0.0]), s) for x, y, side, s in found]

        monkeypatch.setattr(evidence, "detect", detect)

    image, roi = np.zeros((200, 160, 3), np.uint8), np.array([100.0, 90, 100, 0])  # cut from 40, 30
    for found, score in (
        ([], 0.0),
        ([(60, 60, 100, 0.5)], 0.5),
        ([(60, 60, 100, 0.5), (61, 60, 90, 0.7)], 0.7),
        ([(89, 60, 100, 0.5)], 0.5),
        ([(91, 60, 100, 0.5)], 0.0),
        ([(60, 29, 100, 0.5)], 0.0),
        ([(60, 60, 49, 0.5)], 0.0),
        ([(60, 60, 201, 0.5)], 0.0),
        ([(60, 60, 199, 0.5)], 0.5),
    ):
        people(*found)
        assert evidence._detected(image, roi) == score, found
    assert set(cuts) == {(120, 120, 3)}
    assert evidence._detected(image, np.array([-80.0, 90, 100, 0])) == 0  # wholly outside


# -- tracks ----------------------------------------------------------------------------------------


def test_what_belongs_to_one_person():
    roi = np.array([100.0, 100, 80, 0])
    for other, same in (
        ((115, 100, 80, 0), True),
        ((117, 100, 80, 0), False),
        ((100, 117, 80, 0), False),
        ((100, 100, 49, 0), True),
        ((100, 100, 47, 0), False),
        ((100, 100, 130, 0), True),
        ((100, 100, 135, 0), False),
    ):
        assert tracking.near(roi, np.array(other, float)) is same
        assert tracking.near(np.array(other, float), roi) is same
    assert not tracking.near(roi, np.array([107.0, 100, 80, 0]), part=0.08)
    points = np.array([[0.0, 0], [99, 49], [100, 49], [99, 50], [-1, 0], [0, -1]])
    assert tracking.inside(points, (50, 100, 3)).tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("score, outside, there", [(0.51, 7, True), (0.5, 0, False), (0.9, 8, False)])
def test_a_pose_counts_where_it_is_sure_and_inside(score, outside, there):
    pose = detection(score=score, spread=20)
    pose.landmarks[tracking.CORE[:outside], 0] = -5
    assert bool(tracking._present(pose, (200, 200, 3))) is there


@pytest.mark.parametrize("size, kept", [(41, True), (39, False), (159, True), (161, False)])
def test_a_track_ends_where_the_person_changes_size_at_once(monkeypatch, size, kept):
    track = track_of([(100, 100)])
    monkeypatch.setattr(tracking, "follow_pose", lambda image, roi: detection(side=size))
    assert tracking.step(track, np.zeros((200, 200, 3), np.uint8), 1, 0) is kept
    assert track.frames == ([0, 1] if kept else [0])
    if kept:
        assert track.poses[1].mask is None and track.colours[1].shape == (6,)


def test_a_new_pose_may_be_somebody_who_is_tracked_already():
    person = detection(100, 100, side=80, spread=30)
    assert tracking._same(detection(110, 100, seed=1), person)
    assert not tracking._same(detection(190, 100, seed=1), person)
    leg = detection(120, 110, side=40, spread=10, seed=2)  # a part of the person, taken for somebody
    assert tracking._same(leg, person)
    assert not tracking._same(detection(120, 110, side=66, spread=10, seed=2), person)
    assert not tracking._same(detection(140, 110, side=40, spread=10, seed=2), person)


def test_small_people_are_searched_only_where_nobody_is(monkeypatch):
    depths = []
    monkeypatch.setattr(tracking, "detect", lambda image, depth: depths.append(depth) or [])
    image = np.zeros((99, 99, 3), np.uint8)
    for tracks, search, asked in (([], True, [1, 3]), ([], False, [0]), ([track_of([(9, 9)])], True, [1])):
        depths.clear()
        assert tracking._new(image, tracks, 0, search=search) == [] and depths == asked


def test_the_expected_place_goes_on_at_the_latest_speed():
    track = track_of([(0, 0), (50, 0), (100, 0), (103, 1), (106, 2), (109, 3), (112, 4), (115, 5)])
    assert tracking._expected(track, 9, until=7) == pytest.approx([121, 7])
    assert tracking._expected(track, 2, until=0) == pytest.approx([0, 0])
    assert tracking._expected(track, 3, until=1) == pytest.approx([150, 0])


def test_of_two_tracks_on_one_person_the_wrong_one_is_ended():
    """By clothes that changed, by the path it left, else the younger one."""
    a, b = track_of([(100, 100)] * 12), track_of([(101, 100)] * 12, colour=(90.0,) * 6)
    a.colours[11] = np.full(6, 60.0)
    assert tracking._slipped(a, b, 11) is a
    b.colours[11] = np.full(6, 20.0)
    assert tracking._slipped(a, b, 11) is b
    still = track_of([(200, 100)] * 12)
    came = track_of([(80 + 10 * t, 100) for t in range(12)])  # on its way, past the other
    turned = track_of([(80 + 10 * min(t, 9), 100) for t in range(9)] + [(200, 100)] * 3)
    assert tracking._slipped(still, came, 11) is None  # both as expected
    assert tracking._slipped(turned, still, 11) is turned
    assert tracking._slipped(still, turned, 11) is turned
    young = track_of([(200, 100)] * 3, first=9)
    assert tracking._slipped(still, young, 11) is young  # met before it began
    assert tracking._slipped(young, still, 11) is young


def test_a_slip_is_forgotten():
    a, b = track_of([(100 + 30 * t, 100) for t in range(6)]), track_of([(220, 100)] * 6)
    tracking._forget_slip(a, b, 4)
    assert a.frames == [0, 1, 2, 3, 5] and list(a.colours) == [0, 1, 2, 3, 5] and b.frames == list(range(6))
    both = track_of([(100, 100)] * 3)
    tracking._forget_slip(both, track_of([(101, 100)] * 2, first=1), 2)
    assert both.frames == [0]


def test_doubles_are_ended_only_while_they_are_on_one_place():
    a, b, c = track_of([(100, 100)] * 9), track_of([(103, 100)] * 4, first=5), track_of([(150, 100)] * 9)
    assert tracking._doubles([a, b, c], 8) == [b] and not b.poses and a.frames == list(range(9))
    assert tracking._doubles([a, c], 8) == []


@pytest.mark.parametrize(
    ("gap", "place", "side", "colour", "cost"),
    [
        (5, (150, 100), 80, 50, 0.0),
        (5, (190, 100), 80, 50, 0.5),
        (5, (400, 100), 80, 50, 1.0),
        (5, (150, 100), 80, 50 + 22.5 / 6**0.5, 0.5),
        (5, (150, 100), 80, 50 + 46 / 6**0.5, np.inf),
        (5, (150, 100), 33, 50, 0.0),
        (5, (150, 100), 31, 50, np.inf),
        (5, (150, 100), 199, 50, 0.0),
        (5, (150, 100), 201, 50, np.inf),
        (31, (900, 100), 80, 50, 1.0),
        (0, (100, 100), 80, 50, np.inf),
    ],
)
def test_pieces_of_one_person_cost_little_to_join(gap, place, side, colour, cost):
    before = track_of([(90, 100), (100, 100)])
    after = track_of([place] * 2, first=1 + gap, side=side, colour=(colour,) * 6)
    assert tracking._join_cost(before, after, 30.0) == pytest.approx(cost)


def test_pieces_are_joined_in_the_cheapest_way():
    red, blue = (60.0,) * 6, (20.0,) * 6
    pieces = [
        track_of([(100, 100)] * 3, colour=red),
        track_of([(200, 100)] * 3, colour=blue),
        track_of([(110, 100)] * 3, first=8, colour=blue),
        track_of([(190, 100)] * 3, first=8, colour=red),
        track_of([(190, 100)] * 3, first=14, colour=red),
        track_of([(190, 100)] * 3, first=20, colour=(140.0,) * 6),
    ]
    people = tracking._join(pieces, 30.0)
    assert sorted(person.frames for person in people) == [
        [0, 1, 2, 8, 9, 10],
        [0, 1, 2, 8, 9, 10, 14, 15, 16],
        [20, 21, 22],
    ]
    assert all(len(person.colours) == len(person.poses) for person in people)
    assert pieces[0].frames == [0, 1, 2] and tracking._join([], 30.0) == []


def test_prominence_is_completeness_squared_times_area():
    track = track_of([(100, 100)] * 3, side=50)
    body = np.arange(11, 33)
    track.poses[1].landmarks[body[:11], 3] = 0.5  # half of it is not seen
    track.poses[2].landmarks[body[:11], 0] = -1
    assert tracking.prominence(track, (200, 250)) == pytest.approx((1 + 0.25 + 0.25) * 2500 / 50000)


def test_clothes_are_the_colours_of_trunk_and_thighs():
    pose, image = detection(100, 100, side=128), np.zeros((200, 200, 3), np.uint8)
    places = {11: (80, 60), 12: (120, 60), 24: (115, 110), 23: (85, 110), 25: (85, 150), 26: (115, 150)}
    for mark, place in places.items():
        pose.landmarks[mark, :2] = place
    image[55:110], image[110:155] = (200, 30, 30), (30, 30, 200)
    colour = tracking.clothes_colour(image, pose)
    import cv2

    want = cv2.cvtColor(np.uint8([[[200, 30, 30], [30, 30, 200]]]), cv2.COLOR_RGB2LAB)[0].ravel()
    assert colour == pytest.approx(want.astype(float), abs=6)
    hidden = replace(pose, mask=np.zeros((256, 256), np.float32))
    assert np.isfinite(tracking.clothes_colour(image, hidden)).all()
    GOLDEN.check("clothes", colour, abs=0.05)


def test_a_track_knows_its_middle_values():
    track = track_of([(0, 0)] * 3)
    track.colours[1][:], track.colours[2][:] = 90, 10
    assert track.colour.tolist() == [50] * 6 and track.side == 80.0
    assert follow.person_height(track) == pytest.approx(80 / 1.45)


# -- passes merged ---------------------------------------------------------------------------------


def noisy_passes(frames=24, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.uniform(-0.5, 0.5, (33, 2))
    t = np.arange(frames)[:, None, None]
    way = base + 0.1 * np.sin(0.4 * t + 9 * base)
    return way[:, None] + rng.normal(0, noise, (frames, 4, 33, 2))


def test_merged_passes_keep_their_numbers():
    points = noisy_passes()
    points[6:12, 1] = merge_passes.swapped(points[6:12, 1], merge_passes.GROUPS[2])
    points[15, 2, 12] += 0.3
    visibility = np.random.default_rng(1).random((24, 4, 33))
    world = np.concatenate([points, visibility[..., None]], -1)
    merged = merge_passes.merge_passes(points, visibility, world, fps=12.0)
    for name, values in zip(("points", "visibility", "world", "spread"), merged, strict=True):
        GOLDEN.check(f"merged {name}", values)
    for k, group in enumerate(merge_passes.GROUPS):
        chosen, swap = merge_passes.choose_passes(points, group, fps=12.0)
        GOLDEN.check(f"chosen {k}", chosen + 10.0 * swap)


@pytest.mark.parametrize("agreed, seconds, swap", [(True, 0.9, True), (True, 1.3, False), (False, 1.3, True)])
def test_how_long_a_swap_may_last(agreed, seconds, swap):
    """Jumps at its ends cost their length, the order that few passes have costs per second."""
    rng = np.random.default_rng(0)
    points = np.zeros((40, 4, 33, 2)) + rng.uniform(-0.02, 0.02, (33, 2))
    side = np.sign(np.array(blazepose.MIRROR) - np.arange(33))
    points[..., 0] += 0.08 * side
    points += rng.normal(0, 0.001 if agreed else 0.03, points.shape)
    n = round(10 * seconds)
    points[15 : 15 + n] = merge_passes.swapped(points[15 : 15 + n], merge_passes.GROUPS[2])
    found = merge_passes.choose_passes(points, merge_passes.GROUPS[2], fps=10.0)[1]
    assert found[15 : 15 + n].all() == swap and not found[:15].any() and not found[15 + n :].any()


def test_confidence_falls_with_the_spread():
    seen = np.array([0.5, 1.0, 1.7, -0.1, 0.8])
    found = merge_passes.confidence(seen, np.array([0, 0, 0, 0, 0.03]))
    assert found == pytest.approx([0.5, 1, 1, 0, 0.16])


def test_filters_keep_their_numbers():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(20, 3)).cumsum(0), rng.random((20, 3))
    GOLDEN.check("low pass", merge_passes.low_pass(values, weights, fps=30.0))
    GOLDEN.check("lower pass", merge_passes.low_pass(values, weights, fps=30.0, cutoff=2.0))
    np.testing.assert_array_equal(merge_passes.low_pass(values, weights, fps=12.0), values)
    assert (merge_passes.low_pass(values, weights, fps=12.1) != values).any()
    np.testing.assert_array_equal(merge_passes.low_pass(values[:3], weights[:3], fps=30.0), values[:3])
    D = np.diff(np.eye(6), 2, axis=0)
    bands = merge_passes._second_difference_bands(6)
    for k in range(3):
        np.testing.assert_array_equal(bands[2 - k, k:], np.diag(D.T @ D, k))
    assert merge_passes.runs(np.array([1, 0, 1, 1, 0, 1], bool)) == [(0, 1), (2, 4), (5, 6)]


def test_gaps_and_doubts_become_joints():
    landmarks, world = np.zeros((12, 33, 3)), np.zeros((12, 33, 3))
    landmarks[..., 0], landmarks[..., 2], world[..., 1] = np.arange(12)[:, None], 0.8, np.arange(12)[:, None]
    found = np.ones(12, bool)
    found[3:5], found[7:11] = False, False
    landmarks[1, 4, :] = 99, 99, 0.09  # one landmark is doubted
    landmarks[~found] = -5
    marks, places, seen, filled = follow._fill(landmarks, world * found[:, None, None], found, 2)
    assert seen.tolist() == [True] * 7 + [False] * 4 + [True]
    np.testing.assert_allclose(marks[:7, 4, 0], np.arange(7))
    np.testing.assert_allclose(places[3:5, 0, 1], [3, 4])
    assert marks[1, 4, 2] == 0.2 and filled[1, 4] and not filled[1, 5]
    assert (marks[3:5, :, 2] == 0.2).all() and filled[3:5].all() and (marks[0, :, 2] == 0.8).all()
    flags = np.zeros((2, 33), bool)
    flags[0, 12], flags[1, 23] = True, True
    joints = follow._filled25(flags)
    assert np.flatnonzero(joints[0]).tolist() == [1, 2] and np.flatnonzero(joints[1]).tolist() == [8, 12]


def test_positions_are_smoothed_within_runs_and_confidence_is_kept():
    rng = np.random.default_rng(0)
    landmarks, world = rng.normal(size=(24, 33, 3)), rng.normal(size=(24, 33, 3))
    landmarks[..., 2] = rng.random((24, 33))
    found = np.ones(24, bool)
    found[10:12] = False
    smooth, places = follow._smooth(landmarks, world, found, 30.0)
    np.testing.assert_array_equal(smooth[..., 2], landmarks[..., 2])
    np.testing.assert_array_equal(smooth[10:12], landmarks[10:12])
    for rows in (slice(0, 10), slice(12, 24)):
        want = merge_passes.low_pass(world[rows, 5], landmarks[rows, 5, 2:].repeat(3, 1), fps=30.0)
        np.testing.assert_allclose(places[rows, 5], want)
        want = merge_passes.low_pass(landmarks[rows, 5, :2], landmarks[rows, 5, 2:].repeat(2, 1), fps=30.0)
        np.testing.assert_allclose(smooth[rows, 5, :2], want)


def test_boxes_hold_silhouette_and_sure_landmarks_inside_the_image():
    track = track_of([(50, 50)])
    track.poses[0] = replace(track.poses[0], box=np.array([40.0, 30, 60, 95]))
    landmarks = np.full((3, 33, 3), 50.0)
    landmarks[..., 2] = 0.1
    landmarks[0, 3], landmarks[1, 3], landmarks[1, 4] = (20, 50, 0.2), (-20, 10, 0.2), (70, 130, 0.11)
    boxes = follow._boxes(landmarks, track, np.array([True, True, False]), (100, 80))
    assert boxes[0].tolist() == [20, 30, 60, 95] and boxes[1].tolist() == [0, 10, 70, 100]
    assert np.isnan(boxes[2]).all()
