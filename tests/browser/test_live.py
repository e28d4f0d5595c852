"""What needs a kernel, in Lab: a training that shows itself and is stopped, the playground, the picker."""

import json

import nbformat
import pytest
from browser_tools import NO_WIDGETS, run_cell, saved_cells
from tiny_notebooks import write_notebook

TRAIN = """
import time, numpy as np
from hvr_nb import TrainingView, show
from hvr_nb.learning import Progress, train
frames = np.full((4, 60, 40, 3), 120, np.uint8)
def work(k, rng):
    time.sleep(0.02)
    return {"psnr_body": float(k)}
"""
RUN = """
with TrainingView(frames) as watch:
    def told(done, history):
        return watch(Progress(done, 10**6, history, np.array([2]), lambda frame: frames[frame] // 2))
    history = train(work, {}, iters=10**6, checkpoint='kept.pt', log_every=5, progress=told)
"""
PLAY = """
from hvr_nb import choose_person, playground
from hvr_nb.body.model import load_body_model
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import Tracks
model, body = load_body_model(), walking_motion(2)
playground(body, make_canonical(body, model, spacing=0.2), model)
"""
PICK = """
boxes = np.full((2, 4, 4), [5.0, 5, 15, 55])
boxes[1] = [22, 10, 35, 50]
pick = choose_person(Tracks(boxes, 0), frames)
"""


RENEWED = "source => document.querySelector('.jp-OutputArea-output img').src !== source"
ANOTHER = """words => {
  const told = [...document.querySelectorAll('.widget-html-content')].map(node => node.innerText);
  return told.some(text => text.includes('coordinates')) && !told.some(text => text.includes(words));
}"""


@pytest.mark.slow
def test_training_stops_and_widgets_answer_in_lab(open_page, tmp_path, lab):
    kept, picked = "print('kept', watch.stopped, history['step'][-1])", "print('picked', pick.person)"
    notebook = write_notebook(
        tmp_path / "live.ipynb", "n: int = 1  # -", TRAIN, RUN, kept, PLAY, PICK, picked
    )
    content = nbformat.read(notebook, 4)
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(content, notebook)
    with lab(tmp_path, *NO_WIDGETS, HVR_NB_LIVE="1") as address:
        page = open_page(f"{address}/lab/tree/live.ipynb?reset", 1280, 3200)
        run_cell(page, 1)
        run_cell(page, 2)
        picture = page.locator(".jp-OutputArea-output img")
        picture.first.wait_for()
        page.wait_for_function(RENEWED, arg=picture.first.get_attribute("src"))
        assert picture.count() == 1, "one picture, renewed"
        page.locator("[data-command='notebook:interrupt-kernel']").first.click()
        run_cell(page, 3)
        page.get_by_text("kept training was stopped after").first.wait_for()
        run_cell(page, 4)
        canvas = page.locator(".jp-OutputArea-output canvas").first
        canvas.wait_for()
        told = page.get_by_text("surface coordinates").last
        told.wait_for()
        box = canvas.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 0.45 * box["height"])
        page.wait_for_function(ANOTHER, arg=told.inner_text().splitlines()[0])
        run_cell(page, 5)
        page.get_by_title("follow person 1").click()
        page.get_by_text("person 1", exact=True).wait_for()
        run_cell(page, 6)
        page.get_by_text("picked 1").first.wait_for()
        cells = saved_cells(page, notebook)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert "widget" not in json.dumps([output.get("data", {}) for output in outputs])
    for cell, number in ((cells[2], 1), (cells[4], 1), (cells[5], 0)):
        assert [set(o.data) for o in cell.outputs if "data" in o] == number * [{"image/png", "text/plain"}]
    assert (tmp_path / "kept.pt").stat().st_size > 100
