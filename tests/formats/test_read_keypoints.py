"""The layout of imported joints is told from the content."""

import json

import numpy as np
import pytest

from hvr_nb.formats.joints2d.easymocap import write_annots
from hvr_nb.formats.joints2d.keypoints import read_keypoints
from hvr_nb.formats.joints2d.openpose import write_openpose
from hvr_nb.types import HvrError, Keypoints

NAMES = ["000000", "000001"]


@pytest.fixture
def keypoints():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(20, 80, (2, 25, 2)), np.full((2, 25, 1), 0.9)], -1)
    boxes = np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], 1)
    return Keypoints(points, np.zeros((2, 25), bool), np.ones(2, bool), boxes)


def test_openpose_and_easymocap_folders(tmp_path, keypoints):
    write_openpose(tmp_path / "op", keypoints, names=NAMES)
    folder = write_annots(tmp_path / "em", keypoints, names=NAMES, size=(100, 100))
    for path in (tmp_path / "op", folder if folder.name != "em" else tmp_path / "em/annots/video"):
        got = read_keypoints(path, names=NAMES, size=(100, 100))
        assert np.allclose(got.points[..., :2], keypoints.points[..., :2], atol=0.01)


def test_alphapose_file(tmp_path, keypoints):
    people = [
        {"image_id": f"{n}.jpg", "category_id": 1, "score": 2.0, "keypoints": c.ravel().tolist()}
        for n, c in zip(NAMES, keypoints.coco, strict=True)
    ]
    (tmp_path / "results.json").write_text(json.dumps(people))
    got = read_keypoints(tmp_path / "results.json", names=NAMES, size=(100, 100))
    assert np.allclose(got.coco[..., :2], keypoints.coco[..., :2], atol=1e-6)


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(HvrError, match="no .json files"):
        read_keypoints(tmp_path, names=NAMES, size=(10, 10))
    (tmp_path / "000000.json").write_text('{"shapes": []}')
    with pytest.raises(HvrError, match="neither a picture's joints as OpenPose"):
        read_keypoints(tmp_path, names=NAMES, size=(10, 10))
    (tmp_path / "000000.json").write_text("{")
    with pytest.raises(HvrError, match="JSON"):
        read_keypoints(tmp_path, names=NAMES, size=(10, 10))
