"""What a notebook keeps of a view: a player that needs no kernel, over a still strip, in one output.

The output has two forms. As HTML it is the player in an iframe whose whole text is in the notebook, laid over
the strip: a reader that drops iframes (an untrusted notebook in Lab) shows the strip. As PNG it is the strip,
for readers that show no HTML. No widget is kept: its state dies with the kernel (docs/viewing.md).
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from hvr_nb.drawing import pictures
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.viewing.player_page import page_text, player_data
from hvr_nb.viewing.templates import fill_template
from hvr_nb.viewing.views import View

WIDTH, TILE, COLUMNS = 1400, 220, 8  # pixels of a strip, of a tile; most tiles in a strip
LARGEST = 300_000  # bytes of a still in full colour; larger ones get a palette of 256
HEIGHT = 470  # pixels of the frame until the player has taken its own height


def strip(view: View) -> np.ndarray:
    """One picture (H, W, 3) uint8 of a view: frames spread over the clip, a row a panel, then notes."""
    if not view.panels:
        return pictures.stack(list(view.notes))
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
        tile=TILE if len(view.panels) == 1 else 180,
        title=view.title,
        row_labels=rows,
    )
    return pictures.stack([sheet, *view.notes])


def saved_forms(view: View) -> tuple[dict[str, str], dict]:
    """The output of a view by mime type, and its metadata; ``text/html`` only where something moves."""
    still = strip(view)
    words = view.title or "pictures"
    png = base64.b64encode(encode_still(still)).decode()
    data = {"image/png": png, "text/plain": f"[{words}]"}
    if view.plays:
        poster = base64.b64encode(pictures.encode_jpeg(still, quality=60)).decode()
        page = page_text(player_data(view))
        data["text/html"] = fill_template("frame.html", page=page, poster=poster, words=words, height=HEIGHT)
    return data, {"image/png": {"alt": words}}


def show_saved(view: View) -> None:
    """Display a view so that the notebook keeps it."""
    from IPython.display import display

    data, metadata = saved_forms(view)
    display(data, metadata=metadata, raw=True)


def encode_still(image: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as PNG; a large one in 256 colours, which a strip of photographs bears."""
    picture = Image.fromarray(pictures.as_rgb(image))
    for made in (picture, picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)):
        buffer = io.BytesIO()
        made.save(buffer, "PNG", optimize=made.mode == "P")
        if buffer.tell() <= LARGEST:
            break
    return buffer.getvalue()
