"""Who is who: people whose ways cross, in any order, hidden for a while; and who is meant."""

from dataclasses import replace

import numpy as np
import pytest

from hvr_nb.keypoints import identity
from hvr_nb.types import HvrError, Keypoints

SHAPE = np.array([(0, -88), (0, -70), (-18, -68), (-24, -40), (-26, -15), (18, -68), (24, -40), (26, -15),
                  (0, -20), (-10, -20), (-11, 20), (-12, 60), (10, -20), (11, 20), (12, 60), (-3, -91),
                  (3, -91), (-7, -89), (7, -89), (16, 68), (18, 67), (11, 66), (-16, 68), (-18, 67),
                  (-11, 66)], float)  # fmt: skip


def walker(frames, x, speed, *, y=150.0, scale=1.0, phase=0.0, fps=30.0) -> np.ndarray:
    """(T, 25, 3) somebody walking across the picture with swinging limbs, pixels of noise 1.5."""
    t = np.arange(frames)
    rng = np.random.default_rng([int(abs(x)), int(abs(10 * speed))])
    swing = 14 * np.sin(2 * np.pi * 1.0 * t / fps + phase)
    points = np.repeat(SHAPE[None], frames, 0)
    for joints, way in (((4, 14), 1.0), ((7, 11), -1.0), ((3, 13), 0.5), ((6, 10), -0.5)):
        points[:, joints, 0] += way * swing[:, None]
    points = points * scale + (x, y)
    points[..., 0] += speed * t[:, None]
    points += rng.normal(0, 1.5, points.shape)
    return np.concatenate([points, np.full((frames, 25, 1), 0.9)], -1)


def accuracy(people, truth) -> float:
    """Share of the sightings that are in the track that most sightings of their person are in."""
    owner = {(t, i): k for k, places in enumerate(people) for t, i in places.items()}
    right = total = 0
    for who in {w for frame in truth for w in frame}:
        seen = [owner[t, frame.index(who)] for t, frame in enumerate(truth) if who in frame]
        right += max(np.bincount(seen))
        total += len(seen)
    assert len(people) == len({w for frame in truth for w in frame})
    return right / total


def sightings(walkers, hidden=(), seed=None):
    """Per-frame lists of joints and of who they are; ``hidden``: (who, start, stop); shuffled by seed."""
    rng, people, truth = np.random.default_rng(seed), [], []
    for t in range(len(walkers[0])):
        here = [w for w in range(len(walkers)) if not any(w == h and a <= t < b for h, a, b in hidden)]
        if seed is not None:
            rng.shuffle(here)
        people.append([walkers[w][t] for w in here])
        truth.append([int(w) for w in here])
    return people, truth


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("hidden", [(), ((1, 26, 36),), ((1, 22, 44),), ((0, 25, 33), (1, 29, 38))])
def test_two_people_who_cross_keep_their_identities(seed, hidden):
    walkers = [walker(60, 60, 6.0), walker(60, 420, -6.0, phase=2.0, scale=0.95)]
    people, truth = sightings(walkers, hidden, seed)
    assert accuracy(identity.link_people(people), truth) == 1.0


def test_three_people_cross_one_behind_the_other():
    walkers = [
        walker(60, 60, 6.0),
        walker(60, 420, -6.0, phase=2.0),
        walker(60, 100, 2.5, scale=0.8, phase=1.0),
    ]
    people, truth = sightings(walkers, ((1, 24, 34), (2, 33, 45)), seed=3)
    assert accuracy(identity.link_people(people), truth) == 1.0


def test_a_low_frame_rate_and_two_who_stand_close():
    slow = [w[::5] for w in (walker(60, 60, 6.0), walker(60, 420, -6.0, y=190.0, phase=2.0))]
    people, truth = sightings(slow, seed=1)
    assert accuracy(identity.link_people(people), truth) == 1.0
    still = [walker(40, 200, 0.0), walker(40, 235, 0.0, phase=1.5)]
    people, truth = sightings(still, ((0, 10, 14), (1, 20, 23)), seed=5)
    assert accuracy(identity.link_people(people), truth) == 1.0


def test_somebody_else_elsewhere_or_of_another_size_is_a_new_person():
    first, far, small = walker(20, 60, 0.0), walker(20, 400, 0.0), walker(20, 65, 0.0, y=150, scale=0.3)
    for other in (far, small):
        people = [[first[t]] if t < 10 else [other[t]] if t > 12 else [] for t in range(20)]
        assert len(identity.link_people(people)) == 2
    nobody = np.zeros((25, 3))
    assert identity.link_people([[nobody], [], [nobody]]) == []


def test_pose_similarity_of_exact_cases():
    a = walker(1, 100, 0)[0]
    b = a.copy()
    b[:, 0] += 10
    assert identity.pose_similarity(a, a, reach=10) == 1.0
    assert identity.pose_similarity(a, b, reach=10) == pytest.approx(np.exp(-0.5))
    b[3:, 2] = 0  # three joints are little evidence
    assert identity.pose_similarity(a, b, reach=10) == pytest.approx(0.5 * np.exp(-0.5))
    b[:, 2] = 0
    assert identity.pose_similarity(a, b, reach=10) == 0.0


def as_keypoints(points: np.ndarray) -> Keypoints:
    found = (points[..., 2] > 0).any(1)
    boxes = np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], 1)
    return Keypoints(points, np.zeros(points.shape[:2], bool), found, boxes)


SIZE = (480, 300)


def test_complete_means_limbs_inside_the_picture_and_sure():
    points = walker(6, 240, 0.0)
    points[1, 13, 2] = points[1, 14, 2] = points[1, 4, 2] = 0.1  # three joints not sure
    points[2, 9, 2] = 0.1  # a hip
    points[3, :, 0] -= 228  # half outside
    points[4, 14, 2] = points[4, 4, 2] = 0.1  # two joints may be missing
    points[5, :, :2] = points[5, :, :2] * 0.03 + (240, 150)  # a few pixels high
    assert identity.is_complete(points, SIZE).tolist() == [True, False, False, False, True, False]
    cut = walker(1, 240, 0.0)
    cut[0, [19, 20], 0], cut[0, 15, 1] = 500, -5  # reaches over two borders with other points
    assert not identity.is_complete(cut, SIZE)[0]


def test_ten_of_the_twelve_limb_joints_make_a_pose_complete():
    limbs = [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    for missing in limbs:
        points = np.repeat(walker(1, 240, 0.0), 2, 0)
        others = [j for j in (4, 7, 11, 14) if j != missing][:2]
        points[:, others, 2] = 0.1
        points[1, missing, 2] = 0.1
        assert identity.is_complete(points, SIZE).tolist() == [True, False], missing
    points = walker(1, 240, 0.0)
    points[:, [4, 10], 2] = 0.1  # every limb joint counts once
    assert identity.is_complete(points, SIZE)[0]
    points = walker(2, 240, 0.0)
    points[:, [0, 1, 8, *range(15, 25)], 2] = 0.1  # the others are not asked for
    points[1, [2, 5], 2] = 0.1  # nor is it complete without any shoulder
    assert identity.is_complete(points, SIZE).tolist() == [True, False]


@pytest.mark.parametrize("trunk, complete", [(6.1, True), (5.9, False)])
def test_a_trunk_must_be_a_fiftieth_of_the_picture(trunk, complete):
    points = walker(1, 240, 0.0)
    points[0, [2, 5], :2], points[0, [9, 12], :2] = (
        [(230, 100), (250, 100)],
        [(235, 100 + trunk), (245, 100 + trunk)],
    )
    points[0, [3, 4, 6, 7, 10, 11, 13, 14], :2] = 240, 220
    assert identity.is_complete(points, SIZE)[0] == complete


def test_the_first_complete_person_of_the_largest_area_is_followed():
    small, large, late = (
        walker(30, 100, 0.0, scale=0.6),
        walker(30, 240, 0.0),
        walker(30, 380, 0.0, scale=1.2),
    )
    late[:20, 9:15, 2] = 0.1  # its legs are seen two thirds of a second later
    people = [as_keypoints(p) for p in (late, small, large)]
    assert identity.first_complete(people, size=SIZE, fps=30) == 2
    assert identity.first_complete(people[:2], size=SIZE, fps=30) == 1
    unsure = [replace(p, points=p.points * (1, 1, 0.2)) for p in people]
    assert identity.first_complete([unsure[0], people[1], unsure[2]], size=SIZE, fps=30) == 1
    assert identity.first_complete([unsure[0], people[0]], size=SIZE, fps=30) == 1  # complete only later
    assert identity.first_complete(unsure, size=SIZE, fps=30) == 0
    gone = np.ones(30, bool)
    gone[1:] = False
    brief = replace(as_keypoints(small), found=gone)
    for first, chosen in ((14, 1), (15, 0)):  # half a second after the first frame is late
        limbs = walker(30, 380, 0.0, scale=1.2)
        limbs[:first, 9:15, 2] = 0.1
        assert identity.first_complete([brief, as_keypoints(limbs)], size=SIZE, fps=30) == chosen
    with pytest.raises(HvrError, match="nobody to choose"):
        identity.first_complete([], size=SIZE, fps=30)


def test_a_person_is_chosen_by_a_pixel():
    people = [as_keypoints(walker(3, x, 0.0, scale=s)) for x, s in ((100, 1.0), (110, 0.5), (300, 1.0))]
    assert identity.person_at(people, 1, (300, 140)) == 2
    assert identity.person_at(people, 1, (108, 140)) == 1  # the smaller one of two
    assert identity.person_at(people, 1, (105, 70)) == 0
    with pytest.raises(HvrError, match="nobody stands at pixel"):
        identity.person_at(people, 0, (200, 20))
