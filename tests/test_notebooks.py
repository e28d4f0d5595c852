"""Every notebook through the batch runner, on a small synthetic clip; killed and resumed too."""

from pathlib import Path

import pytest

from hvr_nb.batch import run_chain
from hvr_nb.clip import Clip
from hvr_nb.evaluate import synthetic_video

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SMALL = {
    "02_masks": {"quality": "quick"},
    "05_train": {"iters": 120, "rays": 256, "hold_out": 4, "min_psnr": 8.0},
    "06_render": {"views": 3, "motion_frames": 2, "novel_limit": 1, "mesh_resolution": 48, "min_psnr": 6.0},
    "07_visualize": {"player_side": 96},
}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A finished run of all eight notebooks on 8 frames of 192 x 192."""
    root = tmp_path_factory.mktemp("chain")
    folder = synthetic_video(root / "synthetic", outfit="shorts", motion="rotate", frames=8, size=192, seed=1)
    clip = root / "clip"
    result = run_chain(folder / "video.mp4", clip, notebooks_dir=NOTEBOOKS, overrides=SMALL)
    return clip, folder, result


def test_the_whole_chain(chain):
    folder, _, result = chain
    clip = Clip.open(folder)
    assert len(clip.frames) == 8 and len(clip.body) == 8
    metrics = clip.metrics
    assert sorted(metrics) == ["00_video", "01_keypoints", "02_masks", "03_body", "04_canonical", "05_train",
                               "06_render"]  # fmt: skip
    assert metrics["01_keypoints"]["keypoint_pct"] < 4.0
    assert metrics["02_masks"]["mask_iou"] > 0.85
    assert metrics["03_body"]["mpjpe_mm"] < 150
    assert metrics["06_render"]["heldout_body_psnr"] > 8
    for name in ("player.html", "report.html"):
        text = (folder / name).read_text()
        assert "<html" in text and "synthetic" in (folder / "report.html").read_text()
