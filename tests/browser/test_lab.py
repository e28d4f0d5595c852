"""JupyterLab in a browser: what is there when a notebook is opened again without its kernel."""

import json
import shutil
import time

import nbformat
import pytest
from browser_tools import NO_KERNELS, PATIENCE, open_without_kernel, player_frames, world_ready
from tiny_notebooks import write_notebook

HOOK = "--ContentsManager.pre_save_hook=hvr_nb.viewing.saving.without_widgets"  # as in the Makefile
STRIPS = """() => {
  const shown = [...document.querySelectorAll('.jp-OutputArea-output img')];
  return shown.length >= 4 && shown.every(image => image.naturalWidth > 100);
}"""


def test_a_notebook_opened_again_without_a_kernel_plays(open_page, shown_notebook, lab):
    """First as somebody else's (not trusted: the strip), then as one's own (signed: the player)."""
    folder = shown_notebook.parent
    with lab(folder, *NO_KERNELS) as address:
        page = open_without_kernel(open_page, address, shown_notebook.name)
        page.wait_for_function(STRIPS)  # cells out of sight are not drawn
        assert page.locator(".jp-OutputArea-output iframe").count() == 0
        page.close()
        lab.sign(shown_notebook, folder)
        page = open_without_kernel(open_page, address, shown_notebook.name)
        frames = player_frames(page, 4)
        scene = frames[1]
        world_ready(scene)
        scene.evaluate("player.show(7)")
        assert scene.evaluate("player.state().world.index") == 7
        assert "model not found" not in page.inner_text("body") and page.faults == []
        assert not [url for url in page.asked if url.startswith("http") and not url.startswith(address)]


@pytest.mark.slow
def test_k3d_lives_in_lab_and_leaves_no_trace_in_the_file(open_page, tmp_path, lab):
    cells = (
        "from hvr_nb import show\nfrom hvr_nb.subject.motion import walking_motion\nbody = walking_motion(5)",
        "show(body, title='body', fps=10)",
    )
    notebook = write_notebook(tmp_path / "live.ipynb", "n: int = 1  # nothing", *cells)
    content = nbformat.read(notebook, 4)
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(content, notebook)
    with lab(tmp_path, HOOK, HVR_NB_LIVE="1") as address:
        page = open_page(f"{address}/lab/tree/live.ipynb?reset", 1280, 1600)
        page.get_by_text("| Idle").first.wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        canvas = page.locator(".jp-OutputArea-output canvas").first
        canvas.wait_for()
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 380, box["y"] + 330, steps=8)
        page.mouse.up()
        page.keyboard.press("Escape")
        page.get_by_role("menuitem", name="File", exact=True).click()
        page.get_by_text("Save Notebook", exact=True).click()
        until = time.monotonic() + PATIENCE
        while not any(c.get("outputs") for c in nbformat.read(notebook, 4).cells):
            assert time.monotonic() < until, "it is not saved"
            page.wait_for_timeout(200)
        kept = nbformat.read(notebook, 4)
        outputs = [o for c in kept.cells for o in c.get("outputs", [])]
        assert [set(o.data) for o in outputs] == [{"text/html", "image/png", "text/plain"}]
        assert "widget" not in json.dumps(outputs)
    shutil.copy(notebook, tmp_path / "again.ipynb")
    with lab(tmp_path, *NO_KERNELS) as address:
        page = open_without_kernel(open_page, address, "again.ipynb")
        (frame, *_) = player_frames(page, 1)
        assert world_ready(frame)["up"][1] > 0
        assert "model not found" not in page.inner_text("body")
