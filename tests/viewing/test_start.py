"""The first screen: films to pick and upload, a look, a run with progress, errors in words."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from tiny_notebooks import execute_here, write_notebook

from hvr_nb.types import HvrError
from hvr_nb.viewing.start import DEMO, StartPanel

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def panel(tmp_path, monkeypatch):
    execute_here(monkeypatch)
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "me.mp4").write_bytes(b"film")
    given = 'video: str = ""  # file\nclip: str = "x"  # folder\nmethod: str = "nvr"  # method'
    report = "from pathlib import Path\nPath(clip).mkdir(parents=True, exist_ok=True)\n"
    report += 'Path(clip, "report.html").write_text(video + method)'
    write_notebook(tmp_path / "notebooks" / "00_video.ipynb", given, report)
    write_notebook(tmp_path / "notebooks" / "01_keypoints.ipynb", 'clip: str = "x"  # folder', "pass")
    return StartPanel(
        films=tmp_path / "films",
        clips=tmp_path / "clips",
        notebooks=tmp_path / "notebooks",
        methods=["nvr", "selfrecon"],
        judge=lambda frames, fps: f"{len(frames)} frames at {fps:g} fps",
    )


def test_a_picked_film_is_run_and_its_pages_are_shown(panel, tmp_path):
    assert panel.film.options == (DEMO, "me.mp4")
    panel.film.value, panel.method.value = "me.mp4", "selfrecon"
    panel.run.click()
    panel.wait()
    assert "done" in panel.status.value and panel.bar.value == 1.0 and not panel.run.disabled
    made = (tmp_path / "clips" / "me" / "report.html").read_text()
    assert made == f"{tmp_path / 'films' / 'me.mp4'}selfrecon"
    pages = [output["data"]["text/html"] for output in panel.result.outputs]
    assert len(pages) == 2 and 'clips/me/report.html"' in pages[0] and "<iframe" in pages[0]


def test_a_film_that_is_not_there_is_said(panel, tmp_path):
    panel.path.value = str(tmp_path / "gone.mp4")
    for button in (panel.run, panel.look):
        button.click()
        panel.wait()
        assert "gone.mp4" in panel.status.value and "&#10006;" in panel.status.value
    assert not (tmp_path / "clips").exists() and panel.stop.disabled


def test_a_look_says_what_the_judge_says(panel, monkeypatch):
    film = SimpleNamespace(frames=[1, 2, 3], fps=25.0)
    monkeypatch.setattr("hvr_nb.viewing.start.read_video", lambda *a, **k: film)
    panel.film.value = "me.mp4"
    panel.look.click()
    panel.wait()
    assert "3 frames at 25 fps" in panel.status.value


def test_an_upload_is_kept_and_overwrites_nothing(panel, tmp_path):
    def send(name, content):
        about = {"type": "video/mp4", "size": len(content), "last_modified": datetime.now(UTC)}
        panel.upload.set_trait("value", ({"name": name, "content": memoryview(content), **about},))

    send("../a b.mp4", b"new")
    assert (tmp_path / "films" / "a_b.mp4").read_bytes() == b"new" and panel.film.value == "a_b.mp4"
    send("me.mp4", b"other")
    assert (tmp_path / "films" / "me.mp4").read_bytes() == b"film" and "is kept" in panel.status.value


def test_an_error_in_a_notebook_is_one_line():
    assert HvrError("film it again")._render_traceback_() == ["HvrError: film it again"]


def test_start_leads_to_every_notebook_and_is_clean():
    notebook = nbformat.read(NOTEBOOKS / "START.ipynb", 4)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    linked = re.findall(r"\]\(([\w./]+)\)", text)
    assert [name for name in linked if name.endswith(".ipynb")] == sorted(
        path.name for path in NOTEBOOKS.glob("[0-9]*.ipynb")
    )
    assert all((NOTEBOOKS / name).exists() for name in linked)
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_each_notebook_leads_to_the_next():
    files = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    for one, following in zip(files, files[1:], strict=False):
        cells = json.loads(one.read_text())["cells"]
        assert any(f"]({following.name})" in "".join(cell["source"]) for cell in cells), one.name
