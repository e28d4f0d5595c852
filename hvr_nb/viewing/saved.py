"""What a batch run keeps: a JPEG strip in the notebook and an offline 3D page beside it."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.store.atomic_files import atomic
from hvr_nb.viewing.views import View

WIDTH, TILE, COLUMNS = 1800, 260, 8  # pixels of a strip, of a tile; most tiles in a strip
AUTOPLAY = "K3DInstance.startAutoPlay();"
_page_number = itertools.count(1)


def html_dir() -> Path:
    """Where 3D pages go: ``HVR_NB_HTML_DIR``, or ``html`` in the working folder."""
    return Path(os.environ.get("HVR_NB_HTML_DIR", "html")).absolute()


def strip(view: View) -> np.ndarray:
    """One picture (H, W, 3) uint8 of a view: frames spread over the clip, a row a panel, then notes."""
    drawn = [draw(0) for draw in view.panels.values()]
    tile = TILE if view.count > 1 else max(image.shape[0] for image in drawn)
    wide = tile * max(image.shape[1] / image.shape[0] for image in drawn) + 6
    columns = int(np.clip(WIDTH // wide, 1, COLUMNS))
    if view.count == 1:  # panels of one picture go side by side
        sheet = pictures.contact_sheet(drawn, list(view.panels), tile=tile, title=view.title)
        return pictures.stack([sheet, *view.notes])
    shown = spread_indices(view.count, columns if view.moving else view.count)
    images = [draw(int(i)) for draw in view.panels.values() for i in shown]
    captions = [view.caption(int(i)) for i in shown]
    rows = [label for label in view.panels if label]
    sheet = pictures.contact_sheet(
        images,
        captions * len(view.panels),
        columns=min(columns, len(shown)),
        tile=TILE if len(view.panels) == 1 else 200,
        title=view.title,
        row_labels=rows,
    )
    return pictures.stack([sheet, *view.notes])


def show_saved(view: View) -> None:
    """Display the strip, and an iframe to the offline page where the view has a 3D scene."""
    from IPython.display import IFrame, Image, display

    display(Image(data=pictures.encode_jpeg(strip(view)), format="jpeg"))
    if view.scene is not None and os.environ.get("HVR_NB_BATCH") == "1":
        page = save_scene(view)
        base = Path(os.environ.get("HVR_NB_RUN_DIR", ".")).absolute()
        display(IFrame(os.path.relpath(page, base), width="100%", height=480))


def save_scene(view: View) -> Path:
    """Write the view's 3D scene as an offline page into ``html_dir()``; its path."""
    from hvr_nb.viewing.scenes import snapshot

    plot, times = view.scene()
    name = re.sub(r"[^a-z0-9]+", "-", view.title.lower())[:40].strip("-") or "scene"
    path = html_dir() / f"{next(_page_number):02d}-{name}.html"
    with atomic(path) as partial:
        partial.write_text(snapshot(plot, script=AUTOPLAY if len(times) else ""), encoding="utf-8")
    return path
