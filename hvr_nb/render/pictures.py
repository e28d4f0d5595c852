"""Stage 06: pictures of an avatar from any camera in any pose, kept in folders and as mp4.

A rendered folder has ``rgb/``, ``alpha/`` (PNG, 8 bit) and ``depth/`` (PNG, 16 bit, millimetres), a
``manifest.json`` written last, and a video beside it. Pictures that were made of the same avatar, cameras
and poses are kept, so an interrupted run continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hvr_nb.drawing.pictures import over, to_uint8
from hvr_nb.methods import Avatar, require_gives
from hvr_nb.store.digests import file_digest
from hvr_nb.store.files import read_image, read_json, write_image, write_json
from hvr_nb.store.inside import check_names
from hvr_nb.store.video import write_video
from hvr_nb.threads import loops_may_meet, over_frames
from hvr_nb.types import Body, Camera, HvrError


@dataclass(frozen=True)
class Pictures:
    """Rendered frames."""

    rgb: np.ndarray  # (T, H, W, 3) uint8 over black
    alpha: np.ndarray  # (T, H, W) uint8
    depth: np.ndarray  # (T, H, W) uint16 millimetres, 0 where empty

    def on(self, background: np.ndarray | float = 255.0) -> np.ndarray:
        """(T, H, W, 3) uint8 the pictures over a colour or over frames of their size."""
        return over(self.rgb, self.alpha, background)

    def at(self, which: np.ndarray) -> Pictures:
        """Some of the frames, by their indices (N,)."""
        return Pictures(self.rgb[which], self.alpha[which], self.depth[which])

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
    check_names(names, folder, "give plain names that differ")
    key = _key(avatar, body, cameras, frames)
    manifest, video = folder / "manifest.json", folder.with_suffix(".mp4")
    state = _kept(manifest, key)
    done = {name for name in names if name in state["names"] and _is_whole(folder, name)}
    if len(done) < count:
        write_json(manifest, {"key": key, "complete": False, "names": sorted(done)})
        video.unlink(missing_ok=True)  # a run killed before the new one is written would keep the old one

    def draw(k: int) -> None:
        picture = avatar.render(cameras[k], body.frame(k if len(body) > 1 else 0), frame=frames[k])
        write_image(folder / "rgb" / f"{names[k]}.png", to_uint8(picture.rgb))
        write_image(folder / "alpha" / f"{names[k]}.png", to_uint8(picture.alpha))
        write_depth(folder / "depth" / f"{names[k]}.png", picture.depth)

    left = [k for k in range(count) if names[k] not in done]
    desc = f"rendering {folder.name}"
    for k in tqdm(_in_order(draw, left), desc=desc, unit="frame", total=count, initial=count - len(left)):
        done.add(names[k])
        if (k + 1) % 8 == 0 or k + 1 == count:
            write_json(manifest, {"key": key, "complete": len(done) == count, "names": sorted(done)})
    pictures = load_pictures(folder, names)
    if not video.is_file() or file_digest(video) != state.get("video"):
        write_video(video, pictures.rgb, fps=fps, times=times)
        written = {"key": key, "complete": True, "names": sorted(names), "video": file_digest(video)}
        write_json(manifest, written)
    return pictures


def _in_order(draw: Callable[[int], object], which: list[int]) -> Iterator[int]:
    """Draw two pictures at a time: while one waits for Python, the other one's sums are done.

    The first is drawn alone, as it makes what the avatar keeps for all.
    """
    for k in which[:1]:
        draw(k)
        yield k
    yield from over_frames(draw, which[1:], at_once=2 if loops_may_meet() else 1)


def _kept(manifest: Path, key: str) -> dict:
    """The manifest of pictures that are the same as those of ``key``, or one of none."""
    try:
        state = read_json(manifest, remedy="")
    except HvrError:  # missing, or cut by a power failure
        state = {}
    return state if state.get("key") == key and isinstance(state.get("names"), list) else {"names": []}


def _is_whole(folder: Path, name: str) -> bool:
    """Whether all pictures of a name can be read."""
    try:
        load_pictures(folder, [name])
    except HvrError:
        return False
    return True


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
    """Read a rendered folder; ``names`` None takes all that its manifest lists.

    Raises:
        HvrError: it is not complete, or a picture is missing or damaged.
    """
    folder, remedy = Path(folder), "run 06_render again"
    if names is None:
        manifest = read_json(folder / "manifest.json", remedy=remedy)
        if not manifest.get("complete"):
            raise HvrError(f"{folder} is not complete; {remedy}")
        names = check_names(manifest.get("names") or [], folder / "manifest.json", remedy)

    def stack(layer: str) -> np.ndarray:
        return np.stack([read_image(folder / layer / f"{n}.png", remedy=remedy) for n in names])

    return Pictures(rgb=stack("rgb"), alpha=stack("alpha"), depth=stack("depth"))


def write_depth(path: Path, depth: np.ndarray) -> None:
    """Write depth (H, W) metres as 16-bit PNG in millimetres; empty (inf or 0) becomes 0."""
    millimetres = np.where(np.isfinite(depth), depth * 1000.0, 0.0).clip(0, 65535).astype(np.uint16)
    write_image(path, millimetres)
