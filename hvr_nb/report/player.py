"""A scrubbing player: film, body overlay and render side by side in one offline HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hvr_nb.drawing import pictures
from hvr_nb.store.atomic_files import atomic
from hvr_nb.types import Body, HvrError, check_fps
from hvr_nb.viewing.templates import fill_template

# the 3D page asks for the time once it is ready, and follows the player's messages
_FOLLOW = """
window.addEventListener("message", event => K3DInstance.setTime(event.data.time));
parent.postMessage("ready", "*");
"""


def write_player(
    path: str | Path,
    clips: Mapping[str, np.ndarray],
    *,
    fps: float,
    max_side: int = 480,
    quality: int = 80,
    title: str = "",
    note: str = "",
    names: Sequence[str] = (),
    body: Body | None = None,
    model=None,
) -> Path:
    """Write one offline HTML page that plays clips side by side, in step.

    Args:
        path: the .html file. clips: label -> (T, H, W, 3) uint8 frames, all of the same T.
        fps: frames per second. max_side: larger side of a picture in the page, pixels.
        quality: of the JPEG pictures, 0..100. names: T frame names; default 0, 1, ...
        body: also show this body (T frames) as a 3D scene that follows the player.
        model: its ``BodyModel``; default ``load_body_model()``.

    Returns:
        ``path``.
    """
    path = Path(path)
    counts = {label: len(frames) for label, frames in clips.items()}
    if not counts or len(set(counts.values())) != 1 or not min(counts.values()):
        raise HvrError(f"{path}: a player needs clips of the same length, not {counts or 'none'}")
    check_fps(fps)
    count = next(iter(counts.values()))
    panels = [
        {"label": label, "frames": [_packed(image, max_side, quality) for image in frames]}
        for label, frames in clips.items()
    ]
    film = {"fps": float(fps), "names": list(names) or [str(i) for i in range(count)], "panels": panels}
    scene = _scene(body, model, count, fps) if body is not None else ""
    page = fill_template(
        "player.html",
        title=title or path.stem,
        note=note,
        film=film,
        scene=scene,
    )
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _packed(image: np.ndarray, max_side: int, quality: int) -> str:
    small = pictures.resized(pictures.as_rgb(image), max_side=max_side)
    return base64.b64encode(pictures.encode_jpeg(small, quality=quality)).decode()


def _scene(body: Body, model, count: int, fps: float) -> str:
    from hvr_nb.body.model import load_body_model, posed
    from hvr_nb.viewing.scenes import moving_mesh, snapshot

    if len(body) != count:
        raise HvrError(f"the body has {len(body)} frames and the clips {count}; give those of the same clip")
    model = model or load_body_model()
    plot, _ = moving_mesh(posed(model, body)[0], model.faces, fps=fps)
    plot.menu_visibility = False
    return snapshot(plot, script=_FOLLOW)
