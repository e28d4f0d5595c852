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


@pytest.mark.slow
def test_training_stops_and_widgets_answer_in_lab(open_page, tmp_path, lab):
    cells = (
        TRAIN,
        RUN,
        "print('kept', watch.stopped, history['step'][-1])",
        PLAY,
        PICK,
        "print('picked', pick.person)",
    )
    notebook = write_notebook(tmp_path / "live.ipynb", "n: int = 1  # nothing", *cells)
    content = nbformat.read(notebook, 4)
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(content, notebook)
    with lab(tmp_path, *NO_WIDGETS, HVR_NB_LIVE="1") as address:
        page = open_page(f"{address}/lab/tree/live.ipynb?reset", 1280, 3200)
        run_cell(page, 1)
        run_cell(page, 2)
        picture = page.locator(".jp-OutputArea-output img")
        picture.first.wait_for(timeout=120_000)
        first = picture.first.get_attribute("src")
        page.wait_for_function(
            "s => document.querySelector('.jp-OutputArea-output img').src !== s", arg=first, timeout=60_000
        )
        assert picture.count() == 1, "one picture, renewed"
        page.locator(
            "[data-command='notebook:interrupt-kernel'], [title*='Interrupt the kernel']"
        ).first.click()
        run_cell(page, 3)
        page.get_by_text("kept training was stopped after").wait_for(timeout=60_000)
        run_cell(page, 4)
        canvas = page.locator(".jp-OutputArea-output canvas").first
        canvas.wait_for(timeout=120_000)
        told = page.get_by_text("surface coordinates")
        told.wait_for(timeout=60_000)
        before = told.inner_text()
        canvas.scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        box = canvas.bounding_box()
        page.screenshot(path=str(tmp_path / "play.png"))
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 0.45 * box["height"])
        page.wait_for_function("t => ![...document.querySelectorAll('.widget-html-content')].some(n => n.innerText.includes(t))",
                               arg=before.splitlines()[0], timeout=60_000)  # fmt: skip
        run_cell(page, 5)
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_text("person 1", exact=True).wait_for(timeout=60_000)
        run_cell(page, 6)
        page.get_by_text("picked 1").wait_for(timeout=60_000)
        kept = saved_cells(page, notebook)
    outputs = [output for cell in kept for output in cell.get("outputs", [])]
    assert "widget" not in json.dumps([o.get("data", {}) for o in outputs])
    assert [set(o.data) for o in kept[2].outputs if "data" in o] == [{"image/png", "text/plain"}]
    assert {"image/png", "text/plain"} in [set(o.data) for o in kept[4].outputs if "data" in o]
    assert (tmp_path / "kept.pt").stat().st_size > 100
