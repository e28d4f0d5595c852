"""What a film promises: measured on films whose pan, blur, cut and company are known."""

import cv2
import numpy as np
import pytest
from scenes import make_cutout, paste, wall

from hvr_nb.evaluate.film import MOVES, judge_film


def panned(speed: float, *, count=24, fps=12.0) -> np.ndarray:
    """A textured wall, filmed by a camera that moves ``speed`` per cent of the width a second."""
    rng = np.random.default_rng(0)
    room = cv2.GaussianBlur(rng.integers(0, 256, (120, 400, 3), dtype=np.uint8), (0, 0), 2)
    room = cv2.normalize(room, None, 0, 255, cv2.NORM_MINMAX)
    step = speed / 100 * 160 / fps
    shift = [np.float32([[1, 0, -k * step - 20], [0, 1, 0]]) for k in range(count)]
    return np.stack([cv2.warpAffine(room, m, (160, 120)) for m in shift])


@pytest.fixture
def nobody(monkeypatch):
    monkeypatch.setattr("hvr_nb.evaluate.film.detect", lambda *a, **k: [])


@pytest.mark.parametrize("speed", [0.0, 2.0, 8.0])
def test_a_pan_is_measured(speed, nobody):
    found = judge_film(panned(speed), fps=12.0)
    assert found.measured["camera_pct"] == pytest.approx(speed, abs=0.3)
    assert any("camera seems to move" in text for text in found.doubts) == (speed > MOVES)
    assert any("nobody was found" in text for text in found.doubts)


def test_noise_and_an_empty_wall_are_no_motion(nobody):
    noisy = np.clip(panned(0.0) + np.random.default_rng(1).normal(0, 4, (24, 120, 160, 3)), 0, 255)
    assert judge_film(noisy.astype(np.uint8), fps=12.0).measured["camera_pct"] < 0.3
    plain = np.full((6, 120, 160, 3), 127, np.uint8)
    assert np.isnan(judge_film(plain, fps=12.0).measured["camera_pct"])


@pytest.fixture(scope="module")
def person(tmp_path_factory, detector):
    folder = tmp_path_factory.mktemp("film")
    return make_cutout(folder, outfit="trousers", motion="rotate", frames=16, size=192)


def test_a_turning_person_is_measured(person):
    found = judge_film(person.frames, fps=8.0)
    assert found.measured["person_px"] == pytest.approx(person.height, rel=0.08)
    assert found.measured["whole_pct"] == found.measured["present_pct"] == 100
    assert found.measured["turn_deg"] > 270 and "a full turn" in str(found)
    assert found.measured["others_pct"] == 0 and not found.doubts
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 3) for f in person.frames])
    assert judge_film(soft, fps=8.0).measured["blur"] > found.measured["blur"] + 0.2


def test_somebody_who_is_cut_and_has_company(person):
    scene = wall(6, 384, 224)
    for t in range(6):
        paste(scene[t], person, t, 0, 100)  # the legs are below the picture
    cut = judge_film(scene, fps=8.0)
    assert cut.measured["whole_pct"] < 20 and "the rest is guessed" in str(cut)
    assert cut.measured["turn_deg"] < 200 and "does not suit" in str(cut)
    scene = wall(6, 384, 224)
    for t in range(6):
        paste(scene[t], person, t, 0, 16)
        paste(scene[t], person, t, 190, 16)
    assert judge_film(scene, fps=8.0).measured["others_pct"] > 50
