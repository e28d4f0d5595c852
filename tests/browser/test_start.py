"""The first screen in a browser: a film uploaded, all notebooks run, the result on the screen."""

import subprocess
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser_tools import NO_WIDGETS, run_cell, saved_cells
from tiny_notebooks import write_notebook

from hvr_nb.store.video import write_video

ROOT = Path(__file__).parents[2]
PLACES = "from hvr_nb.store.places import CLIPS, FILMS, NOTEBOOKS\n"
# every word that the panel says, while it runs
LISTEN = """() => { window.said = [];
  const note = () => { for (const n of document.querySelectorAll('.widget-html-content')) {
    const text = n.innerText.trim(); if (text && !window.said.includes(text)) window.said.push(text); } };
  const all = { subtree: true, childList: true, characterData: true };
  new MutationObserver(note).observe(document.body, all); }"""


@pytest.fixture
def workbook(tmp_path):
    """A folder with START and two notebooks of a few lines in place of the eight."""
    for name in ("films", "clips", "workbook"):
        (tmp_path / name).mkdir()
    given = 'video: str = ""  # file\nclip: str = "x"  # folder\nmethod: str = "nvr"  # method'
    page = "<!doctype html><html lang=en><title>page</title><h1>{} of one film</h1>"
    write = "from pathlib import Path\nPath(clip).mkdir(parents=True, exist_ok=True)\n" + "".join(
        f"Path(clip, '{name}.html').write_text({page.format(name)!r})\n" for name in ("report", "player")
    )
    write_notebook(tmp_path / "notebooks" / "00_video.ipynb", given, write)
    write_notebook(tmp_path / "notebooks" / "01_keypoints.ipynb", 'clip: str = "x"  # folder', "pass")
    start = nbformat.read(ROOT / "notebooks" / "START.ipynb", 4)
    assert start.cells[1].source.count(PLACES) == 1
    here = f"from pathlib import Path\nroot = Path({str(tmp_path)!r})\n"
    here += "FILMS, CLIPS, NOTEBOOKS = root / 'films', root / 'clips', root / 'notebooks'\n"
    start.cells[1].source = start.cells[1].source.replace(PLACES, here)
    start.cells = start.cells[:2]
    nbformat.write(start, tmp_path / "workbook" / "START.ipynb")
    return tmp_path


def changed_files() -> str:
    where = ["git", "status", "--porcelain", "--", "data", "notebooks", "workbook"]
    return subprocess.run(where, cwd=ROOT, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_three_clicks_from_a_film_to_its_result(open_page, lab, workbook):
    before = changed_files()
    film = workbook / "me on film.mp4"
    write_video(film, np.full((6, 64, 64, 3), 127, np.uint8), fps=10)
    with lab(workbook, *NO_WIDGETS, HVR_NB_LIVE="1") as address:
        page = open_page(f"{address}/lab/tree/workbook/START.ipynb?reset", 1280, 1600)
        run_cell(page, 0)  # the first click
        page.get_by_role("button", name="run all notebooks").wait_for()
        page.evaluate(LISTEN)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="upload a film").click()  # the second
        chooser.value.set_files(film)
        page.wait_for_function("window.said.some(words => words.startsWith('uploaded'))")
        assert page.get_by_label("film", exact=True).input_value() == "me_on_film.mp4"
        page.get_by_role("button", name="run all notebooks").click()  # the third
        page.wait_for_function("window.said.some(words => words.startsWith('done'))")
        said = page.evaluate("window.said")
        assert "00_video is running" in said
        assert any(
            "00_video is done, about" in words and "to go; 01_keypoints is running" in words for words in said
        )
        for name in ("report", "player"):
            shown = page.frame_locator(f"iframe[title='{name}.html']").locator("h1")
            shown.wait_for()
            assert shown.inner_text() == f"{name} of one film", "the result itself, not its path"
        kept = saved_cells(page, workbook / "workbook" / "START.ipynb")
        assert page.faults == []
    assert not any("widget" in str(output) for cell in kept for output in cell.get("outputs", []))
    assert (workbook / "films" / "me_on_film.mp4").read_bytes() == film.read_bytes()
    assert changed_files() == before
