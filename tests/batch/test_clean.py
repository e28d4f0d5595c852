"""A clip made smaller: only what a run's marker proves to be its own goes, and it comes back the same."""

import pytest
from tiny_notebooks import execute_here, ran, video_file, write_notebook

from hvr_nb.batch import clean_clip, removable, run_chain
from hvr_nb.cli.main import main
from hvr_nb.types import HvrError

VIDEO = """
import numpy as np
from hvr_nb.store.clip import Clip
frames = np.zeros((2, 8, 8, 3), np.uint8)
c = Clip.create(clip, frames, fps=30.0, names=["a", "b"], times=np.zeros(2), source={})
c.record("00_video", frames=2)
"""
RENDER = """
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
c = Clip.open(clip)
write_image(c.render_folder("nvr") / "frames" / "rgb" / "a.png", c.frames[0])
(c.render_folder("nvr") / "frames.mp4").write_bytes(bytes(1000))
"""


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A clip through two tiny notebooks, and a function that runs them again."""
    execute_here(monkeypatch)
    books = tmp_path / "notebooks"
    write_notebook(books / "00_video.ipynb", 'video: str = ""  # file\nclip: str = "x"  # clip', VIDEO)
    write_notebook(
        books / "06_render.ipynb", 'clip: str = "x"  # clip\nmethod: str = "nvr"  # method', RENDER
    )
    video = video_file(tmp_path / "a.mp4", "7")
    folder = tmp_path / "clip"

    def run():
        return ran(run_chain(video, folder, notebooks_dir=books, progress=False))

    run()
    return folder, run


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_goes_comes_back_the_same(clip):
    folder, run = clip
    before = contents(folder)
    rows = clean_clip(folder)
    assert [(row.what, row.place) for row in rows] == [("renders", "renders/nvr")]
    gone = set(before) - set(contents(folder))
    assert gone == {"renders/nvr/frames/rgb/a.png", "renders/nvr/frames.mp4"}
    assert not (folder / "renders").exists() and (folder / "frames").is_dir()
    assert run() == ["06_render"]
    after = contents(folder)
    assert {name: after[name] for name in gone} == {name: before[name] for name in gone}


def test_asking_removes_nothing_and_keep_is_heard(clip, capsys):
    folder, run = clip
    before = contents(folder)
    rows = removable(folder, keep=["canonical"])
    assert [row.what for row in rows] == ["renders"] and rows[0].size > 1000
    assert main(["clean", str(folder)]) == 0
    assert contents(folder) == before and "nothing was removed" in capsys.readouterr().out
    assert main(["clean", str(folder), "--keep", "renders", "--delete"]) == 0
    assert contents(folder) == before
    assert main(["clean", str(folder), "--delete"]) == 0
    assert not (folder / "renders").exists()


def test_what_somebody_made_stays(clip):
    folder, run = clip
    mine = folder / "renders" / "nvr" / "my best.png"
    mine.write_bytes(b"picture")
    other = folder / "renders" / "other" / "frames" / "a.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"picture")
    before = contents(folder)
    assert all(row.kept for row in removable(folder)) and len(removable(folder)) == 2
    assert clean_clip(folder) == [] and contents(folder) == before


def test_a_damaged_marker_proves_nothing(clip):
    folder, run = clip
    (folder / "runs" / "06_render.done.json").write_text("{")
    assert [row.kept for row in removable(folder)] == ["not what the last run of 06_render wrote"]
    assert clean_clip(folder) == []


def test_errors_say_what_to_do(clip, tmp_path):
    folder, run = clip
    with pytest.raises(HvrError, match="nothing called 'film' to keep; choose of renders"):
        removable(folder, keep=["film"])
    with pytest.raises(HvrError, match="is no clip"):
        clean_clip(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    (folder / "renders" / "link").symlink_to(tmp_path)
    with pytest.raises(HvrError, match="link"):
        removable(folder)
