"""The player and the report: well-formed, self-contained, with the right content."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hvr_nb.geometry.camera import default_camera
from hvr_nb.report import Section, clip_report, write_report
from hvr_nb.report.curves import Curve, svg_curve
from hvr_nb.report.pages import Headline
from hvr_nb.store.clip import Clip
from hvr_nb.types import HvrError, Keypoints, Masks

VOID = {"meta", "img", "input", "br", "path", "link"}


class Balanced(HTMLParser):
    """Fails on an element that is closed wrongly."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.text.append(data)


def check_page(path):
    """The page's text; it must be well-formed and load nothing."""
    text = path.read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and text.startswith("<!doctype html>") and "{{" not in text
    assert not re.search(r"https?://", text)
    assert not re.search(r"<(script|img|iframe|link)[^>]*(src|href)=(?!\"data:)", text)
    return " ".join(parser.text), text


def film(count=4, value=0):
    return np.stack([np.full((40, 60, 3), value + 10 * i, np.uint8) for i in range(count)])


def test_report_shows_numbers_with_units_and_says_synthetic(tmp_path):
    section = Section(
        "Body & soul",
        text="x < y",
        pictures={"one": film()[0]},
        numbers={"mpjpe_mm": 31.4159, "heldout_psnr_body": 24.0, "note": "<none>"},
        curves=[Curve("body on silhouette", [0.5, np.nan, 0.7], [0.0, 0.1, 0.2], "IoU", 0)],
        facts={"seed": 3},
        links={"player": "player.html"},
    )
    words, text = check_page(write_report(tmp_path / "r.html", [section], title="me", synthetic=True))
    assert "31.4" in words and "mm" in words and "of frames not trained on" in words
    assert "body on silhouette over seconds, 0.5 to 0.7 IoU; marked at 0.00" in text
    assert 'alt="Body &amp; soul: one"' in text
    assert "synthetic subject" in words and "Body & soul" in words and "<none>" in words
    assert text.count("data:image/jpeg;base64,") == 1 and '<a href="player.html">' in text
    real, _ = check_page(write_report(tmp_path / "s.html", [section], title="me"))
    assert "synthetic" not in real


def test_what_is_put_into_a_page_cannot_become_a_part_of_it(tmp_path):
    bad = '"><script>alert(1)</script>'
    section = Section(
        bad,
        text=bad,
        pictures={bad: film()[0]},
        numbers={bad: bad},
        curves=[Curve(bad, [0.0, 1.0], [0.0, 1.0], bad)],
        facts={bad: bad},
        links={bad: bad},
    )
    words, text = check_page(write_report(tmp_path / "r.html", [section], title=bad, intro=bad))
    assert "<script" not in text and words.count("alert(1)") >= 9


def test_a_curve_has_gaps_ticks_and_a_mark():
    curve = svg_curve(Curve("overlap", [0.0, 1.0, np.nan, 0.5], [0.0, 1.0, 2.0, 3.0], "IoU", 3))
    path = re.search(r'class="curve" d="(.*?)"', curve).group(1)
    assert path == "M52.0 132.0L178.0 30.0M430.0 81.0"
    texts = re.findall(r"<text[^>]*>(.*?)</text>", curve)
    assert texts[0] == "overlap (IoU)" and {"0", "1", "2", "3", "seconds", "0.5"} <= set(texts)
    assert svg_curve(Curve("iou", [np.nan], [0.0])) == ""
    level = svg_curve(Curve("found", [1.0, 1.0], [0.0, 0.1]))
    assert "nan" not in level and "inf" not in level


def test_the_headline_names_what_is_not_good(tmp_path):
    fine = Headline({"iou_mean": 0.93, "jitter": 4.0})
    assert [tile.name for tile in fine.tiles] == ["iou_mean"]
    assert fine.said.startswith("Good") and fine.verdict == "good"
    poor = Headline({"iou_mean": 0.3, "mpjpe_mm": 80.0}, worst="frame 3", picture=film()[0])
    assert poor.said == "Bad: something is wrong: body on silhouettes, 3D joints off (MPJPE)."
    assert Headline({}, ["the knees"]).said == "Look: worth a look: what is doubted."
    words, text = check_page(write_report(tmp_path / "r.html", [], title="me", headline=poor))
    assert "frame 3" in words and 'alt="frame 3"' in text and 'class="tile edge-bad"' in text


def test_report_of_a_clip(tmp_path):
    frames = film()
    clip = Clip.create(
        tmp_path / "clip",
        frames,
        fps=10.0,
        names=list("abcd"),
        times=np.arange(4) / 10,
        source={"path": str(tmp_path / "a" / "me.mp4"), "synthetic": True},
    )
    clip.save("camera", default_camera(60, 40))
    points = np.random.default_rng(0).uniform(5, 35, (4, 25, 3))
    clip.save("keypoints", Keypoints(points, np.zeros((4, 25), bool), np.ones(4, bool), np.zeros((4, 4))))
    alpha = np.zeros((4, 40, 60), np.uint8)
    alpha[:, 10:30, 20:40] = 255
    clip.save("masks", Masks(alpha, source="hand"))
    for stage in ("01_keypoints", "02_masks"):
        clip.record(stage, found_pct=100.0, iou=[0.1, 0.2, 0.3, 0.4])
    (clip.folder / "player.html").write_text("")
    left = clip.folder / "renders" / "nvr" / ".turntable.0badcafe-1-0.partial.mp4"  # by a killed run
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    (left.parent / "turntable.mp4").write_bytes(b"whole")
    path = clip_report(clip, method="nvr", pictures={"film": frames, "again": frames})
    words, text = check_page(path)
    assert path == clip.folder / "report.html" and "clip: video to avatar" in words and "me.mp4" in words
    assert "synthetic subject" in words and "me.mp4" in words and str(tmp_path) not in text
    assert text.count("<svg") == 2 and text.count("data:image/jpeg") == 3
    assert "over seconds" in text and "Good: every figure" in words
    assert not re.search(r'<img[^>]*alt=""', text)
    assert "partial" not in text and text.count(".mp4") == 1 + text.count("me.mp4")
    assert '<a href="player.html">' in text and "numpy" in words


def test_a_damaged_marker_is_named_with_its_notebook(tmp_path):
    clip = Clip.create(tmp_path, film(), fps=10.0, names=list("abcd"), times=np.arange(4) / 10, source={})
    marker = clip.folder / "runs" / "03_body.done.json"
    marker.parent.mkdir()
    for text in ('{"params": [1]}', "", "[" * 100_000):
        marker.write_text(text)
        with pytest.raises(HvrError, match="03_body.done.json is damaged.*run 03_body again"):
            clip_report(clip)
