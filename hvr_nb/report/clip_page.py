"""The report of one clip: a headline, what every stage saw, measured quality, how it was made."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hvr_nb import __version__, methods
from hvr_nb.report.pages import Headline, Section, write_report
from hvr_nb.report.stage_pictures import finished_avatar, stage_curves, stage_pictures, worst_frame
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import results
from hvr_nb.store.markers import read_marker
from hvr_nb.viewing.saved import strip
from hvr_nb.viewing.views import side_by_side

STAGE_TITLES = {
    "00_video": "Video",
    "01_keypoints": "Joints in the picture",
    "02_masks": "Silhouette and parsing",
    "03_body": "Body",
    "04_canonical": "Big pose",
    "05_train": "Training the avatar",
    "06_render": "Rendered quality",
    "07_visualize": "Look",
}
LIBRARIES = ("numpy", "scipy", "torch", "opencv-python", "scikit-image", "smplx", "ai-edge-litert")


def clip_report(
    clip: Clip,
    *,
    method: str = "",
    pictures: Mapping[str, np.ndarray] | None = None,
    path: str | Path | None = None,
) -> Path:
    """Write ``report.html`` of a clip from what its stages left there.

    Args:
        clip: the clip. method: whose avatar and renders to show; "" shows none.
        pictures: label -> (T, H, W, 3) uint8 frames to open with, e.g. film, body, avatar.
        path: where to; default ``<clip>/report.html``.

    Returns:
        its path.
    """
    path = Path(path or clip.folder / "report.html")
    source, (width, height) = clip.info["source"], clip.size
    intro = (
        f"{len(clip)} frames of {width} x {height} pixels at {clip.fps:.4g} frames per second, "
        f"from {source.get('file', 'an unnamed source')}"
    )
    opening = Section(
        "At a glance",
        pictures={"frames over the clip": strip(side_by_side(dict(pictures), fps=clip.fps))}
        if pictures
        else {},
        links=_links(clip.folder, method, path.parent),
    )
    avatar = finished_avatar(clip, method)
    stages = [_stage(clip, stage, numbers, method, avatar) for stage, numbers in clip.metrics.items()]
    return write_report(
        path,
        [*([opening] if opening.pictures or opening.links else []), *stages, *_provenance(clip)],
        title=f"{clip.name}: video to avatar",
        intro=intro,
        headline=_headline(clip, pictures or {}),
        synthetic=source.get("synthetic", False),
    )


def _headline(clip: Clip, pictures: Mapping[str, np.ndarray]) -> Headline:
    """Figures of all stages that can be judged, all doubts, and the frame that is worst."""
    numbers = {name: value for stage in clip.metrics.values() for name, value in stage.items()}
    doubts = [f"{STAGE_TITLES.get(k, k)}: {text}" for k, texts in clip.doubts.items() for text in texts]
    worst, text = worst_frame(clip)
    shown = {label: clips[worst : worst + 1] for label, clips in pictures.items()} if worst >= 0 else {}
    return Headline(numbers, doubts, text, strip(side_by_side(shown)) if shown else None)


def _stage(clip: Clip, stage: str, numbers: Mapping[str, object], method: str, avatar) -> Section:
    count = len(clip)
    texts = {k.replace("_", " "): v for k, v in numbers.items() if isinstance(v, str) and v}
    scalars = {k: v for k, v in numbers.items() if np.ndim(v) == 0 and not isinstance(v, str)}
    series = {k: v for k, v in numbers.items() if np.ndim(v) == 1 and len(v) == count and k != "doubts"}
    return Section(
        f"{stage[:2]}  {STAGE_TITLES.get(stage, stage)}",
        facts=texts | (_given(method) if stage == "05_train" and method else {}),
        numbers=scalars,
        curves=stage_curves(clip, stage, series, avatar),
        pictures=stage_pictures(clip, stage, avatar, clip.folder / "renders" / method),
    )


def _given(name: str) -> dict[str, str]:
    """What the avatars of a method give, and what they do not."""
    gives, words = methods.method(name).GIVES, methods.WORDS
    given, left = ([words[word] for word in words if (word in gives) == has] for has in (True, False))
    facts = {"method": name, "its avatar gives": "; ".join(given), "it does not give": "; ".join(left)}
    return {key: text for key, text in facts.items() if text}


def _links(folder: Path, method: str, base: Path) -> dict[str, str]:
    """Text -> relative path of what else lies in the clip, where it is there."""
    wanted = {"player": folder / "player.html", "gallery of meshes": folder / "gallery.html"}
    wanted |= {f"{p.stem.replace('_', ' ')} video": p for p in results(folder / "renders" / method, "*.mp4")}
    wanted |= {f"{p.stem} mesh": p for p in results(folder / "renders" / method, "*.glb")}
    for notebook in results(folder / "runs", "[0-9]*.ipynb"):
        readable = notebook.with_suffix(".html")
        wanted[f"notebook {notebook.stem}"] = readable if readable.exists() else notebook
    return {
        text: str(p.relative_to(base)) for text, p in wanted.items() if p.exists() and p.is_relative_to(base)
    }


def _provenance(clip: Clip) -> list[Section]:
    """How the clip was made: source, parameters and seeds of every stage, versions."""
    source = {k: v for k, v in clip.info["source"].items() if v not in ("", None)}
    source["path"] = Path(source.get("path", "")).name
    runs = {}
    for file in results(clip.folder / "runs", "*.done.json"):
        done = read_marker(file)
        chosen = {k: v for k, v in done.params.items() if k not in ("clip", "video")}
        runs[file.name.removesuffix(".done.json")] = f"{json.dumps(chosen)}, {done.seconds:.0f} s"
    versions = {"hvr_nb": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    sections = [Section("Where the video came from", facts=source)]
    if runs:
        text = (
            "What was set on the command line; everything else is the default in the notebook's first cell."
        )
        sections.append(Section("Parameters of each notebook", text=text, facts=runs))
    return [*sections, Section("Versions", facts=versions)]
