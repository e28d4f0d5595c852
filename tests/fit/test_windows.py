"""Clips that are fitted in windows: cover, fade, and agree with the fit of all frames at once."""

import numpy as np
import pytest
from exact_landmarks import FPS, errors, motion, seen
from scipy.spatial.transform import Rotation

from hvr_nb.body.kinematics import rig_of
from hvr_nb.body.model import load_body_model, posed
from hvr_nb.fit import solve, windows
from hvr_nb.fit.solve import fit_body
from hvr_nb.fit.terms import State
from hvr_nb.metrics.images import acceleration, mpjpe

FRAMES = 70


@pytest.mark.parametrize("count", [1, 39, 40, 41, 70, 71, 1000])
def test_windows_cover_all_frames_and_overlap(count):
    parts = windows.spans(count, window=40, overlap=10)
    assert parts[0].start == 0 and parts[-1].stop == count
    assert all(part.stop - part.start == min(40, count) for part in parts)
    assert all(a.stop - b.start >= 10 for a, b in zip(parts, parts[1:], strict=False))
    assert len(parts) <= 1 + (count - 10) // 30 + 1


@pytest.mark.parametrize(("count", "wanted"), [(5, 300), (300, 300), (1000, 300)])
def test_the_pilot_is_of_runs_of_consecutive_frames(count, wanted):
    frames = windows.pilot_frames(count, wanted)
    assert frames[0] == 0 and frames[-1] == count - 1 and (np.diff(frames) > 0).all()
    assert len(frames) <= wanted and (np.diff(frames) > 1).sum() < windows.RUNS


def state_of(turn, x, count):
    rotations = np.tile(Rotation.from_rotvec([0, turn, 0]).as_matrix(), (count, 24, 1, 1))
    return State(rotations, np.tile([x, 0.0, 0.0], (count, 1)), np.ones(10))


def test_one_window_fades_into_the_next():
    whole = windows.faded([state_of(0.0, 0.0, 8), state_of(0.4, 1.0, 8)], [slice(0, 8), slice(5, 13)])
    turns = Rotation.from_matrix(whole.rotations[:, 3]).as_rotvec()[:, 1]
    fade = [0.25, 0.5, 0.75]
    np.testing.assert_allclose(turns, [*[0] * 5, *(0.4 * np.array(fade)), *[0.4] * 5], atol=1e-12)
    np.testing.assert_allclose(whole.transl[:, 0], [*[0] * 5, *fade, *[1] * 5], atol=1e-12)
    assert (whole.betas == 1).all()


def test_windows_agree_with_the_fit_of_all_frames(monkeypatch):
    model = load_body_model()
    truth = motion(model, FRAMES, turn=1.0)
    keypoints = seen(truth, rig_of(model), model)
    noise = np.random.default_rng(0).normal(0, 0.7, keypoints.landmarks[..., :2].shape)
    keypoints.landmarks[..., :2] += noise
    whole = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    monkeypatch.setattr(solve, "WINDOW", 30)
    monkeypatch.setattr(solve, "OVERLAP", 8)
    monkeypatch.setattr(solve, "PILOT", 24)
    parts = fit_body(keypoints, None, truth.camera, fps=FPS, model=model)
    assert parts.valid.all() and len(parts) == FRAMES and parts.betas.shape == (10,)
    a, b = posed(model, whole)[1], posed(model, parts)[1]
    assert mpjpe(a, b) < 6, "millimetres"
    assert errors(model, parts, truth)[0] < errors(model, whole, truth)[0] + 4
    assert acceleration(b) < acceleration(a) + 0.3, "no jumps where windows meet"
