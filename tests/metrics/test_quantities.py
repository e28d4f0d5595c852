"""The table of measured quantities: verdicts, units, writing, and its agreement with the notebooks."""

from pathlib import Path

import numpy as np
import pytest

from hvr_nb.batch.parameters import read_parameters
from hvr_nb.metrics.quantities import QUANTITIES, judged, judged_table, quantity, worst_verdict, written

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("iou_mean", 0.93, "good"), ("iou_mean", 0.7, "look"), ("iou_mean", 0.4, "bad"),
        ("mpjpe_mm", 30.0, "good"), ("mpjpe_mm", 90.0, "look"), ("mean_mm", 31.0, "bad"),
        ("heldout_body_psnr", 25.0, "good"), ("heldout_body_psnr", 11.0, "bad"),
        ("jitter", 3.0, ""), ("iou_mean", float("nan"), ""), ("iou_mean", None, ""), ("no_such_mm", 3.0, ""),
        ("lifted_iou_mean", 0.2, ""),  # in other circumstances there is no limit
    ],
)  # fmt: skip
def test_a_value_is_judged_where_the_table_has_a_limit(name, value, verdict):
    assert judged(name, value).verdict == verdict


def test_every_limit_has_a_reason_and_good_is_not_beyond_bad():
    for name, one in QUANTITIES.items():
        assert one.meaning or name == "body", name
        assert bool(one.better) == bool(one.why) == (not np.isnan(one.good)), name
        sign = 1 if one.better == "more" else -1
        assert np.isnan(one.bad) or sign * one.good >= sign * one.bad, name


@pytest.mark.parametrize(
    ("notebook", "parameter", "name", "factor"),
    [
        ("01_keypoints", "min_found", "found_pct", 100),
        ("02_masks", "min_cover", "cover_pct", 100),
        ("02_masks", "max_alike", "alike_pct", 100),
        ("03_body", "min_iou", "iou_mean", 1),
        ("04_canonical", "max_error_mm", "mean_mm", 1),
        ("05_train", "min_psnr", "train_psnr_body", 1),
        ("06_render", "min_psnr", "heldout_psnr_body", 1),
    ],
)
def test_bad_is_where_the_notebook_doubts(notebook, parameter, name, factor):
    default = read_parameters(NOTEBOOKS / f"{notebook}.ipynb")[parameter].default
    assert QUANTITIES[name].bad == pytest.approx(factor * default)


def test_names_with_prefixes_and_unknown_names():
    assert quantity("novel_body_psnr").label == "unseen cameras: body pixels"
    assert quantity("novel_body_psnr").unit == "dB"
    assert quantity("shoe_height_cm") == quantity("shoe_height_cm") and quantity("a_cm").unit == "cm"
    assert quantity("no_such").unit == "" and quantity("no_such").label == "no such"


def test_values_are_written_with_the_digits_their_unit_deserves():
    assert written(np.float64(12.3456789), "mm") == "12.3" and written(0.92807, "IoU") == "0.928"
    assert written(192, "px") == "192" and written(3.456789) == "3.457" and written(4000.0) == "4000"
    assert written(float("nan"), "mm") == "not known" and written("fitted here") == "fitted here"
    assert written([1.0, np.nan, 3.0], "px") == "mean 2, 1 to 3, 3 values"


def test_a_table_has_judged_rows_first_and_no_texts_of_doubts():
    rows = judged_table(
        {"jitter": 2.0, "doubts": ["x"], "notes": ["a"], "empty": [], "iou_mean": 0.9, "a": np.ones(2)}
    )
    assert [row.name for row in rows] == ["iou_mean", "jitter", "a"]
    assert worst_verdict(["good", "", "look"]) == "look" and worst_verdict([]) == ""
