"""axe-core on every page that leaves the project, on a desktop and on a phone; and targets for fingers."""

import numpy as np
import pytest
import trimesh
from browser_tools import world_ready
from small_clips import whole

from hvr_nb.geometry.camera import default_camera
from hvr_nb.report import clip_report, write_clips_page
from hvr_nb.report.gallery import write_gallery
from hvr_nb.store.markers import write_failure
from hvr_nb.types import Mesh

SIZES = (1280, 400)
SERIOUS = ("serious", "critical")
# controls that are smaller than 24 x 24 CSS pixels (WCAG 2.2, 2.5.8); links inside sentences are exempt
SMALL = """() => [...document.querySelectorAll('button, select, input, summary, a.button, ul.links a, nav a')]
  .filter(node => node.getClientRects().length && !node.disabled)
  .map(node => { const box = (node.closest('label') || node).getBoundingClientRect();
    return [node.outerHTML.slice(0, 80), box.width, box.height]; })
  .filter(([, width, height]) => Math.min(width, height) < 24)"""


@pytest.fixture(scope="module")
def axe():
    """The checker, or a skip that says what is missing."""
    package = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="checks of accessibility need: pip install axe-playwright-python",
    )
    return package.Axe()


@pytest.fixture(scope="module")
def pages(tmp_path_factory, shown_notebook):
    """Report, page of all clips, gallery and player, by name."""
    root = tmp_path_factory.mktemp("pages")
    clip = whole(root / "one")
    clip.record("03_body", iou_mean=0.71, iou=[0.7, 0.8, 0.6, 0.74], doubts=["the body leans back"])
    clip.record("06_render", heldout_body_psnr=24.5)
    (root / "two").mkdir()
    other = whole(root / "two")
    (other.folder / "runs").mkdir()
    write_failure(other.folder / "runs" / "03_body.ipynb", "HvrError: no hips")
    ball = trimesh.creation.icosphere(1, 0.5)
    colours = np.full((len(ball.vertices), 3), 120, np.uint8)
    mesh = Mesh((ball.vertices + [0, 1, -3]).astype(np.float32), np.asarray(ball.faces), colours)
    frames = np.full((3, 40, 30, 3), 90, np.uint8)
    camera, names = default_camera(30, 40), ["a", "b", "c"]
    gallery = write_gallery(
        clip.folder / "gallery.html", lambda k: mesh, frames, camera, names=names, fps=25, title="meshes"
    )
    return {
        "report": clip_report(clip, pictures={"film": clip.frames}),
        "clips": write_clips_page(root),
        "gallery": gallery.path,
        "player": shown_notebook.parent / "player.html",
    }


@pytest.mark.parametrize("name", ["report", "clips", "gallery", "player"])
def test_axe_finds_no_serious_fault(open_page, axe, pages, name):
    for width in SIZES:
        page = open_page(pages[name], width, 800)
        if name == "player":
            world_ready(page)
        found = axe.run(page).response["violations"]
        faults = [
            (fault["id"], fault["help"], [node["html"][:120] for node in fault["nodes"][:3]])
            for fault in found
            if fault["impact"] in SERIOUS
        ]
        assert faults == [], f"at {width} pixels"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        if width == 400:
            assert page.evaluate(SMALL) == [], "too small for a finger"


def test_the_report_leads_to_the_gallery(pages):
    assert '<a href="gallery.html">gallery of meshes</a>' in pages["report"].read_text()
