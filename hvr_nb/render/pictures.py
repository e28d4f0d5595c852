"""Stage 06: pictures of an avatar from any camera in any pose, kept in folders and as mp4.

A rendered folder has ``rgb/``, ``alpha/`` (PNG, 8 bit) and ``depth/`` (PNG, 16 bit, millimetres),
a ``manifest.json`` written last and a video beside it. Pictures already made from the same
avatar, cameras and poses are kept, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import to_uint8
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.store.files import read_image, read_json, write_image, write_json
from hvr_nb.store.video import write_video
from hvr_nb.types import Body, Camera, HvrError


@dataclass(frozen=True)
class Pictures:
    """Rendered frames."""

    rgb: np.ndarray  # (T, H, W, 3) uint8 over black
    alpha: np.ndarray  # (T, H, W) uint8
    depth: np.ndarray  # (T, H, W) uint16 millimetres, 0 where empty

    def __repr__(self) -> str:
        return f"Pictures({len(self.rgb)} frames {self.rgb.shape[2]}x{self.rgb.shape[1]})"


def render_pictures(
    avatar: Avatar,
    body: Body,
    cameras: Camera | Sequence[Camera],
    folder: str | Path,
    *,
    names: Sequence[str],
    fps: float,
    times: np.ndarray | None = None,
    frames: Sequence[int | None] | None = None,
) -> Pictures:
    """Render pose k of ``body`` from ``cameras[k]``; write pictures and ``<folder>.mp4``.

    Args:
        avatar: of a method that gives ``render``.
        body: N poses, or one for all cameras.
        cameras: N, or one for all poses. names: N file names.
        frames: N frames of the clip whose wrinkles and light to show, or None for the mean of all frames.
        fps: frames per second of the video. times: (N,) seconds of the pictures, where the rate varies.

    Raises:
        HvrError: the numbers differ, or the avatar gives no pictures.
    """
    require_gives(avatar, "render_pictures", "render")
    cameras = [cameras] * len(names) if isinstance(cameras, Camera) else list(cameras)
    folder, count = Path(folder), len(cameras)
    frames = list(frames) if frames is not None else [None] * count
    if len(names) != count or len(frames) != count or len(body) not in (1, count):
        raise HvrError(
            f"{count} cameras, {len(names)} names, {len(frames)} frames and {len(body)} poses differ"
        )
    key = _key(avatar, body, cameras, frames)
    manifest = folder / "manifest.json"
    kept = manifest.exists() and read_json(manifest, remedy="delete the folder").get("key") == key
    video = folder.with_suffix(".mp4")
    if not kept:
        write_json(manifest, {"key": key, "complete": False, "names": []})
        video.unlink(missing_ok=True)  # of other pictures; a run killed before the new one would keep it
    done = set(read_json(manifest, remedy="delete the folder")["names"])
    for k in tqdm(range(count), desc=f"rendering {folder.name}", unit="frame"):
        if names[k] in done:
            continue
        picture = avatar.render(cameras[k], body.frame(k if len(body) > 1 else 0), frame=frames[k])
        write_image(folder / "rgb" / f"{names[k]}.png", to_uint8(picture.rgb))
        write_image(folder / "alpha" / f"{names[k]}.png", to_uint8(picture.alpha))
        write_depth(folder / "depth" / f"{names[k]}.png", picture.depth)
        done.add(names[k])
        if (k + 1) % 8 == 0 or k + 1 == count:
            write_json(manifest, {"key": key, "complete": k + 1 == count, "names": sorted(done)})
    pictures = load_pictures(folder, names)
    if not video.exists():
        write_video(video, pictures.rgb, fps=fps, times=times)
    return pictures


def _key(avatar, body: Body, cameras, frames) -> str:
    digest = hashlib.sha256(avatar.fingerprint.encode())
    for array in (body.betas, body.poses, body.transl):
        digest.update(np.ascontiguousarray(array, dtype=np.float64))
    for camera in cameras:
        digest.update(np.concatenate([camera.K.ravel(), camera.R.ravel(), camera.t]).tobytes())
        digest.update(f"{camera.width}x{camera.height}".encode())
    digest.update(repr(list(frames)).encode())
    return digest.hexdigest()


def load_pictures(folder: str | Path, names: Sequence[str] | None = None) -> Pictures:
    """Read a rendered folder; ``names`` None takes all that its manifest lists."""
    folder, remedy = Path(folder), "run 06_render again"
    if names is None:
        manifest = read_json(folder / "manifest.json", remedy=remedy)
        if not manifest.get("complete"):
            raise HvrError(f"{folder} is not complete; {remedy}")
        names = manifest["names"]

    def stack(layer: str) -> np.ndarray:
        return np.stack([read_image(folder / layer / f"{n}.png", remedy=remedy) for n in names])

    return Pictures(rgb=stack("rgb"), alpha=stack("alpha"), depth=stack("depth"))


def write_depth(path: Path, depth: np.ndarray) -> None:
    """Write depth (H, W) metres as 16-bit PNG in millimetres; empty (inf or 0) becomes 0."""
    millimetres = np.where(np.isfinite(depth), depth * 1000.0, 0.0).clip(0, 65535).astype(np.uint16)
    write_image(path, millimetres)
