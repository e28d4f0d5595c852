"""Progress over many videos: what was skipped, what failed, what is left."""

import numpy as np

from hvr_nb.batch.chain import StageRun
from hvr_nb.batch.progress import SHARES, TotalProgress
from hvr_nb.batch.videos import missing_videos


def test_work_is_counted_by_its_share_and_skipped_work_is_none():
    stages = ["00_video", "05_train", "99_extra"]
    progress = TotalProgress(stages, ["a", "b"], shown=False)
    everything = 2 * (SHARES["00_video"] + SHARES["05_train"] + 10)
    assert progress.total == everything and np.isnan(progress.seconds_left)
    progress.ran("a", StageRun("00_video", False, 3.0))
    assert progress.done == SHARES["00_video"] and progress.seconds_left > 0
    progress.ran("b", StageRun("00_video", True, 0.1))
    assert progress.done == SHARES["00_video"] and progress.total == everything - SHARES["00_video"]
    progress.ends("b", failed=True)
    progress.ran("a", StageRun("05_train", False, 3.0))
    progress.ran("a", StageRun("99_extra", False, 3.0))
    progress.ends("a", failed=False)
    assert progress.done == progress.total == everything / 2 and progress.seconds_left == 0
    progress.close()


def test_the_bar_says_how_many_failed(capsys):
    progress = TotalProgress(["00_video"], ["a", "b"])
    progress.ends("a", failed=True)
    progress.ran("b", StageRun("00_video", False, 1.0))
    progress.ends("b", failed=False)
    progress.close()
    last = capsys.readouterr().err.split("\r")[-1]
    assert "2 videos 100%" in last and "2 ended, 1 failed" in last


def test_videos_that_are_missing_or_empty_are_named(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "fine.mp4").write_bytes(b"film")
    names = ["empty.mp4", "folder", "gone.mp4", "fine.mp4"]
    (said,) = missing_videos(["x" * 5000])
    assert said.endswith("x cannot be looked at (File name too long)") and len(said) < 300
    found = missing_videos([tmp_path / name for name in names])
    assert [text.split("/")[-1] for text in found] == [
        "empty.mp4 is empty",
        "folder is an empty folder",
        "gone.mp4 does not exist",
    ]
