"""The background of a standing camera, and what it does for silhouettes."""

import cv2
import numpy as np
import pytest

from hvr_nb.masks.background import background_evidence, camera_motion, find_background
from hvr_nb.masks.silhouettes import segment_person
from scripts.bench.masks import hard_scene, overlaps

ALL = np.s_[:, :]


def passing(frames: int = 12, *, pan: float = 0.0, colour=(200, 40, 50)):
    """A disc that crosses a textured room, which a panning camera moves: frames and silhouettes."""
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(60, 200, (20, 55, 3)).astype(np.uint8), (220, 80))
    pictures, masks = np.zeros((frames, 80, 120, 3), np.uint8), np.zeros((frames, 80, 120), np.uint8)
    for t in range(frames):
        moved = np.float32([[1, 0, -20 - pan * t], [0, 1, 0]])
        pictures[t] = cv2.warpAffine(room, moved, (120, 80), flags=cv2.INTER_LINEAR)
        cv2.circle(masks[t], (15 + 8 * t, 40), 14, 255, -1)
        pictures[t][masks[t] > 0] = colour
    noise = rng.normal(0, 1.5, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8), masks


def test_background_behind_a_passing_person():
    frames, masks = passing()
    background = find_background(frames, masks)
    assert background.known.all()
    evidence = background_evidence(frames[5], background, ALL)
    core = cv2.erode(masks[5], np.ones((5, 5))) > 0
    away = cv2.dilate(masks[5], np.ones((5, 5))) == 0
    assert evidence[core].min() > 1 and np.quantile(evidence[away], 0.99) < -2


def test_moving_cameras_have_no_background():
    frames, masks = passing(pan=1.5)
    assert camera_motion(frames, masks > 0) > 0.6
    assert find_background(frames, masks) is None
    still, covered = passing()
    assert camera_motion(still, covered > 0) < 0.3
    assert find_background(still[:4], covered[:4]) is None  # too few frames
    flat = np.full((9, 60, 60, 3), 90, np.uint8)
    assert camera_motion(flat, np.zeros((9, 60, 60), bool)) == 0  # nothing to see a motion by


def test_a_coat_like_the_chair_says_nothing_and_a_shadow_is_nobody():
    frames, masks = passing()
    frames[:, 20:60, 50:80] = (40, 38, 42)  # a chair
    frames[masks > 0] = (41, 38, 43)
    background = find_background(frames, masks)
    evidence = background_evidence(frames[5], background, ALL)  # the disc stands before the chair now
    assert abs(np.median(evidence[30:50, 55:75])) < 1.5
    dim = frames[0].copy()
    dim[:, 90:] = np.rint(dim[:, 90:] * 0.6)
    assert np.quantile(background_evidence(dim, background, ALL)[:, 95:], 0.98) <= 0


def test_pixels_never_seen_without_the_person_say_nothing():
    frames, masks = passing()
    masks[:, 30:50, 40:60] = 255
    background = find_background(frames, masks)
    assert not background.known[35:45, 45:55].any() and background.known[5, 5]
    assert not background_evidence(frames[5], background, ALL)[35:45, 45:55].any()


@pytest.mark.slow
@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("kind, seed, least", [("light shoes", 82, 0.975), ("dark chair", 81, 0.955)])
def test_persons_like_what_is_behind_them(kind, seed, least):
    """Without the background they have 0.967 and 0.947."""
    take, keypoints = hard_scene(kind, seed, size=256)
    alpha = segment_person(take.frames, keypoints).alpha
    assert overlaps(alpha, take.alpha).mean() > least
