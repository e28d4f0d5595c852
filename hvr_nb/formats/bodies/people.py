"""A person as another system found it: SMPL-family poses in the axes of its own camera, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hvr_nb.types import HvrError

LONGEST = 1_000_000  # frames; more is taken for a damaged file
# pelvis at rest of the neutral mean bodies, metres
PELVIS = {"smpl": (-0.0018, -0.2233, 0.0282), "smplx": (0.0031, -0.3514, 0.0120)}


@dataclass(frozen=True)
class FoundPerson:
    """One person in N frames of the film; standard SMPL: rotation about the rest pelvis, then ``transl``."""

    frames: np.ndarray  # (N,) int, frame numbers in the film, or in the pictures given to the system
    poses: np.ndarray  # (N, 72) axis-angle, camera axes (x right, y down, z away) for the root
    transl: np.ndarray  # (N, 3) metres, camera axes
    betas: np.ndarray  # (10,) of ``kind``
    kind: str = "smpl"  # "smpl" (SMPL-H too) or "smplx"
    focal: float = 0.0  # pixels of a picture of ``size``; 0: ``focal_share`` gives it
    focal_share: float = 0.0  # focal length over the larger side (or the diagonal) of the film
    diagonal: bool = False  # ``focal_share`` is of the diagonal
    centre: tuple[float, float] | None = None  # principal point, pixels; None: the middle
    size: tuple[int, int] | None = None  # width, height that ``focal`` belongs to; None: the film's
    height: int = 0  # of those pictures, where only that is known
    axes: str = "camera"  # or "world": no camera of its own, +Y up

    def lens(self, film: tuple[int, int]) -> np.ndarray:
        """(3, 3) intrinsics in pixels of a film of this width and height."""
        share = self.focal_share * (np.hypot(*film) if self.diagonal else max(film))
        scale = film[0] / self.size[0] if self.size else film[1] / self.height if self.height else 1.0
        f = self.focal * scale if self.focal else share
        cx, cy = np.multiply(self.centre, scale) if self.centre else np.divide(film, 2)
        if not (np.isfinite([f, cx, cy]).all() and f > 0):
            raise HvrError(f"a focal length of {f} and a centre of ({cx}, {cy}) make no camera")
        return np.array([[f, 0, cx], [0, f, cy], [0, 0, 1.0]])


def person(frames, poses, transl, betas, **camera) -> FoundPerson:
    """A checked FoundPerson of (N, ...) values.

    Args:
        frames: N numbers. poses: (N, 72 or at least 66) axis-angle, (N, J, 3), or (N, J, 3, 3) matrices; the
            first 22 joints are SMPL's, and the hands too where there are 24.
        transl: (N, 3). betas: (10 or more,) or one for each frame, of which the median is taken.

    Raises:
        ValueError: they do not belong together or are not finite.
    """
    poses = np.asarray(poses, float)
    count = len(poses)
    transl, frames = np.asarray(transl, float).reshape(-1, 3), np.asarray(frames).astype(np.int64).ravel()
    if not 0 < count <= LONGEST or len(transl) != count or len(frames) != count:
        raise ValueError(f"{count} poses, {len(transl)} translations and {len(frames)} frame numbers")
    if poses.ndim == 4:
        rotations = poses.reshape(-1, 3, 3)
        u, _, vt = np.linalg.svd(rotations)
        u[..., -1] *= np.sign(np.linalg.det(u @ vt))[:, None]
        poses = Rotation.from_matrix(u @ vt).as_rotvec().reshape(count, -1)
    poses = poses.reshape(count, -1)
    kept = 72 if poses.shape[1] == 72 else 66
    if poses.shape[1] < 66:
        raise ValueError(f"poses of {poses.shape[1]} values; 22 joints are needed")
    full = np.zeros((count, 72))
    full[:, :kept] = poses[:, :kept]
    betas = np.asarray(betas, float)
    betas = np.median(betas.reshape(-1, betas.shape[-1]), axis=0)[:10]
    betas = np.pad(betas, (0, 10 - len(betas)))
    if not all(np.isfinite(x).all() for x in (full, transl, betas)):
        raise ValueError("values that are not finite")
    order = np.argsort(frames, kind="stable")
    frames, first = np.unique(frames[order], return_index=True)
    order = order[first]
    return FoundPerson(frames, full[order], transl[order], betas, **camera)
