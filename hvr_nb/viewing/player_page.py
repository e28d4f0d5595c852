"""What a view's player shows, as data, and the page it goes into (``assets/player.html``)."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.viewing.film import MIME, pack_film
from hvr_nb.viewing.scene_data import pack_scene
from hvr_nb.viewing.templates import fill_template
from hvr_nb.viewing.views import Timeline, View

BUDGET = 1_600_000  # characters of pictures in a player of a notebook: nine fit into 15 MB, with their stills
TALLEST = 420  # pixels of a row of pictures in a notebook


def player_data(view: View, **film) -> dict:
    """All that ``assets/player.js`` needs of a view.

    Args:
        film: options of ``pack_film``; default a notebook's budget.
    """
    panels = {} if view.still_panels else view.panels
    scene = view.scene() if view.scene else None
    packed = pack_film(panels, view.count, **({"budget": BUDGET} | film)) if panels else []
    labels = [panel["label"] for panel in packed]
    count = max([view.count if packed else 1, scene.count if scene else 1])
    return {
        "title": view.title,
        "note": view.note,
        "fps": float(view.fps),
        "count": count,
        "captions": list(view.captions) if packed else [],
        "names": list(view.names),
        "mime": MIME,
        "panels": packed,
        "compare": list(view.compare) if view.compare else None,
        "curves": [_curve(name, curve) for name, curve in view.curves.items()],
        "notes": [_note(note) for note in view.notes],
        "scene": pack_scene(scene, panel=labels.index("film") if "film" in labels else len(labels) - 1)
        if scene
        else None,
        "sceneAspect": 1.0,
        "inline": True,
        "tallest": TALLEST,
    }


def page_text(data: Mapping[str, object]) -> str:
    """The page that plays ``data``; it loads nothing from elsewhere."""
    return fill_template("player.html", title=data["title"] or "player", data=data)


def _curve(name: str, curve: Timeline) -> dict:
    values = [float(v) if math.isfinite(v) else None for v in np.asarray(curve.values, float)]
    return {"label": name, "values": values, "unit": curve.unit, "worst": curve.worst}


def _note(note: np.ndarray) -> dict:
    source = base64.b64encode(pictures.encode_jpeg(note, quality=88)).decode()
    return {"src": f"data:image/jpeg;base64,{source}", "alt": "legend or curves of what is above"}
