"""The batch runner on tiny notebooks made here: parameters, failures, markers, resuming, many videos."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from tiny_notebooks import execute_here, ran, video_file, write_notebook

from hvr_nb.batch import NotebookFailed, check_parameters, run_chain, run_notebook, run_videos, summary
from hvr_nb.batch.chain import chain_parameters, find_notebooks, stage_called
from hvr_nb.batch.parameters import from_text, read_parameters
from hvr_nb.cli.main import main
from hvr_nb.types import HvrError

VIDEO = """
import numpy as np
from pathlib import Path
from hvr_nb.store.clip import Clip
from hvr_nb.geometry.camera import default_camera
print("a line")
assert Path(video).read_text() != "broken", "the video is broken"
value = int(Path(video).read_text())
frames = np.full((2, 8, 8, 3), value, np.uint8)
c = Clip.create(clip, frames, fps=30.0, names=["a", "b"], times=np.zeros(2), source={})
c.save("camera", default_camera(8, 8))
c.record("00_video", doubts=["every pixel is 7"] if value == 7 else [])
"""
KEYPOINTS = """
import numpy as np
from hvr_nb.store.clip import Clip
from hvr_nb.types import Keypoints
c = Clip.open(clip)
points, filled = np.full((2, 25, 3), scale), np.zeros((2, 25), bool)
c.save("keypoints", Keypoints(points, filled, np.ones(2, bool), np.zeros((2, 4))))
"""


@pytest.fixture
def notebooks(tmp_path):
    """Two stages: a text file becomes a clip, the clip gets keypoints."""
    folder = tmp_path / "notebooks"
    write_notebook(folder / "00_video.ipynb", 'video: str = ""  # file\nclip: str = "x"  # clip', VIDEO)
    write_notebook(
        folder / "01_keypoints.ipynb", 'clip: str = "x"  # clip\nscale: float = 1.0  # px', KEYPOINTS
    )
    return folder


def test_parameters_are_read_and_checked(tmp_path):
    nb = write_notebook(
        tmp_path / "05_x.ipynb",
        "\n".join(
            [
                "iters: int = 5  # steps",
                'device: str = "auto"',
                "rate: float = 1e-3",
                "fast: bool = False",
                "lens: list[float] = []",
                "plain = 3",
            ]
        ),
    )
    assert {k: (p.kind, p.default) for k, p in read_parameters(nb).items()} == {
        "iters": ("int", 5),
        "device": ("str", "auto"),
        "rate": ("float", 1e-3),
        "fast": ("bool", False),
        "lens": ("list", []),
        "plain": ("int", 3),
    }
    fine = check_parameters(nb, {"rate": 2, "device": Path("a"), "lens": (1.0,)})
    assert fine == {"rate": 2.0, "device": "a", "lens": [1.0]} and isinstance(fine["rate"], float)
    with pytest.raises(HvrError, match="no parameter 'itres'; did you mean 'iters'.*valid: iters, device"):
        check_parameters(nb, {"itres": 3})
    for name, value in (("iters", "3"), ("iters", True), ("iters", 2.0), ("fast", "false"), ("device", 1)):
        with pytest.raises(HvrError, match=f"parameter '{name}' is"):
            check_parameters(nb, {name: value})
    assert from_text(nb, "fast", "false") is False and from_text(nb, "iters", "30") == 30
    assert from_text(nb, "device", "3") == "3" and from_text(nb, "lens", "[0.1, 2]") == [0.1, 2]
    with pytest.raises(HvrError, match="'iters' is int"):
        from_text(nb, "iters", "many")


def test_bad_notebooks_are_named(tmp_path):
    (tmp_path / "a.ipynb").write_text("{not json")
    with pytest.raises(HvrError, match="a.ipynb cannot be read"):
        read_parameters(tmp_path / "a.ipynb")
    with pytest.raises(HvrError, match="plain literals"):
        read_parameters(write_notebook(tmp_path / "b.ipynb", "x: int = len('a')"))
    with pytest.raises(HvrError, match="no numbered notebooks"):
        find_notebooks(tmp_path / "nothing")


def test_run_notebook_runs_this_python_and_marks_success(tmp_path):
    nb = write_notebook(
        tmp_path / "00_x.ipynb",
        "n: int = 1  # times",
        "import os, sys; e = os.environ",
        "print(sys.executable)\nprint(e['HVR_NB_BATCH'])",
        "for k in range(n): print(k)\nprint(os.getcwd())",
    )
    out = tmp_path / "runs" / "00_x.ipynb"
    run_notebook(nb, out, cwd=tmp_path, params={"n": 2}, inputs={"a": "b"})
    cells = nbformat.read(out, 4).cells
    text = "".join(o.text for c in cells if c.cell_type == "code" for o in c.outputs)
    assert text.split() == [sys.executable, "1", "0", "1", str(tmp_path)]
    done = json.loads((tmp_path / "runs" / "00_x.done.json").read_text())
    assert done["params"] == {"n": 2} and done["inputs"] == {"a": "b"} and done["seconds"] > 0
    assert nbformat.sign.NotebookNotary().check_signature(nbformat.read(out, 4))


@pytest.mark.parametrize(
    ("cell", "reason", "options"),
    [
        ("raise ValueError('no person\\nmore')", "ValueError: no person", {}),
        ("import os\nos.kill(os.getpid(), 9)", "kernel was killed", {}),
        ("import time\ntime.sleep(60)", "too long", {"timeout": 1}),
    ],
)
def test_failures_never_count_as_success(tmp_path, cell, reason, options):
    nb = write_notebook(tmp_path / "03_x.ipynb", "n: int = 1  # n", cell)
    out = tmp_path / "runs" / "03_x.ipynb"
    out.parent.mkdir()
    (out.parent / "03_x.done.json").write_text("{}")  # of an earlier run
    with pytest.raises(NotebookFailed, match=reason) as caught:
        run_notebook(nb, out, cwd=tmp_path, params={}, **options)
    assert caught.value.notebook == "03_x" and "\n" not in caught.value.reason
    assert not (out.parent / "03_x.done.json").exists()


def test_a_busy_machine_may_take_its_time(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(papermill, "execute_notebook", lambda *_args, **options: asked.update(options))
    nb = write_notebook(tmp_path / "00_x.ipynb", "n: int = 1  # n")
    write_notebook(tmp_path / "out.ipynb", "n: int = 1  # n")
    run_notebook(nb, tmp_path / "out.ipynb", cwd=tmp_path, params={})
    assert min(asked["start_timeout"], asked["iopub_timeout"]) >= 300, "seconds, in place of 60 and 4"


def test_full_disk_is_said_plainly(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(papermill, "execute_notebook", full)
    nb = write_notebook(tmp_path / "00_x.ipynb", "n: int = 1  # n")
    with pytest.raises(HvrError, match="disk is full"):
        run_notebook(nb, tmp_path / "out.ipynb", cwd=tmp_path, params={})
    assert not (tmp_path / "out.done.json").exists()


def test_chain_runs_only_what_changed(tmp_path, notebooks):
    video, clip = video_file(tmp_path / "a.mp4", "7"), tmp_path / "clips" / "a"
    options = {"notebooks_dir": notebooks, "progress": False}
    assert ran(run_chain(video, clip, **options)) == ["00_video", "01_keypoints"]
    assert ran(run_chain(video, clip, **options)) == []
    changed = {"01_keypoints": {"scale": 2}}
    assert ran(run_chain(video, clip, overrides=changed, **options)) == ["01_keypoints"]
    video.write_text("9")  # another video: everything after it is old
    assert ran(run_chain(video, clip, overrides=changed, **options)) == ["00_video", "01_keypoints"]
    (clip / "keypoints.npz").write_bytes(b"damaged")
    assert ran(run_chain(video, clip, overrides=changed, **options)) == ["01_keypoints"]
    (clip / "runs" / "01_keypoints.done.json").unlink()  # as after a kill
    assert ran(run_chain(video, clip, overrides=changed, **options)) == ["01_keypoints"]
    assert ran(run_chain(video, clip, overrides=changed, to_stage="00", force=True, **options)) == [
        "00_video"
    ]
    with np.load(clip / "keypoints.npz") as file:
        assert (file["points"] == 2).all()


def test_a_clip_that_is_given_counts_with_its_avatars(tmp_path, monkeypatch):
    execute_here(monkeypatch)
    other, record = tmp_path / "other", tmp_path / "other" / "avatars" / "doll" / "made_from.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    cells = 'clip: str = "x"  # clip\ngarments_from: str = ""  # a clip', "from pathlib import Path"
    write_notebook(tmp_path / "books" / "05_train.ipynb", *cells, "Path(clip).mkdir(exist_ok=True)")
    options = {"notebooks_dir": tmp_path / "books", "progress": False}
    options["overrides"] = {"05_train": {"garments_from": str(other)}}
    assert ran(run_chain("", tmp_path / "clip", **options)) == ["05_train"]
    first = ran(run_chain("", tmp_path / "clip", **options))
    record.write_text('{"body": "another"}')  # it was trained again
    assert (first, ran(run_chain("", tmp_path / "clip", **options))) == ([], ["05_train"])


def test_chain_refuses_before_running(tmp_path, notebooks):
    video, clip = video_file(tmp_path / "a.mp4", "7"), tmp_path / "clip"
    for overrides, message in (
        ({"01_keypoints": {"scal": 1.0}}, "did you mean 'scale'"),
        ({"01_keypoint": {"scale": 1.0}}, "did you mean '01_keypoints'"),
        ({"": {"scalle": 1.0}}, "no notebook has a parameter 'scalle'; did you mean 'scale'"),
    ):
        with pytest.raises(HvrError, match=message):
            run_chain(video, clip, notebooks_dir=notebooks, overrides=overrides)
    with pytest.raises(HvrError, match="no video"):
        run_chain(tmp_path / "missing.mp4", clip, notebooks_dir=notebooks)
    with pytest.raises(HvrError, match="comes before"):
        run_chain(video, clip, notebooks_dir=notebooks, from_stage="01", to_stage="00")
    assert not clip.exists()


def test_stage_names_and_parameters_for_all(notebooks):
    stages = ["00_video", "01_keypoints"]
    assert [stage_called(n, stages) for n in ("01", "keypoints", "01_keypoints")] == ["01_keypoints"] * 3
    params = chain_parameters(find_notebooks(notebooks), {"clip": "c", "video": "v"}, {"": {"scale": 3.0}})
    assert params == {"00_video": {"clip": "c", "video": "v"}, "01_keypoints": {"clip": "c", "scale": 3.0}}


def test_one_failing_video_does_not_stop_the_rest(tmp_path, notebooks, capsys):
    videos = [
        video_file(tmp_path / f"{name}.mp4", text)
        for name, text in (("one", "1"), ("two", "broken"), ("three", "3"))
    ]
    runs = run_videos(
        [*videos, tmp_path / "gone.mp4"], tmp_path / "clips", notebooks_dir=notebooks, workers=2
    )
    assert [r.status for r in runs] == ["done", "failed", "done", "failed"]
    assert runs[1].notebook == "00_video" and runs[1].error == "AssertionError: the video is broken"
    table = summary(runs).splitlines()
    assert len(table) == 5 and "two.mp4" in table[2] and "the video is broken" in table[2]
    arguments = [
        "batch",
        *map(str, videos),
        "--clips",
        str(tmp_path / "clips"),
        "--notebooks",
        str(notebooks),
    ]
    assert main(arguments) == 1
    assert capsys.readouterr().out.count("unchanged") == 2
    assert main([*arguments[:2], *arguments[4:]]) == 0


def test_a_doubtful_video_is_counted_apart(tmp_path, notebooks, capsys):
    videos = [video_file(tmp_path / f"{text}.mp4", text) for text in ("1", "7")]
    runs = run_videos(videos, tmp_path / "clips", notebooks_dir=notebooks)
    assert [r.status for r in runs] == ["done", "doubtful"]
    assert runs[1].doubts == ("00_video: every pixel is 7",)
    again = ["batch", *map(str, videos), "--clips", str(tmp_path / "clips"), "--notebooks", str(notebooks)]
    assert main(again) == 0
    table = capsys.readouterr().out
    assert "unchanged" in table and "doubtful" in table and "every pixel is 7" in table


def test_same_names_do_not_share_a_clip(tmp_path, notebooks):
    videos = [video_file(tmp_path / d / "a.mp4", "1") for d in ("x", "y")]
    runs = run_videos(videos, tmp_path / "clips", notebooks_dir=notebooks, to_stage="00", progress=False)
    assert [r.clip.name for r in runs] == ["x_a", "y_a"] and {r.status for r in runs} == {"done"}
    with pytest.raises(HvrError, match="two videos would become the clip"):
        run_videos([videos[0], videos[0]], tmp_path / "clips", notebooks_dir=notebooks)


def test_the_command_line_runs_a_chain_with_parameters(tmp_path, notebooks, capsys):
    video = video_file(tmp_path / "a.mp4", "5")
    common = ["run", str(video), "--clip", str(tmp_path / "c"), "--notebooks", str(notebooks)]
    assert main([*common, "-p", "01_keypoints.scale", "fast"]) == 1
    assert "'scale' is float" in capsys.readouterr().err and not (tmp_path / "c").exists()
    assert main([*common, "-p", "keypoints.scale", "4"]) == 0
    assert "01_keypoints" in capsys.readouterr().out
    with np.load(tmp_path / "c" / "keypoints.npz") as file:
        assert (file["points"] == 4).all()


def test_interrupt_leaves_a_resumable_state(tmp_path, notebooks):
    write_notebook(
        notebooks / "01_keypoints.ipynb",
        'clip: str = "x"  # clip',
        """
import os, time
from pathlib import Path
Path(clip, "pid.new").write_text(str(os.getpid()))
Path(clip, "pid.new").rename(Path(clip, "pid"))
time.sleep(900)
""",
    )
    clip, video = tmp_path / "c", video_file(tmp_path / "a.mp4", "5")
    command = [sys.executable, "-m", "hvr_nb", "run", str(video), "--clip", str(clip), "--notebooks",
               str(notebooks)]  # fmt: skip
    # A job in the background of a shell ignores the interrupt and hands that down; here it must count.
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 600  # only ends a hang
    while not (clip / "pid").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=300) == 130
    assert "interrupted" in process.stderr.read()
    with pytest.raises(ProcessLookupError):  # no orphan kernel
        while time.monotonic() < deadline:
            os.kill(int((clip / "pid").read_text()), 0)
            time.sleep(0.1)
    assert (clip / "runs" / "00_video.done.json").exists()
    assert not (clip / "runs" / "01_keypoints.done.json").exists()
