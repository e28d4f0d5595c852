"""The benchmark of garments: what is compared of a garment that another one hides, and its last line."""

import numpy as np

from scripts.bench.garments import ASKED, curve_distance, summary


def test_the_last_line_has_what_is_asked_in_its_order():
    rows = [
        {"study": study, "topology_pct": t, "curve_mm": c, "chamfer_mm": 3.0, "penetration_pct": 0.1,
         "seconds": s, "peak_gb": 1.0, "found": ["shirt"], "said": []}
        for study, t, c, s in (
            ("true", 100.0, 4.0, 50.0), ("true", 50.0, 6.0, 90.0), ("video", 100.0, 12.0, 70.0)
        )
    ]  # fmt: skip
    failed = {"study": "video", "topology_pct": 0.0, "said": ["failed: no garment"]}
    figures = dict(pair.split("=") for pair in summary([*rows, failed]).split())
    assert tuple(figures) == ASKED
    assert figures["true_topology_pct"] == "75" and figures["true_curve_mm"] == "5"
    assert figures["video_topology_pct"] == "50" and figures["seconds"] == "90"


def test_hidden_parts_of_curves_are_not_compared():
    angle = 2 * np.pi * np.arange(200) / 200
    circle = np.stack([np.sin(angle), np.zeros(200), np.cos(angle)], 1) * 0.2
    wrong = circle + np.outer(angle > np.pi, [0, 0.05, 0])
    seen = angle < 0.9 * np.pi
    assert curve_distance(circle, circle, np.ones(200, bool), closed=True) < 1e-6
    assert curve_distance(wrong, circle, np.ones(200, bool), closed=True) > 15
    assert curve_distance(wrong, circle, seen, closed=True) < 0.5
    assert curve_distance(wrong, circle, np.zeros(200, bool), closed=True) is None
