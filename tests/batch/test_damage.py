"""Chains after kills, power cuts and hostile files: damage is repaired, one clip never stops another.

The notebooks are run in this process, without a kernel; ``test_batch.py`` runs real ones.
"""

import json
import os
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_notebooks import execute_here, ran, video_file, write_notebook

from hvr_nb.batch import chain, notebook, run_chain, run_videos
from hvr_nb.batch.parameters import from_text, read_parameters
from hvr_nb.store.clip import Clip
from hvr_nb.store.locks import running
from hvr_nb.types import HvrError
from scripts.bench.torture.stand_in import STAND_IN, write_stand_in

DAMAGES = {
    "frames/a.png": "00_video",
    "frames/manifest.json": "00_video",
    "camera.npz": "00_video",
    "metrics/00_video.json": "00_video",
    "masks/alpha/b.png": "02_masks",
    "masks/labels/a.png": "02_masks",
    "metrics/02_masks.json": "02_masks",
    "avatars/doll/weights.npz": "05_train",
    "avatars/doll/options.json": "05_train",
    "metrics/05_train.json": "05_train",
    "avatars/doll/made_from.json": "05_train",
    "renders/doll/frames/rgb/a.png": "06_render",
    "renders/doll/frames.mp4": "06_render",
}


@pytest.fixture
def here(monkeypatch):
    """Notebooks run in this process."""
    execute_here(monkeypatch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with notebooks, a video and the clip that its chain has made."""
    top = tmp_path_factory.mktemp("whole")
    video, books = video_file(top / "a.mp4", "7"), write_stand_in(top / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        execute_here(patch)
        assert ran(run_chain(video, top / "clip", notebooks_dir=books, progress=False)) == list(STAND_IN)
    return top


@pytest.fixture
def notebooks(tmp_path, whole):
    return Path(shutil.copytree(whole / "notebooks", tmp_path / "notebooks"))


@pytest.fixture
def run(tmp_path, here, notebooks, whole):
    """Runs the chain of a clip that has been through it once; gives the stages that were run."""
    shutil.copytree(whole / "clip", tmp_path / "clip")
    shutil.copy(whole / "a.mp4", tmp_path / "a.mp4")

    def again(folder=tmp_path / "clip", **options):
        return ran(run_chain(whole / "a.mp4", folder, notebooks_dir=notebooks, progress=False, **options))

    return again


def test_nothing_is_run_twice(run):
    assert run() == []


@pytest.mark.parametrize("how", ["gone", "no length", "half"])
@pytest.mark.parametrize(("file", "stage"), DAMAGES.items())
def test_what_is_damaged_is_made_again(tmp_path, run, file, stage, how):
    path = tmp_path / "clip" / file
    before = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(before[: len(before) // 2 if how == "half" else 0])
    assert run()[0] == stage
    assert path.read_bytes() == before or file.endswith(".npz")
    assert run() == []


BAD_MARKERS = [
    '{"params": [1]}',
    "[" * 100_000,
    "",
    "[]",
    "{}",
    '{"outputs": 3}',
    '{"inputs": {"frames": {}}}',
    "\0",
]


@pytest.mark.parametrize("text", BAD_MARKERS, ids=range(len(BAD_MARKERS)))
def test_a_bad_marker_only_means_that_its_notebook_runs_again(tmp_path, run, text):
    marker = tmp_path / "clip" / "runs" / "02_masks.done.json"
    good = json.loads(marker.read_text())
    content = text
    if text[:2] == '{"':
        content = json.dumps(good | json.loads(text))
    marker.write_text(content)
    assert run() == ["02_masks"]
    assert json.loads(marker.read_text()).keys() == good.keys()


def test_retouched_masks_are_kept_and_what_follows_them_runs(tmp_path, run):
    picture = tmp_path / "clip" / "masks" / "alpha" / "a.png"
    cv2.imwrite(str(picture), np.full((8, 8), 255, np.uint8))
    assert run()[0] == "05_train"
    assert (Clip.open(tmp_path / "clip").masks.alpha[0] == 255).all()


def test_an_avatar_trained_by_hand_is_kept_and_shown(tmp_path, run):
    """With other settings than the chain's, from the same masks: the chain does not replace it."""
    clip = Clip.open(tmp_path / "clip")

    class Doll:
        """Trained for longer."""

        def save(self, folder):
            np.savez(folder / "weights.npz", a=np.arange(2000))
            (folder / "options.json").write_text('{"method": "doll", "longer": true}')

    clip.save_avatar("doll", Doll(), made_from=("masks",))
    clip.record("05_train", seconds=99)
    assert run() == ["06_render"]
    with np.load(clip.avatar_folder("doll") / "weights.npz") as file:
        assert len(file["a"]) == 2000


def test_a_gallery_that_was_wished_for_is_made_again(tmp_path, here, notebooks):
    cell = """
from pathlib import Path
for name in ("player", "report", "gallery")[: 3 if gallery else 2]:
    Path(clip, name + ".html").write_text("page")
"""
    parameters = 'clip: str = "x"  # clip\nmethod: str = "doll"  # method\ngallery: int = 0  # meshes'
    write_notebook(notebooks / "07_visualize.ipynb", parameters, cell)
    video, folder = video_file(tmp_path / "a.mp4", "7"), tmp_path / "clip"

    def again(most):
        wished = {"07_visualize": {"gallery": most}}
        return ran(run_chain(video, folder, notebooks_dir=notebooks, progress=False, overrides=wished))

    assert "07_visualize" in again(5) and again(5) == []
    (folder / "gallery.html").unlink()
    assert again(5) == ["07_visualize"] and (folder / "gallery.html").is_file()
    assert again(0) == ["07_visualize"]
    (folder / "gallery.html").write_text("made by hand")
    assert again(0) == []


def test_a_moved_clip_is_not_run_again(tmp_path, run):
    shutil.move(tmp_path / "clip", tmp_path / "elsewhere")
    assert run(tmp_path / "elsewhere") == []


def test_leftovers_of_killed_runs_do_no_harm_and_go(tmp_path, run):
    clip = tmp_path / "clip"
    left = [
        clip / "metrics" / ".00_video.0badcafe-1-0.partial.json",
        clip / "renders" / "doll" / ".frames.0badcafe-1-0.partial.mp4",
        clip / "avatars" / "doll" / ".weights.0badcafe-1-0.partial.npz",
    ]
    for path in left:
        path.write_bytes(b"")
    assert run() == []  # of another machine, just now: left alone, and not read
    assert Clip.open(clip).metrics
    for path in left:
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    assert run() == []
    assert not [path for path in left if path.exists()]


def test_a_second_run_of_a_clip_is_refused(tmp_path, run, notebooks):
    held, done = threading.Event(), threading.Event()

    def hold():
        with running(tmp_path / "clip"):
            held.set()
            done.wait(600)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(600)
    with pytest.raises(HvrError, match="is being written by process"):
        run()
    (row,) = run_videos(
        [tmp_path / "a.mp4"], tmp_path, clips=[tmp_path / "clip"], notebooks_dir=notebooks, progress=False
    )
    assert row.status == "failed" and "is being written by process" in row.error
    done.set()
    thread.join()
    assert run() == []


def test_links_out_of_a_clip_end_its_run_before_anything_is_written(tmp_path, run):
    (tmp_path / "outside").mkdir()
    (tmp_path / "clip" / "runs" / "html").symlink_to(tmp_path / "outside")
    with pytest.raises(HvrError, match="html is a link to"):
        run()


@pytest.mark.parametrize(
    "error", [RecursionError("too deep"), MemoryError(), TypeError("a\nb"), OSError(5, "bad disk")]
)
def test_whatever_happens_to_one_video_the_others_go_on(tmp_path, here, notebooks, monkeypatch, error):
    videos = [video_file(tmp_path / f"{name}.mp4", "7") for name in ("one", "two")]
    real = chain.fingerprint

    def fails_on_one(folder, key, **options):
        if folder.name == "one":
            raise error
        return real(folder, key, **options)

    monkeypatch.setattr(chain, "fingerprint", fails_on_one)
    rows = run_videos(videos, tmp_path / "clips", notebooks_dir=notebooks, to_stage="02", progress=False)
    assert [row.status for row in rows] == ["failed", "done"]
    assert rows[0].error and "\n" not in rows[0].error


def test_a_worker_that_dies_is_a_row_of_the_table(tmp_path, here, notebooks):
    class Engine:
        """Loses every second job."""

        count = 0

        def submit(self, call, *arguments):
            self.count += 1
            job = namedtuple("Job", "result")
            if self.count % 2:
                return job(lambda: call(*arguments))
            return job(lambda: 1 / 0)

    videos = [video_file(tmp_path / f"{k}.mp4", str(k)) for k in range(3)]
    rows = run_videos(
        videos, tmp_path / "clips", notebooks_dir=notebooks, executor=Engine(), to_stage="00", progress=False
    )
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert rows[1].error == "ZeroDivisionError: division by zero" and rows[1].video == str(videos[1])


def test_parameters_are_finite_numbers(tmp_path):
    nb = write_notebook(tmp_path / "00_x.ipynb", "focal: float = 0.0\nlens: list[float] = []")
    for name, text in (("focal", "1e999"), ("focal", "-1e999"), ("lens", "[0.1, 1e999]")):
        with pytest.raises(HvrError, match=f"'{name}' is -?inf; it must be a finite number"):
            from_text(nb, name, text)
    with pytest.raises(HvrError, match="'focal' is nan"):
        notebook.check_parameters(nb, {"focal": float("nan")})
    with pytest.raises(HvrError, match="'focal' is float"):
        from_text(nb, "focal", "(" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        '{"cells": 3}',
        '{"cells": [3]}',
        "\xff",
        '{"cells": [{"metadata": {"tags": ["parameters"]}, "source": ["a = 1", 3]}]}',
    ],
    ids=range(6),
)
def test_a_notebook_that_makes_no_sense_is_named(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text, encoding="latin1")
    with pytest.raises(HvrError, match="a.ipynb cannot be read as a notebook"):
        read_parameters(tmp_path / "a.ipynb")


def test_a_disk_that_fills_while_a_notebook_runs_is_named(tmp_path, monkeypatch):
    nb = write_notebook(tmp_path / "00_x.ipynb", "n: int = 1  # n")

    def failing(*_arguments):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")

    monkeypatch.setattr(notebook, "_execute", failing)
    with pytest.raises(HvrError, match="kernel did not start"):
        notebook.run_notebook(nb, tmp_path / "out.ipynb", cwd=tmp_path, params={})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: namedtuple("Usage", "free")(0))
    with pytest.raises(HvrError, match="the disk is full"):
        notebook.run_notebook(nb, tmp_path / "out.ipynb", cwd=tmp_path, params={})


def test_a_file_in_the_place_of_a_clip_is_named(tmp_path, notebooks, here):
    video = video_file(tmp_path / "a.mp4", "7")
    with pytest.raises(HvrError, match="a.mp4.*cannot be written"):
        run_chain(video, video, notebooks_dir=notebooks, progress=False)
    assert video.read_text() == "7"
