"""The report of one clip: what every stage saw, measured quality, how it was made."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hvr_nb import __version__, methods
from hvr_nb.body.model import load_body_model
from hvr_nb.drawing.pictures import contact_sheet
from hvr_nb.drawing.shading import body_from_sides
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.report.pages import Section, write_report
from hvr_nb.store.clip import Clip
from hvr_nb.store.files import read_image, results
from hvr_nb.store.markers import read_marker
from hvr_nb.viewing.saved import strip
from hvr_nb.viewing.views import as_view, side_by_side

STAGE_TITLES = {
    "00_video": "Video", "01_keypoints": "Joints in the picture", "02_masks": "Silhouette and parsing",
    "03_body": "Body", "04_canonical": "Big pose", "05_train": "Training the avatar",
    "06_render": "Rendered quality", "07_visualize": "Look",
}  # fmt: skip
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
    frames, source = clip.frames, clip.info["source"]
    height, width = frames.shape[1:3]
    intro = (
        f"{len(frames)} frames of {width} x {height} pixels at {clip.fps:.4g} frames per second, "
        f"from {source.get('file', 'an unnamed source')}"
    )
    opening = (
        [
            Section(
                "At a glance",
                pictures={"": strip(side_by_side(dict(pictures), fps=clip.fps))},
                links=_links(clip.folder, method, path.parent),
            )
        ]
        if pictures
        else []
    )
    doubts = (
        [Section("What to doubt", facts={k: " ".join(v) for k, v in clip.doubts.items()})]
        if clip.doubts
        else []
    )
    stages = [_stage(clip, stage, numbers, method) for stage, numbers in clip.metrics.items()]
    return write_report(
        path,
        [*doubts, *opening, *stages, *_provenance(clip)],
        title=f"{clip.name}: video to avatar",
        intro=intro,
        synthetic=source.get("synthetic", False),
    )


def _stage(clip: Clip, stage: str, numbers: Mapping[str, object], method: str) -> Section:
    count, numbers = len(clip), {k: v for k, v in numbers.items() if k != "doubts"}
    texts = {k.replace("_", " "): v for k, v in numbers.items() if isinstance(v, str) and v}
    scalars = {k: v for k, v in numbers.items() if np.ndim(v) == 0 and not isinstance(v, str)}
    series = {k: np.asarray(v, float) for k, v in numbers.items() if np.ndim(v) == 1 and len(v) == count}
    return Section(
        f"{stage[:2]}  {STAGE_TITLES.get(stage, stage)}",
        facts=texts | (_given(method) if stage == "05_train" and method else {}),
        numbers=scalars,
        series=series,
        pictures=_stage_pictures(clip, stage, method),
    )


def _given(name: str) -> dict[str, str]:
    """What the avatars of a method give, and what they do not."""
    gives, words = methods.method(name).GIVES, methods.WORDS
    given, left = ([words[word] for word in words if (word in gives) == has] for has in (True, False))
    facts = {"method": name, "its avatar gives": "; ".join(given), "it does not give": "; ".join(left)}
    return {key: text for key, text in facts.items() if text}


def _stage_pictures(clip: Clip, stage: str, method: str) -> dict[str, np.ndarray]:
    """caption -> (H, W, 3) uint8 picture of what the stage made."""
    if stage == "01_keypoints" and clip.has("keypoints"):
        return {"": strip(as_view(clip.keypoints, over=clip.frames))}
    if stage == "02_masks" and clip.has("masks"):
        return {"": strip(as_view(clip.masks, over=clip.frames))}
    if stage == "03_body" and clip.has("body") and clip.body.model_hash == load_body_model().hash:
        sides = body_from_sides(clip.body, load_body_model())
        return {"": strip(as_view(clip.body, over=clip.frames)), "from four sides": sides}
    if stage == "04_canonical" and clip.has("canonical"):
        return {"": strip(as_view(clip.canonical))}
    if stage == "06_render" and method:
        return _render_pictures(clip.folder / "renders" / method)
    return {}


def _render_pictures(folder: Path) -> dict[str, np.ndarray]:
    """The turntable and the novel poses of a method's renders, where there are any."""
    from hvr_nb.drawing.pictures import over
    from hvr_nb.render.pictures import load_pictures

    found = {}
    for name, caption in (("turntable", "turntable"), ("novel_poses", "poses never filmed")):
        if (folder / name / "manifest.json").exists():
            made = load_pictures(folder / name)
            images = over(made.rgb, made.alpha)
            shown = spread_indices(len(images), 8)
            found[caption] = contact_sheet([images[i] for i in shown], tile=200)
    if (folder / "coverage.png").exists():
        found["surface that was filmed"] = read_image(folder / "coverage.png", remedy="run 06_render again")
    return found


def _links(folder: Path, method: str, base: Path) -> dict[str, str]:
    """Text -> relative path of what else lies in the clip, where it is there."""
    wanted = {"player": folder / "player.html"}
    wanted |= {f"{p.stem.replace('_', ' ')} video": p for p in results(folder / "renders" / method, "*.mp4")}
    wanted |= {f"{p.stem} mesh": p for p in results(folder / "renders" / method, "*.glb")}
    wanted |= {p.stem: p for p in results(folder / "runs", "[0-9]*.ipynb")}
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
