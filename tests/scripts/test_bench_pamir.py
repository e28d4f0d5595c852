"""scripts/bench/pamir.py on one person of each kind."""

import re
import sys

import pytest

from scripts.bench import pamir


@pytest.mark.slow
def test_the_last_line_has_the_figures(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HVR_SHARED_DATA", str(tmp_path))  # poses of the prior
    monkeypatch.setattr(pamir, "video_figures", lambda *_args, **_options: {"film_iou": 0.9})  # its own test
    monkeypatch.setattr(sys, "argv", ["pamir", "--people", "1", "--resolution", "40"])
    pamir.main()
    last = capsys.readouterr().out.splitlines()[-1]
    figures = {key: float(value) for key, value in re.findall(r"(\w+)=(-?[\w.]+)", last)}
    assert set(figures) == {
        "chamfer_body_mm",
        "chamfer_image_mm",
        "chamfer_both_mm",
        "chamfer_both_equal_mm",
        "normal_body_deg",
        "normal_both_deg",
        "unseen_outfit_gain_pct",
        "chamfer_estimated_mm",
        "film_iou",
    }
    assert figures["chamfer_image_mm"] > figures["chamfer_both_equal_mm"], "a picture alone tells no depth"
    assert 2 < figures["chamfer_both_mm"] < figures["chamfer_body_mm"] + 5
    assert figures["chamfer_body_mm"] == pytest.approx(20, abs=18)
