"""The page and the CSV over many clips: failures first, outliers, foreign files, hostile words."""

import csv
import io

import numpy as np
import pytest
from small_clips import make

from hvr_nb.report import write_clips_page
from hvr_nb.report.many_clips import ClipRow, csv_text, with_outliers
from hvr_nb.store.markers import write_failure
from hvr_nb.types import HvrError


@pytest.fixture
def clips(tmp_path):
    """Three clips: one done, one doubtful, one whose body failed."""
    for name, overlap, doubts in (("fine", 0.93, []), ("unsure", 0.9, ["03 is unsure in depth"])):
        clip = make(tmp_path / name)
        clip.record("03_body", iou_mean=overlap, iou=[0.9, 0.91, 0.92, overlap], doubts=doubts)
        clip.record("06_render", heldout_body_psnr=24.5, note="text")
    clip = make(tmp_path / "broken")
    clip.record("01_keypoints", found_pct=100.0)
    (clip.folder / "runs").mkdir()
    write_failure(clip.folder / "runs" / "03_body.ipynb", "ValueError: <b>no</b> hips")
    (clip.folder / "runs" / "03_body.html").write_text("read me")
    return tmp_path


def test_failures_stand_first_with_their_notebook(clips):
    text = write_clips_page(clips, failed={"gone": "gone.mp4 cannot be read"}).read_text()
    places = [text.index(f'data-value="{name}"') for name in ("broken", "gone", "unsure", "fine")]
    assert places == sorted(places)
    assert '<a href="broken/runs/03_body.html">notebook 03_body</a>' in text
    assert "03_body: ValueError: &lt;b&gt;no&lt;/b&gt; hips" in text and "gone.mp4 cannot be read" in text
    assert "03_body: 03 is unsure in depth" in text
    assert text.count("data:image/jpeg;base64,") == 3 and "http" not in text


def test_one_table_of_all_numbers(clips):
    write_clips_page(clips)
    rows = list(csv.DictReader(io.StringIO((clips / "metrics.csv").read_text())))
    assert [row["clip"] for row in rows] == ["broken", "unsure", "fine"]
    assert rows[0]["failed_notebook"] == "03_body" and rows[0]["03_body.iou_mean"] == ""
    assert rows[0]["verdict"] == "bad" and rows[2]["verdict"] == "good"
    assert float(rows[2]["03_body.iou_mean"]) == 0.93 and "03_body.iou" not in rows[2]
    assert rows[1]["doubts"] == "03_body: 03 is unsure in depth"
    write_clips_page(clips)  # its own files are renewed


def test_a_file_of_somebody_else_is_kept(clips):
    (clips / "metrics.csv").write_text("name;value\n")
    with pytest.raises(HvrError, match="metrics.csv is not a file of this project"):
        write_clips_page(clips)
    assert (clips / "metrics.csv").read_text() == "name;value\n" and not (clips / "clips.html").exists()


def test_a_damaged_clip_is_a_failed_row(clips):
    for damage in ("{", '{"iou_mean": 1' + 400 * "0" + "}"):  # the second is no number of a computer
        (clips / "fine" / "metrics" / "03_body.json").write_text(damage)
        text = write_clips_page(clips).read_text()
        assert "03_body.json is damaged" in text and text.index('"fine"') < text.index('"unsure"')


def test_outliers_are_told_from_five_clips_on():
    rows = [ClipRow(str(k), "done", {"03_body.iou_mean": 0.9 + 0.005 * k}) for k in range(5)]
    odd = ClipRow("odd", "done", {"03_body.iou_mean": 0.6, "01_keypoints.found_pct": np.nan})
    assert [row.outliers for row in with_outliers([*rows, odd])] == [frozenset()] * 5 + [{"iou_mean"}]
    assert not any(row.outliers for row in with_outliers([*rows[:3], odd]))


def test_no_cell_is_a_formula_of_a_spreadsheet():
    text = csv_text([ClipRow("=cmd()", "failed", error="-1 + @x")])
    assert "'=cmd()" in text and "'-1" in text
