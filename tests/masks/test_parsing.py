"""Parsing without weights on painted figures whose labels are known."""

import cv2
import numpy as np
import pytest

from hvr_nb.masks.body_parts import PARTS, part_map
from hvr_nb.masks.colour_model import colour_features, fit_mixture
from hvr_nb.masks.labels import LABEL_NAMES, to_atr
from hvr_nb.masks.parsing import parse_person
from hvr_nb.masks.skirts import covers_gap, same_cloth
from hvr_nb.subject import make_subject, render_subject, rotating_motion, subject_camera
from hvr_nb.types import Keypoints, Masks

HAIR, UPPER, DRESS, PANTS, NECK, SKIRT, FACE, L_ARM, R_ARM, L_LEG, R_LEG, L_SHOE, R_SHOE = (
    2, 5, 6, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19)  # fmt: skip
JOINTS = {0: (130, 52), 1: (130, 82), 2: (108, 84), 3: (84, 122), 4: (62, 156), 5: (152, 84), 6: (176, 122),
          7: (198, 156), 8: (130, 164), 9: (117, 164), 10: (106, 222), 11: (98, 280), 12: (143, 164),
          13: (154, 222), 14: (162, 280), 15: (124, 46), 16: (136, 46), 17: (117, 50), 18: (143, 50),
          19: (176, 292), 21: (160, 290), 22: (84, 292), 24: (100, 290)}  # fmt: skip
SHAPE = (310, 260)
SKIN, SHIRT, CLOTH, LEATHER, HAIRS = (205, 150, 125), (40, 80, 190), (60, 110, 50), (30, 28, 30), (90, 50, 20)


def points(facing: bool, shift: int) -> np.ndarray:
    p = np.zeros((25, 3))
    for joint, (x, y) in JOINTS.items():
        p[joint] = x, y, 1.0
    if not facing:  # the person turned round: left and right change places in the picture
        p[:, 0] = np.where(p[:, 2] > 0, 260 - p[:, 0], 0)
    p[p[:, 2] > 0, 0] += shift
    return p


def paint(facing: bool, shift: int, legs: str) -> tuple[np.ndarray, np.ndarray]:
    """A figure in T-shirt and ``legs`` ("trousers", "shorts", "skirt" or "dress"): picture, CIHP labels."""
    p, labels = points(facing, shift)[:, :2], np.zeros(SHAPE, np.uint8)
    one, legs = legs == "dress", "skirt" if legs == "dress" else legs

    def line(a, b, width, label, start=0.0, stop=1.0):
        ends = [np.rint(p[a] * (1 - u) + p[b] * u).astype(int).tolist() for u in (start, stop)]
        cv2.line(labels, *ends, label, width)

    sides = ((12, 13, 14, 21, 19, L_LEG, L_SHOE), (9, 10, 11, 24, 22, R_LEG, R_SHOE))
    for hip, knee, ankle, heel, toe, leg, shoe in sides:
        covered = PANTS if legs == "trousers" else leg
        line(knee, ankle, 18, covered)
        line(hip, knee, 26, covered)
        if legs != "trousers":
            line(hip, knee, 28, PANTS, 0.0, 0.6)
        line(heel, toe, 12, shoe)
    if legs == "skirt":
        cx = 130 + shift
        cv2.fillConvexPoly(
            labels, np.int32([[cx - 22, 160], [cx + 22, 160], [cx + 55, 232], [cx - 55, 232]]), SKIRT
        )
    cx, cy = np.rint(p[[17, 18]].mean(0)).astype(int).tolist()
    cv2.line(labels, (cx, cy), (cx, 82), NECK, 16)
    for shoulder, elbow, wrist, arm in ((5, 6, 7, L_ARM), (2, 3, 4, R_ARM)):
        line(elbow, wrist, 13, arm, 0.0, 1.35)
        line(shoulder, elbow, 15, arm)
        line(shoulder, elbow, 19, UPPER, 0.0, 0.55)
    cv2.fillConvexPoly(
        labels,
        np.rint(
            p[[2, 5, 12, 9]] + [[-2, -8], [2, -8], [12, 8], [-12, 8]]
            if facing
            else p[[5, 2, 9, 12]] + [[-2, -8], [2, -8], [12, 8], [-12, 8]]
        ).astype(np.int32),
        UPPER,
    )
    if legs == "skirt":
        labels[labels == PANTS] = SKIRT
    cv2.circle(labels, (cx, cy), 19, FACE if facing else HAIR, -1)
    top = np.zeros_like(labels)
    cv2.circle(top, (cx, cy - 3), 20, 1, -1)
    top[cy - 8 :] = 0
    labels[top > 0] = HAIR
    colours = np.zeros((20, 3), np.float32)
    labels[np.isin(labels, (UPPER, SKIRT)) & one] = DRESS
    for group, colour in (
        ((FACE, NECK, L_ARM, R_ARM, L_LEG, R_LEG), SKIN),
        ((UPPER,), SHIRT),
        ((PANTS, SKIRT, DRESS), CLOTH),
        ((L_SHOE, R_SHOE), LEATHER),
        ((HAIR,), HAIRS),
    ):
        colours[list(group)] = colour
    picture = colours[labels] + np.random.default_rng(shift).normal(0, 6, (*SHAPE, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), labels


def figure(legs: str):
    """Four frames, the last from behind: frames, labels, keypoints."""
    looks = [(True, 0), (True, 4), (True, 8), (False, 2)]
    frames, labels = map(np.stack, zip(*(paint(f, s, legs) for f, s in looks), strict=True))
    p = np.stack([points(f, s) for f, s in looks])
    known = p[..., 2] > 0
    boxes = np.stack([np.r_[q[k, :2].min(0), q[k, :2].max(0)] for q, k in zip(p, known, strict=True)])
    return frames, labels, Keypoints(p, np.zeros(known.shape, bool), np.ones(4, bool), boxes)


@pytest.mark.parametrize("legs", ["trousers", "shorts", "skirt", "dress"])
def test_labels_of_painted_figures(legs):
    frames, truth, keypoints = figure(legs)
    out = parse_person(frames, Masks(np.where(truth > 0, 255, 0).astype(np.uint8)), keypoints)
    inside = truth > 0
    assert (out.labels[~inside] == 0).all() and (out.labels[inside] > 0).all()
    skin = np.isin(truth, (FACE, NECK))
    agree = (out.labels == truth) | (
        skin & np.isin(out.labels, (FACE, NECK))
    )  # the chin is a matter of taste
    assert agree[inside].mean() > 0.95
    for label in np.unique(truth[inside]):
        if label not in (FACE, NECK):
            a, b = out.labels == label, truth == label
            assert (a & b).sum() / (a | b).sum() > 0.7, label
    assert out.label_set == "CIHP" and "not SCHP" in out.parsing_source


@pytest.mark.parametrize(
    "outfit, seed",
    [("trousers", 43), ("shorts", 46), ("skirt", 43), pytest.param("skirt", 45, marks=pytest.mark.slow)],
)
def test_garments_of_synthetic_people(outfit, seed):
    """A striped shirt over a dotted skirt of the same two colours (seed 43) is no dress."""
    camera = subject_camera(160, seed=seed)
    body = rotating_motion(8, seed=seed, camera=camera)
    take = render_subject(make_subject(outfit, seed=seed), body, camera, seed=seed, geometry=False)
    joints = np.concatenate([take.points25, np.ones((8, 25, 1))], -1)
    keypoints = Keypoints(joints, np.zeros((8, 25), bool), np.ones(8, bool), np.zeros((8, 4)))
    labels = parse_person(take.frames, Masks(take.alpha), keypoints).labels
    names = {LABEL_NAMES["CIHP"][i] for i in np.unique(labels)}
    lower = {"skirt"} if outfit == "skirt" else {"pants"}
    assert names & {"upper clothes", "dress", "pants", "skirt"} == {"upper clothes"} | lower
    seen = np.maximum(to_atr(labels), take.labels) > 0
    assert (to_atr(labels) == take.labels)[seen].mean() > 0.9


def legs_and_cloth(gap: int, hem: float, split: float):
    """Two legs ``gap`` pixels apart under cloth that parts at ``split`` (0 hip, 2 ankle): 8 frames."""
    p, labels = np.zeros((8, 25, 3)), np.zeros((8, 240, 200), np.uint8)
    for side, joints in ((-1, (9, 10, 11)), (1, (12, 13, 14))):
        for u, joint in enumerate(joints):
            p[:, joint] = 100 + side * gap / 2, 40 + 80 * u, 1.0
    bottom, part = (round(40 + 80 * u) for u in (hem, split))
    for x in (100 - gap // 2, 100 + gap // 2):
        labels[:, 40:bottom, x - 7 : x + 8] = PANTS
        labels[:, bottom:200, x - 5 : x + 6] = L_LEG
    labels[:, 40 : min(part, bottom), 100 - gap // 2 : 100 + gap // 2] = PANTS
    return labels, Keypoints(p, np.zeros((8, 25), bool), np.ones(8, bool), np.zeros((8, 4)))


@pytest.mark.parametrize(
    "gap, hem, split, skirt",
    [
        (24, 0.9, 2.0, True),  # legs .12 of the size apart: less than where skirts were asked for before
        (24, 1.9, 2.0, True),  # to the ankles
        (24, 1.9, 1.0, False),  # trousers whose thighs touch down to the knees
        (24, 0.9, 0.4, False),  # shorts
        (6, 1.9, 2.0, False),  # legs never seen apart: nobody knows
    ],
)
def test_cloth_that_covers_the_gap_down_to_its_hem_is_a_skirt(gap, hem, split, skirt):
    labels, keypoints = legs_and_cloth(gap, hem, split)
    assert covers_gap(labels, keypoints, np.full(8, 200.0), cloth=PANTS) is skirt


def test_one_cloth_has_one_distribution_of_colours():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.uint8([UPPER, SKIRT]), 30)[None, :, None].repeat(40, 2).repeat(2, 0)
    print_ = rng.choice([20, 120, 230], (2, 60, 40, 3)).astype(np.uint8)
    assert same_cloth(print_, labels, UPPER, SKIRT)
    shaded = np.where(labels[..., None] == SKIRT, print_ // 2, print_)
    assert not same_cloth(shaded.astype(np.uint8), labels, UPPER, SKIRT)
    assert not same_cloth(print_, labels, UPPER, PANTS)  # a label that is not there


def test_same_seed_same_labels_and_frames_without_person_stay_empty():
    frames, truth, keypoints = figure("shorts")
    alpha = np.where(truth > 0, 255, 0).astype(np.uint8)
    keypoints.found[1] = False
    alpha[2] = 0
    first, second = (parse_person(frames, Masks(alpha), keypoints, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not first.labels[1:3].any() and first.labels[0].any() and first.labels[3].any()
    nobody = parse_person(frames, Masks(alpha * 0), keypoints)
    assert not nobody.labels.any()


def test_parts_lie_on_their_bones_and_the_nearer_arm_wins():
    _, _, keypoints = figure("trousers")
    p = keypoints.points[0]
    at = np.stack([(p[5, :2] + p[6, :2]) / 2, (p[10, :2] + p[11, :2]) / 2, p[8, :2] + [0, -40], p[0, :2]])
    parts = part_map(keypoints, 0, at, size=250.0)
    assert [PARTS[i] for i in parts.share.argmax(1)] == ["left upper arm", "right shin", "torso", "head"]
    np.testing.assert_allclose(parts.share.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(parts.along[[0, 1], [4, 14]], 0.5, atol=1e-5)
    assert parts.face[3] > 0.6

    p = p.copy()
    p[7, :2] = 130, 130  # the left forearm crosses the trunk
    world = np.zeros((1, 33, 3))
    shares = []
    for z in (-0.25, 0.25):
        world[0, [13, 15], 2] = z
        crossed = Keypoints(
            p[None], keypoints.filled[:1], keypoints.found[:1], keypoints.boxes[:1], world=world
        )
        share = part_map(crossed, 0, np.array([[140.0, 128.0]]), size=250.0).share
        shares.append(share[0, PARTS.index("left forearm")])
    assert shares[0] > 0.6 > 0.3 > shares[1]


def test_back_of_the_head_is_no_face():
    _, _, keypoints = figure("trousers")
    middle = keypoints.points[:, [17, 18], :2].mean(1)
    assert part_map(keypoints, 0, middle[:1], size=250.0).face[0] > 0.7
    assert part_map(keypoints, 3, middle[3:], size=250.0).face[0] < 0.3


def test_mixture_finds_two_colours():
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal((10, 120, 140), 3, (400, 3)), rng.normal((90, 140, 120), 5, (600, 3))])
    mixture = fit_mixture(data, np.ones(1000), 2, rng=np.random.default_rng(1), rounds=20)
    order = mixture.mean[:, 0].argsort()
    np.testing.assert_allclose(mixture.share[order], [0.4, 0.6], atol=0.01)
    np.testing.assert_allclose(mixture.mean[order], [[10, 120, 140], [90, 140, 120]], atol=1.0)
    covariance = np.linalg.inv(mixture.inverse[order[1]].T @ mixture.inverse[order[1]])
    np.testing.assert_allclose(covariance, (25 + 2.25) * np.eye(3), atol=4)
    centre = mixture.density(np.array([[10.0, 120.0, 140.0]]))[0]
    expected = 0.4 / ((2 * np.pi) ** 1.5 * (9 + 2.25) ** 1.5)
    assert centre == pytest.approx(expected, rel=0.15)
    assert fit_mixture(data[:5], np.ones(5), 2, rng=rng, start=mixture) is mixture


def test_colour_features_weigh_brightness_half():
    grey = colour_features(np.full((1, 1, 3), 255, np.uint8))[0, 0]
    np.testing.assert_allclose(grey, [0.55 * 255, 128, 128], atol=1)
