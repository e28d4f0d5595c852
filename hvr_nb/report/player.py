"""The player as one offline page: film, body and avatar in step, their 3D scene, a wipe, curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hvr_nb.metrics.images import psnr
from hvr_nb.store.atomic_files import atomic
from hvr_nb.store.clip import Clip
from hvr_nb.types import HvrError
from hvr_nb.viewing.player_page import page_text, player_data
from hvr_nb.viewing.views import Timeline, side_by_side

BUDGET = 40_000_000  # characters of pictures in a page, which is a file of its own


def write_player(
    path: str | Path,
    clips: Mapping[str, np.ndarray],
    *,
    fps: float,
    max_side: int = 480,
    quality: int = 80,
    title: str = "",
    **look,
) -> Path:
    """Write one offline HTML page that plays clips in step.

    Args:
        path: the .html file. clips: label -> (T, H, W, 3) uint8 frames, all of the same T.
        fps: frames per second. max_side: larger side of a picture in the page, pixels.
        quality: of the WebP pictures, 0..100.
        look: ``names`` (T frame names), ``note`` (words beside the title), ``compare`` (two labels to wipe
            between), ``curves`` (label -> ``Timeline``), ``scene`` (a ``Scene`` of T frames).

    Returns:
        ``path``.
    """
    path = Path(path)
    counts = {label: len(frames) for label, frames in clips.items()}
    if not counts or len(set(counts.values())) != 1 or not min(counts.values()):
        raise HvrError(f"{path}: a player needs clips of the same length, not {counts or 'none'}")
    view = side_by_side(dict(clips), fps=fps, title=title or path.stem, **look)
    sides = tuple(max(16, round(max_side * share)) for share in (1, 0.8, 0.6, 0.4))
    data = player_data(view, budget=BUDGET, sides=sides, quality=quality) | {"inline": False}
    with atomic(path) as partial:
        partial.write_text(page_text(data), encoding="utf-8")
    return path


def frame_curves(clip: Clip, pictures: np.ndarray) -> dict[str, Timeline]:
    """What goes wrong when: figures of every frame for the player.

    Args:
        clip: with masks; the body's overlap is taken from what 03_body recorded.
        pictures: (T, H, W, 3) uint8, the avatar in every frame.
    """
    inside = clip.masks.alpha > 127
    pairs = zip(pictures, clip.frames, inside, strict=True)
    found = {"avatar against film, PSNR on body pixels": Timeline([psnr(a, b, m) for a, b, m in pairs], "dB")}
    overlap = clip.metrics.get("03_body", {}).get("iou")
    if overlap is not None and len(overlap) == len(clip):
        found["body against silhouette, IoU"] = Timeline(list(overlap))
    return found
