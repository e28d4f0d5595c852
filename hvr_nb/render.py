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

from hvr_nb.clip import read_image, read_json, write_image, write_json
from hvr_nb.geometry import camera_centre, look_at, orbit, project
from hvr_nb.types import Body, Camera, HvrError
from hvr_nb.video import write_video


@dataclass(frozen=True)
class Pictures:
    """Rendered frames."""

    rgb: np.ndarray  # (T, H, W, 3) uint8 over black
    alpha: np.ndarray  # (T, H, W) uint8
    depth: np.ndarray  # (T, H, W) uint16 millimetres, 0 where empty

    def __repr__(self) -> str:
        return f"Pictures({len(self.rgb)} frames {self.rgb.shape[2]}x{self.rgb.shape[1]})"


def vertical_axis(joints: np.ndarray) -> np.ndarray:
    """(3,) the person's own up direction: from the ankles to the neck, mean over the clip.

    World Y is returned where the person does not stand (mean direction over 45 degrees off).

    Args:
        joints: (T, 24, 3) SMPL joints, metres.
    """
    up = (joints[:, 12] - joints[:, [7, 8]].mean(1)).mean(0)
    up /= np.linalg.norm(up)
    return up if up[1] > np.cos(np.pi / 4) else np.array([0.0, 1.0, 0.0])


def turntable(camera: Camera, joints: np.ndarray, *, views: int, frame: int = 0) -> list[Camera]:
    """Cameras on a circle about the person's own vertical axis, starting at ``camera``.

    Args:
        camera: the clip's camera. joints: (T, 24, 3) SMPL joints, metres.
        views: how many. frame: the frame whose middle is circled.
    """
    centre, axis = joints[frame].mean(0), vertical_axis(joints)
    return [orbit(camera, centre, 2 * np.pi * k / views, axis=axis) for k in range(views)]


def whole_frame(body: Body, joints: np.ndarray, *, border: float = 0.03) -> int:
    """Index of the first frame whose person is wholly in the picture; else of the one with most joints in it.

    Args:
        joints: (T, 24, 3) SMPL joints, metres. border: joints this close to the edge (as a share of
            the picture) are not counted as in it.
    """
    camera = body.camera
    points = np.stack([project(frame, camera) for frame in joints])
    size = np.array([camera.width, camera.height])
    inside = ((points > border * size) & (points < (1 - border) * size)).all(-1).sum(1)
    return int(np.argmax(np.where(body.valid, inside, -1)))


def portrait(camera: Camera, joints: np.ndarray, *, least: int = 256) -> Camera:
    """A camera at the place of ``camera`` turned to a person, its square picture cut to fit.

    Args:
        joints: (..., 3) all the joints to be seen, metres.
        least: side of the picture, pixels, where the person is filmed smaller than that.
    """
    points = joints.reshape(-1, 3)
    middle = points.mean(0)
    eye = camera_centre(camera)
    radius = np.linalg.norm(points - middle, axis=1).max() + 0.25  # the skull, hands and clothes reach beyond
    filmed = 2 * radius * camera.K[1, 1] / np.linalg.norm(middle - eye)
    side = int(np.clip(2 * np.ceil(filmed / 2), least, max(camera.width, camera.height, least)))
    focal = camera.K[1, 1] * side / filmed
    K = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]])
    return look_at(eye, middle, Camera(K, side, side), up=-camera.R[1])


def render_pictures(
    avatar,
    body: Body,
    cameras: Sequence[Camera],
    folder: str | Path,
    *,
    names: Sequence[str],
    fps: float,
    frames: Sequence[int | None] | None = None,
) -> Pictures:
    """Render pose k of ``body`` from ``cameras[k]``; write pictures and ``<folder>.mp4``.

    Args:
        avatar: anything with ``fingerprint`` (str) and ``render(camera, pose, frame=)``.
        body: N poses (or one, used for every camera). cameras: N. names: N file names.
        frames: N training frame indices for the appearance of that moment, None = no moment.
        fps: rate of the video.
    """
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
        write_video(video, pictures.rgb, fps=fps)
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


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Float 0..1 pictures as uint8 (uint8 passes through)."""
    if image.dtype == np.uint8:
        return image
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def write_depth(path: Path, depth: np.ndarray) -> None:
    """Write depth (H, W) metres as 16-bit PNG in millimetres; empty (inf or 0) becomes 0."""
    millimetres = np.where(np.isfinite(depth), depth * 1000.0, 0.0).clip(0, 65535).astype(np.uint16)
    write_image(path, millimetres)


def over(rgb: np.ndarray, alpha: np.ndarray, background: np.ndarray | float = 255.0) -> np.ndarray:
    """Pictures over black (..., H, W, 3) with alpha (..., H, W) uint8, set on another background."""
    shade = np.asarray(background, np.float32) * (1.0 - alpha[..., None].astype(np.float32) / 255.0)
    return np.clip(rgb + shade + 0.5, 0, 255).astype(np.uint8)
