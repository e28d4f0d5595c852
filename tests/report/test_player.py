"""The player's page: self-contained, with every frame, the scene, the wipe and the curves."""

import base64
import io
import json
import re

import numpy as np
import pytest
import small_clips
from PIL import Image

from hvr_nb.body.model import load_body_model
from hvr_nb.geometry.camera import default_camera
from hvr_nb.report import frame_curves, write_player
from hvr_nb.types import Body, HvrError, Masks
from hvr_nb.viewing import Timeline, person_scene


def film(count=4, value=0):
    return np.stack([np.full((40, 60, 3), value + 10 * i, np.uint8) for i in range(count)])


def kept(path) -> dict:
    """What a page plays; the page loads nothing."""
    text = path.read_text()
    assert text.startswith("<!doctype html>") and "{{" not in text
    assert not re.search(r"https?://(?!www.w3.org/2000/svg)", text)
    assert not re.search(r"<(script|img|iframe|link)[^>]*(src|href)=", text)
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))


def picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def test_player_holds_every_frame(tmp_path):
    clips = {"film <1>": film(), "render": film(value=100)}
    path = write_player(tmp_path / "p.html", clips, fps=12.5, max_side=30, title="a & b", names=list("abcd"))
    data = kept(path)
    assert data["fps"] == 12.5 and data["names"] == list("abcd") and data["scene"] is None
    assert [p["label"] for p in data["panels"]] == ["film <1>", "render"]
    image = picture(data["panels"][1]["frames"][3])
    assert image.shape == (20, 30, 3) and abs(int(image.mean()) - 130) <= 2
    assert "a &amp; b" in path.read_text() and not data["inline"]


def test_player_with_a_3d_scene(tmp_path):
    model, still = load_body_model(), np.zeros((4, 3))
    camera = default_camera(60, 40)
    body = Body(np.zeros(10), still, np.zeros((4, 69)), still, camera, np.ones(4, bool), model.hash)
    scene = person_scene(body, model, fps=30)
    data = kept(write_player(tmp_path / "p.html", {"film": film()}, fps=30, scene=scene))
    assert data["scene"]["count"] == 4 and data["scene"]["panel"] == 0
    assert [layer["name"] for layer in data["scene"]["layers"]] == ["SMPL", "skeleton"]
    with pytest.raises(HvrError, match="the scene has 4 frames and the clips 3"):
        write_player(tmp_path / "q.html", {"film": film(3)}, fps=30, scene=scene)


def test_player_has_a_wipe_and_curves(tmp_path):
    clips = {"film": film(), "avatar": film(value=50)}
    curve = Timeline([1.0, np.nan, 0.5, 2.0], "dB")
    path = write_player(tmp_path / "p.html", clips, fps=30, compare=("film", "avatar"), curves={"e": curve})
    data = kept(path)
    assert data["compare"] == ["film", "avatar"]
    assert data["curves"] == [{"label": "e", "values": [1.0, None, 0.5, 2.0], "unit": "dB", "worst": "low"}]


def test_words_of_a_page_cannot_become_a_part_of_it(tmp_path):
    bad = '"><script>alert(1)</script>'
    look = {"title": bad, "note": bad, "names": [bad] * 4, "curves": {bad: Timeline([1.0] * 4, bad)}}
    path = write_player(tmp_path / "p.html", {bad: film()}, fps=5, **look)
    assert path.read_text().count("<script") == 2, "the player's own"
    assert kept(path)["panels"][0]["label"] == bad


def test_player_refuses_what_cannot_play(tmp_path):
    for clips, fps, message in (
        ({}, 30, "same length"),
        ({"a": film(2), "b": film(3)}, 30, "same length"),
        ({"a": film(2)}, 0, "fps is 0"),
    ):
        with pytest.raises(HvrError, match=message):
            write_player(tmp_path / "p.html", clips, fps=fps)
    assert not list(tmp_path.iterdir())


def test_curves_say_where_the_avatar_is_worst(tmp_path):
    clip = small_clips.make(tmp_path / "clip")
    alpha = np.zeros((4, 24, 32), np.uint8)
    alpha[:, 8:16] = 255
    clip.save("masks", Masks(alpha, None))
    drawn = clip.frames.copy()
    drawn[2, 10] = 255 - drawn[2, 10]
    drawn[1, 0] = 255 - drawn[1, 0]  # outside the person
    (curve,) = frame_curves(clip, drawn).values()
    assert np.argmin(curve.values) == 2 and curve.values[1] == max(curve.values) and curve.unit == "dB"
    clip.record("03_body", iou=[0.5, 0.6, 0.7, 0.8])
    assert list(frame_curves(clip, drawn)["body against silhouette, IoU"].values) == [0.5, 0.6, 0.7, 0.8]
