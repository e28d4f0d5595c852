"""Every notebook through the batch runner on a small synthetic clip; killed, resumed, refused."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser_tools import NO_KERNELS, draw_all_cells, open_without_kernel, player_frames, saved_cells
from tiny_notebooks import execute_here, waited_for

from hvr_nb.batch import run_chain, run_videos
from hvr_nb.evaluate.stages import synthetic_video
from hvr_nb.formats.joints2d.easymocap import write_annots
from hvr_nb.store.atomic_files import is_running
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_json
from hvr_nb.store.video import write_video
from hvr_nb.types import HvrError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
SMALL = {
    "02_masks": {"quality": "quick"},
    "05_train": {"iters": 160, "rays": 256, "hold_out": 4, "min_psnr": 8.0},
    "06_render": {"views": 3, "motion_frames": 2, "novel_limit": 1, "mesh_resolution": 48, "min_psnr": 6.0},
    "07_visualize": {"player_side": 96},
}


@pytest.fixture(scope="module")
def batch(tmp_path_factory, detector):
    """One run over two videos: one that shows nobody, and 10 frames of 160 x 160 of the synthetic person."""
    root = tmp_path_factory.mktemp("chain")
    empty = np.full((6, 96, 96, 3), 127, np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    write_video(root / "empty.mp4", empty, fps=10)
    folder = synthetic_video(
        root / "synthetic", outfit="shorts", motion="rotate", frames=10, size=160, seed=1
    )
    videos = [root / "empty.mp4", folder / "video.mp4"]
    return run_videos(videos, root / "clips", notebooks_dir=NOTEBOOKS, overrides=SMALL, progress=False)


@pytest.fixture(scope="module")
def chain(batch):
    """A finished run of all eight notebooks: clip, video, stages."""
    done = batch[1]
    assert not done.error, done
    return done.clip, Path(done.video), done.stages


def test_the_whole_chain(chain):
    folder, _, stages = chain
    assert [s.skipped for s in stages] == [False] * 8
    clip = Clip.open(folder)
    assert len(clip.frames) == len(clip.body) == 10
    numbers = clip.metrics
    assert sorted(numbers) == [
        "00_video",
        "01_keypoints",
        "02_masks",
        "03_body",
        "04_canonical",
        "05_train",
        "06_render",
    ]
    assert numbers["01_keypoints"]["keypoint_pct"] < 3.0
    assert numbers["01_keypoints"]["people"] == 1
    assert numbers["02_masks"]["mask_iou"] > 0.85
    assert numbers["03_body"]["mpjpe_mm"] < 120 and numbers["03_body"]["iou_mean"] > 0.75
    assert numbers["03_body"]["lift_mpjpe_mm"] < 150 and clip.lifted.points.shape == (10, 17, 3)
    assert {"plain_iou_mean", "lifted_iou_mean", "plain_mpjpe_mm", "lifted_mpjpe_mm"} < set(
        numbers["03_body"]
    )
    assert numbers["04_canonical"]["mean_mm"] < 5
    assert numbers["06_render"]["heldout_body_psnr"] > 10
    assert numbers["06_render"]["held_out_frames"] == 2
    for name in ("player.html", "report.html"):
        assert "</html>" in (folder / name).read_text()
    assert "synthetic" in (folder / "report.html").read_text()
    for name in ("frames.mp4", "turntable.mp4", "novel_poses.mp4", "canonical.glb"):
        assert (folder / "renders" / "nvr" / name).stat().st_size > 1000
    assert len(list((folder / "runs").glob("0*.ipynb"))) == 8


def with_solutions(folder: Path) -> Path:
    """The notebooks with the solution of every exercise as a cell at their end."""
    folder.mkdir()
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, 4)
        solutions = re.findall(r"```python\n(.*?)```", notebook.cells[-1].source, re.S)
        assert len(solutions) == notebook.cells[-1].source.count("<summary>Solution</summary>") >= 2, (
            path.name
        )
        notebook.cells += [nbformat.v4.new_code_cell(text) for text in solutions]
        nbformat.write(notebook, folder / path.name)
    return folder


@pytest.mark.slow
def test_the_solutions_of_all_exercises_run(chain, tmp_path):
    folder, video, _ = chain
    copy = tmp_path / "clip"
    shutil.copytree(folder, copy)
    stages = run_chain(video, copy, notebooks_dir=with_solutions(tmp_path / "notebooks"), overrides=SMALL)
    assert [s.skipped for s in stages] == [False] * 8


def test_nothing_is_run_twice_and_a_changed_parameter_runs_what_follows(chain, tmp_path, monkeypatch):
    folder, video, _ = chain
    again = run_chain(video, folder, notebooks_dir=NOTEBOOKS, overrides=SMALL)
    assert all(s.skipped for s in again)
    copy, clip = tmp_path / "clip", Clip.open(folder)
    shutil.copytree(folder, copy)
    moved = replace(clip.keypoints, points=clip.keypoints.points + [1, 0, 0])
    joints = write_annots(tmp_path, moved, names=clip.frame_names, size=clip.size)
    execute_here(monkeypatch)
    changed = SMALL | {"01_keypoints": {"keypoints_from": str(joints)}}
    stages = run_chain(video, copy, notebooks_dir=NOTEBOOKS, overrides=changed, to_stage="02")
    assert [s.skipped for s in stages] == [True, False, False], "01 was changed, and 02 reads what 01 writes"


STOPS = """
import os, time
from hvr_nb.learning import loop
keep = loop.save_checkpoint
def keep_and_wait(*everything):
    keep(*everything)
    with open({path!r} + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename({path!r} + ".new", {path!r})
    time.sleep(900)
loop.save_checkpoint = keep_and_wait
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_the_same(chain, tmp_path):
    """A startup file of IPython keeps the training at its first checkpoint until it is killed."""
    folder, video, _ = chain
    copy, there = tmp_path / "clip", tmp_path / "process"
    shutil.copytree(folder, copy)
    (copy / "runs" / "05_train.done.json").unlink()
    shutil.rmtree(copy / "avatars")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "stops.py").write_text(STOPS.format(path=str(there)))
    given = SMALL["05_train"] | {"checkpoint_every": 40}
    options = [x for k, v in given.items() for x in ("-p", f"05_train.{k}", str(v))]
    command = [
        sys.executable,
        "-m",
        "hvr_nb",
        "run",
        str(video),
        "--clip",
        str(copy),
        "--from",
        "05",
        "--to",
        "05",
        *options,
    ]
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waited_for(lambda: there.exists() or running.poll() is not None)
    killed_while_running = running.poll() is None and there.exists()
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert killed_while_running, "the training did not come to its first checkpoint"
    assert (copy / "avatars" / "nvr" / "checkpoint.pt").exists()
    assert not (copy / "runs" / "05_train.done.json").exists(), "an interrupted stage is not finished"
    assert waited_for(lambda: not is_running(int(there.read_text()))), "its kernel sees that nobody waits"
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    for name in ("weights.npz", "body.npz"):
        a, b = (np.load(f / "avatars" / "nvr" / name) for f in (copy, folder))
        assert set(a) == set(b)
        for key in set(a) - {"__meta__"}:
            np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name} {key}")
    mine, theirs = (read_json(f / "avatars" / "nvr" / "options.json", remedy="") for f in (copy, folder))
    assert mine["history"]["loss"] == theirs["history"]["loss"] and mine["history"]["step"][-1] == 160


def test_a_video_without_a_person_fails_clearly_and_the_rest_goes_on(batch):
    empty, person = batch
    assert empty.status == "failed" and empty.notebook == "01_keypoints" and "no person found" in empty.error
    assert not person.error and len(person.stages) == 8


def test_unknown_and_mistyped_parameters_are_refused_before_anything_runs(tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, np.zeros((2, 64, 64, 3), np.uint8), fps=5)
    for wrong, words in (
        ({"05_train": {"itres": 5}}, "iters"),
        ({"05_train": {"iters": "many"}}, "int"),
        ({"09_nothing": {"iters": 5}}, "05_train"),
    ):
        with pytest.raises(HvrError, match=words):
            run_chain(video, tmp_path / "clip", notebooks_dir=NOTEBOOKS, overrides=wrong)
    assert not (tmp_path / "clip").exists()


def test_a_damaged_artefact_is_named_with_the_notebook_to_run(chain, tmp_path, monkeypatch):
    folder, video, _ = chain
    copy = tmp_path / "clip"
    shutil.copytree(folder, copy)
    (copy / "canonical.npz").write_bytes((copy / "canonical.npz").read_bytes()[:200])
    execute_here(monkeypatch)
    with pytest.raises(HvrError, match="04_canonical"):
        run_chain(video, copy, notebooks_dir=NOTEBOOKS, overrides=SMALL, from_stage="05", to_stage="05")
    healed = run_chain(video, copy, notebooks_dir=NOTEBOOKS, overrides=SMALL, to_stage="04")
    assert [s.skipped for s in healed] == [True, True, True, True, False]


def kept(notebook: Path) -> list[set[str]]:
    """The forms of every output that a notebook's file has."""
    cells = nbformat.read(notebook, 4).cells
    return [set(o.get("data", {})) for c in cells for o in c.get("outputs", [])]


def players_of(notebook: Path) -> int:
    """How many players a notebook's file has: iframes that hold their whole page."""
    return notebook.read_text().count("srcdoc=")


SHOWN = """[...document.querySelectorAll('.jp-OutputArea-output img')]
  .filter(picture => picture.naturalWidth > 0).length"""


@pytest.mark.slow
def test_all_eight_play_in_lab_without_a_kernel(chain, open_page, lab, tmp_path):
    """Opened and saved; the last one opened again. Players play, pictures are there, no widget is missed."""
    for path in sorted((chain[0] / "runs").glob("0*.ipynb")):
        shutil.copy(path, tmp_path)
    draw_all_cells(tmp_path)
    notebooks = sorted(tmp_path.glob("0*.ipynb"))
    with lab(tmp_path, *NO_KERNELS) as address:
        for path in [*notebooks, notebooks[-1]]:
            lab.sign(path, tmp_path)
            forms, players = kept(path), players_of(path)
            pictures = sum(bool(f & {"image/png", "image/jpeg"}) and "text/html" not in f for f in forms)
            assert players + pictures >= 2, path.name
            page = open_without_kernel(open_page, address, path.name)
            player_frames(page, players)
            page.wait_for_function(f"{SHOWN} >= {pictures}")
            assert "model not found" not in page.inner_text("body") and page.faults == [], path.name
            page.locator(".jp-InputPrompt").first.click()
            page.keyboard.press("b")  # a new cell: there is something to save
            saved_cells(page, path)
            assert kept(path) == forms, path.name
            page.close()


def test_all_eight_play_as_pages(chain, open_page):
    for notebook in sorted((chain[0] / "runs").glob("0*.ipynb")):
        page = open_page(notebook.with_suffix(".html"))
        players = players_of(notebook)
        player_frames(page, players)  # 07 shows player.html, too
        assert "model not found" not in page.inner_text("body") and page.faults == [], notebook.name
        asked = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:", "about:"))]
        assert asked == [], notebook.name
        page.close()
