"""A video of the frames with their 2D joints, beside the 3D skeletons on a turning floor.

It has every frame at the source's own rate, and the floor stays at one height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from hvr_nb.drawing import pictures, shading
from hvr_nb.drawing.skeletons import draw_posed
from hvr_nb.geometry.camera import project, to_camera
from hvr_nb.store.video import write_video
from hvr_nb.types import Camera, HvrError, Joints3D, Keypoints

TURN = 30.0  # degrees a second
GRID, LINE = 0.5, (226, 226, 230)  # metres between the lines of the floor, their colour
_ASPECT = 0.9  # of the 3D panel


def write_pose_video(
    path: str | Path,
    frames: np.ndarray,
    keypoints: Keypoints | Sequence[Keypoints],
    joints: Joints3D | Sequence[Joints3D],
    *,
    fps: float,
    times: np.ndarray | None = None,
    height: int = 480,
    turn: float = TURN,
) -> Path:
    """Write frames with their 2D joints beside the 3D joints as a video; returns ``path``.

    Args:
        path: .mp4, .mov or .mkv. frames: (T, H, W, 3) uint8 RGB.
        keypoints, joints: of T frames each, of one person or of several.
        fps: the frames' true rate. times: (T,) seconds, where it varies. height: of the video, pixels.
        turn: degrees a second of the 3D view.

    Raises:
        HvrError: lengths that differ, or nobody to show.
    """
    drawn = pose_pictures(frames, keypoints, joints, fps=fps, height=height, turn=turn)
    return write_video(path, drawn, fps=fps, times=times)


def pose_pictures(
    frames: np.ndarray,
    keypoints: Keypoints | Sequence[Keypoints],
    joints: Joints3D | Sequence[Joints3D],
    *,
    fps: float,
    height: int = 480,
    turn: float = TURN,
) -> Iterator[np.ndarray]:
    """The pictures (height, W, 3) of ``write_pose_video``, one a frame of (T, H, W, 3); same arguments."""
    flat = [keypoints] if isinstance(keypoints, Keypoints) else list(keypoints)
    solid = [joints] if isinstance(joints, Joints3D) else list(joints)
    lengths = {len(frames), *(len(k.points) for k in flat), *(len(j.points) for j in solid)}
    if len(lengths) > 1:
        raise HvrError(
            f"frames, keypoints and joints have different lengths ({sorted(lengths)}); give those of one clip"
        )
    stage = _Stage(solid, fps=fps, height=height)
    return _draw(frames, flat, solid, stage, np.radians(turn) / fps)


def _draw(frames, flat, solid, stage, step) -> Iterator[np.ndarray]:
    for t, frame in enumerate(tqdm(frames, desc="drawing", unit="frame", leave=False)):
        left = pictures.resized(frame, height=stage.height)
        ratio = np.array([left.shape[1] / frame.shape[1], left.shape[0] / frame.shape[0], 1.0])
        for person in flat:
            left = pictures.draw_skeleton(left, person.points[t] * ratio, person.filled[t])
        yield np.concatenate([left, stage.draw(solid, t, 0.4 + step * t)], axis=1)


class _Stage:
    """The scene of the 3D skeletons: a floor, and a view that follows them smoothly."""

    def __init__(self, people: list[Joints3D], *, fps: float, height: int):
        self.height = height
        points = np.concatenate([np.where(p.valid[:, None, None], p.points, np.nan) for p in people], 1)
        seen = np.isfinite(points).all(2).any(1)
        if not seen.any():
            raise HvrError("there is no 3D pose in any frame; nothing can be shown beside the frames")
        frames = np.arange(len(points))
        middle = np.stack([np.nanmean(points[seen][..., axis], axis=1) for axis in (0, 1, 2)], 1)
        middle = np.stack([np.interp(frames, frames[seen], m) for m in middle.T], 1)
        self.middle = gaussian_filter1d(middle, 0.5 * fps, axis=0, mode="nearest")
        away = points - self.middle[:, None]
        self.reach = float(np.nanmax(np.linalg.norm(away[..., [0, 2]], axis=-1))) + 0.15
        low, high = np.nanquantile(points[..., 1], 0.002), np.nanmax(points[..., 1]) + 0.1
        self.floor = 0.0 if abs(low) < 0.2 else float(low)
        self.top = float(max(high, self.floor + 1.0))

    def camera(self, t: int, angle: float) -> Camera:
        """A camera on the people of frame t, ``angle`` radians about the vertical."""
        x, _, z = self.middle[t]
        side = np.array([self.reach, 0, self.reach])
        lo, hi = np.array([x, self.floor, z]) - side, np.array([x, self.top, z]) + side
        return shading.viewpoint(lo, hi, angle=angle, height=self.height, aspect=_ASPECT)

    def draw(self, people: list[Joints3D], t: int, angle: float) -> np.ndarray:
        """(height, W, 3) the people of frame t on the floor."""
        camera = self.camera(t, angle)
        canvas = np.full((camera.height, camera.width, 3), 255, np.uint8)
        self._floor(canvas, camera, t)
        shown = [p for p in people if p.valid[t]]
        depth = [to_camera(p.points[t], camera)[:, 2].mean() for p in shown]
        for person in (shown[i] for i in np.argsort(depth)[::-1]):
            draw_posed(canvas, person, t, camera)
        return canvas if shown else pictures.write_text(canvas, "not observed", (8, 8), colour=(200, 40, 40))

    def _floor(self, canvas: np.ndarray, camera: Camera, t: int) -> None:
        size = np.ceil(1.3 * self.reach / GRID) * GRID
        centre = np.round(self.middle[t, [0, 2]] / GRID) * GRID  # the lines stay where they are in the world
        for offset in np.arange(-size, size + 1e-6, GRID):
            for along in (0, 1):
                ends = np.empty((2, 3))
                ends[:, 1] = self.floor
                ends[:, 2 * along] = centre[along] + np.array([-size, size])
                ends[:, 2 - 2 * along] = centre[1 - along] + offset
                _line(canvas, *project(ends, camera))


def _line(canvas: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    import cv2

    a, b = (tuple(int(v) for v in ((p - 0.5) * 16).round()) for p in (a, b))
    cv2.line(canvas, a, b, LINE, 1, cv2.LINE_AA, 4)
