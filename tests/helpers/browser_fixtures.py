"""A headless Chromium, a JupyterLab to point it at, and a notebook that shows one thing of each kind."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
import pytest
from browser_tools import PATIENCE
from nbformat.sign import NotebookNotary
from tiny_notebooks import write_notebook

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
# harmless: Lab asks for pages of plugins that are not there, and names every slow frame
NOISE = re.compile(r"404|favicon|ReadPixels|GPU stall|Jupyter|sourcemap", re.I)

SHOWN = """
import numpy as np
from hvr_nb import person_scene, show, slider
from hvr_nb.body.model import load_body_model
from hvr_nb.subject.motion import walking_motion
from hvr_nb.viewing import Timeline
body, model = walking_motion(12), load_body_model()
height, width = body.camera.height // 4, body.camera.width // 4
frames = np.full((12, height, width, 3), 60, np.uint8)
for k in range(12):
    frames[k, 20:60, 10 * k : 10 * k + 20] = (250, 40 + 15 * k, 30)
"""


@pytest.fixture(scope="session")
def chromium():
    """The browser, or a skip that says what is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="browser tests need: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("browser tests need Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """open_page(url, width, height) -> a page that keeps what went wrong in ``faults`` and ``asked``."""
    pages = []

    def opened(url, width=1280, height=900):
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(1000 * PATIENCE)
        page.faults, page.asked = [], []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on(
            "console", lambda m: m.type == "error" and not NOISE.search(m.text) and page.faults.append(m.text)
        )
        page.on("request", lambda r: page.asked.append(r.url))
        page.goto(str(url) if "://" in str(url) else f"file://{url}")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def shown_notebook(tmp_path_factory):
    """An executed notebook, by plain papermill: frames, a body, a scene beside a film, a wipe, a still."""
    folder = tmp_path_factory.mktemp("browser")
    cells = (
        SHOWN,
        "show(frames, title='frames', fps=10)",
        "show(body, model=model, title='body', fps=10)",
        "scene = person_scene(body, model, fps=10)\nshow(scene, over=frames, title='scene')",
        "curves = {'error': Timeline([*range(11), np.nan], 'mm', 'high')}\n"
        "slider({'film': frames, 'avatar': frames[:, ::-1]}, compare=('film', 'avatar'), curves=curves)",
        "show(frames[0], title='still')",
    )
    page = (
        "from hvr_nb.report import write_player\n"
        "from hvr_nb.geometry.camera import project\n"
        "from hvr_nb.body.model import posed\n"
        "size = [body.camera.width, body.camera.height]\n"
        "middle = project(posed(model, body)[1][0], body.camera).mean(0) / size\n"
        "write_player('player.html', {'film': frames, 'avatar': frames[:, ::-1]}, fps=10, scene=scene,\n"
        "    note='%.4f %.4f' % tuple(middle), compare=('film', 'avatar'), curves=curves, title='a page');"
    )
    source = write_notebook(folder / "source.ipynb", "n: int = 1  # nothing", *cells, page)
    out = folder / "shown.ipynb"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HVR_NB")}
    command = [sys.executable, "-m", "papermill", source, out, "--no-progress-bar", "-k", "python3"]
    command += ["--start-timeout", str(PATIENCE)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="session")
def lab():
    """lab(folder, *options, **environment) -> a running JupyterLab; ``lab.sign`` trusts a notebook there."""
    _lab.sign = _sign
    return _lab


@contextmanager
def _lab(folder, *options: str, **environment: str):
    """A JupyterLab rooted in ``folder``; gives its address."""
    kinds = ("CONFIG", "DATA", "RUNTIME")
    private = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter" / kind) for kind in kinds}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root"]
    command += ["--IdentityProvider.token=", "--LabApp.news_url=None", f"--ServerApp.root_dir={folder}"]
    said = folder / "lab.log"
    with open(said, "w") as log:
        everything = os.environ | private | environment
        server = subprocess.Popen([*command, *options], env=everything, stdout=log, stderr=log)
    try:
        until, address = (
            time.monotonic() + PATIENCE,
            re.compile(r"http://(?:127\.0\.0\.1|localhost):\d+(?=/lab)"),
        )
        while not (found := address.search(said.read_text())):
            assert time.monotonic() < until and server.poll() is None, said.read_text()[-2000:]
            time.sleep(0.2)
        yield found.group(0)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _sign(notebook, folder) -> None:
    """Trust a notebook as one's own Lab does; the signature lies in the data folder of ``lab``."""
    data = folder / ".jupyter" / "DATA"
    data.mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(data)).sign(nbformat.read(notebook, 4))
