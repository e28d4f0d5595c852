"""A chain of a few lines that writes everything a clip can hold: pictures, arrays, an avatar, a film, pages.

It runs in this process, without kernels, so that a run takes a tenth of a second. The notebooks stand for
the real ones because what is tortured is how files are written and read, which is the package's.
"""

from __future__ import annotations

from pathlib import Path

import nbformat

from hvr_nb.batch.parameters import read_parameters

FRAMES = """
import numpy as np
from pathlib import Path
from hvr_nb.store.clip import Clip
from hvr_nb.types import Camera
value = int(Path(video).read_text())
frames = np.random.default_rng(value).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
c = Clip.create(clip, frames, fps=30.0, names=["a", "b"], times=np.zeros(2), source={})
c.save("camera", Camera(np.eye(3), 8, 8))
c.record("00_video", frames=2)
"""
MASKS = """
import numpy as np
from hvr_nb.store.clip import Clip
from hvr_nb.types import Masks
c = Clip.open(clip)
c.save("masks", Masks(c.frames[..., 0], c.frames[..., 1]))
c.record("02_masks", cover=c.masks.alpha.mean())
"""
TRAIN = """
import numpy as np
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_json
class Doll:
    def save(self, folder):
        np.savez(folder / "weights.npz", a=np.arange(1000))
        write_json(folder / "options.json", {"method": method})
c = Clip.open(clip)
c.save_avatar(method, Doll(), made_from=("masks",))
c.record("05_train", seconds=1)
"""
RENDER = """
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import write_image
c = Clip.open(clip)
c.metrics
out = c.render_folder(method)
write_image(out / "frames" / "rgb" / "a.png", c.frames[0])
(out / "frames.mp4").write_bytes(bytes(1000))
(c.folder / "player.html").write_text("page")
"""
STAND_IN = {
    "00_video": ('video: str = ""  # file\nclip: str = "x"  # clip', FRAMES),
    "02_masks": ('clip: str = "x"  # clip', MASKS),
    "05_train": ('clip: str = "x"  # clip\nmethod: str = "doll"  # method', TRAIN),
    "06_render": ('clip: str = "x"  # clip\nmethod: str = "doll"  # method', RENDER),
}


def write_stand_in(folder: Path) -> Path:
    """Write the notebooks into a folder; returns it."""
    for name, (parameters, code) in STAND_IN.items():
        write_cells(folder / f"{name}.ipynb", parameters, code)
    return folder


def write_cells(path: Path, parameters: str, *cells: str) -> Path:
    """Write a notebook of a parameters cell and others."""
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    book = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


def execute_in_process(path: Path, out: Path, _cwd: Path, params: dict, *_limits) -> None:
    """Takes the place of ``hvr_nb.batch.notebook._execute``: the cells run here."""
    names = {name: p.default for name, p in read_parameters(path).items()} | params
    book = nbformat.read(path, 4)
    for cell in book.cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", ()):
            exec(cell.source, names)
    nbformat.write(book, out)
