"""Shape space, joint regressor and pose correctives, learned from bodies (docs/body.md, 6, steps 7 to 9).

Loper et al., "SMPL", 2015, for the three; Mancewicz et al., "Delta Mush: smoothing deformations while
preserving detail", 2014, for the target of the correctives.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from scripts.assets.open_body.rig import MIRROR_JOINT, PARENTS

MIRROR = np.array([-1.0, 1.0, 1.0])
CANDIDATES, OWNED, SUM_WEIGHT, RIDGE = 200, 0.3, 100.0, 0.15  # joint regressor
MUSH_STEPS, POSES, POSE_RIDGE, SMALLEST = 12, 36, 0.02, 2e-5  # pose correctives
# Largest rotation of a joint among the training poses, degrees (joints 1..23, left side named).
LIMITS = {1: 95, 3: 37, 4: 110, 6: 37, 7: 38, 9: 37, 10: 30, 12: 38, 13: 20, 15: 38, 16: 85,
          18: 110, 20: 65, 22: 30}  # fmt: skip
ARMS = (13, 16, 18, 20, 22)  # bones along x; all others run along y


def shape_space(samples: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of bodies (N, V, 3): mean (V, 3), directions (V, 3, count), explained (count,).

    Directions are scaled by the standard deviation, so coefficients are about N(0, 1). The first one
    decreases with stature; in the others the largest entry is positive.
    """
    mean = samples.mean(0)
    flat = (samples - mean).reshape(len(samples), -1)
    _, s, vt = np.linalg.svd(flat, full_matrices=False)
    dirs = vt[:count] * s[:count, None] / np.sqrt(len(samples))
    dirs = dirs.reshape(count, -1, 3)
    for k in range(count):
        largest = dirs[k].reshape(-1)[np.abs(dirs[k]).argmax()]
        taller = dirs[k, mean[:, 1].argmax(), 1] - dirs[k, mean[:, 1].argmin(), 1]
        if (k == 0 and taller > 0) or (k > 0 and largest < 0):
            dirs[k] *= -1
    return mean, np.moveaxis(dirs, 0, -1), s[:count] ** 2 / (s**2).sum()


def joint_regressor(samples, joints, weights, mirror) -> np.ndarray:
    """(24, V) joint regressor with non-negative rows that sum to 1 (docs/body.md, 6, step 8).

    Args:
        samples: (N, V, 3) symmetric T-posed bodies. joints: (N, 24, 3) their joints, metres.
        weights: (V, 24) skin weights. mirror: (V,) mirror vertices.
    """
    mean = samples.mean(0)
    out = np.zeros((24, samples.shape[1]))
    for joint in range(24):
        if joint > MIRROR_JOINT[joint]:
            out[joint] = out[MIRROR_JOINT[joint]][mirror]
            continue
        near = np.linalg.norm(mean - joints[:, joint].mean(0), axis=1)
        owned = weights[:, [joint, max(PARENTS[joint], 0)]].max(1) > OWNED
        near[~owned] = np.inf
        ids = np.argsort(near, kind="stable")[: min(CANDIDATES, int(owned.sum()))]
        n = len(ids)
        points = samples[:, ids].transpose(0, 2, 1).reshape(-1, n)
        rows = [points, np.full((1, n), SUM_WEIGHT), RIDGE * np.eye(n)]
        goal = [joints[:, joint].reshape(-1), [SUM_WEIGHT], np.full(n, RIDGE / n)]
        out[joint, ids] = nnls(np.concatenate(rows), np.concatenate(goal))[0]
        if joint == MIRROR_JOINT[joint]:
            out[joint] = (out[joint] + out[joint][mirror]) / 2
    out[out < 1e-6] = 0.0
    return out / out.sum(1, keepdims=True)


class DeltaMush:
    """Delta mush: smooths a posed mesh, and adds the detail of the rest pose in local frames."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray):
        """Learn the detail of ``rest`` (V, 3) with triangles ``faces`` (F, 3)."""
        a, b = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        ring = coo_matrix((np.ones(len(a)), (a, b)), shape=(len(rest),) * 2).tocsr()
        ring.data[:] = 1.0
        mean = diags(1 / np.asarray(ring.sum(1)).ravel()) @ ring
        self.step: csr_matrix = (0.5 * mean + 0.5 * diags(np.ones(len(rest)))).tocsr()
        self.faces = faces
        self.corner = coo_matrix(
            (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))),
            shape=(len(rest), len(faces)),
        ).tocsr()
        self.toward = np.zeros(len(rest), int)
        self.toward[faces[::-1].ravel()] = np.roll(faces[::-1], -1, axis=1).ravel()
        smooth = self._smooth(rest)
        self.detail = np.einsum("nji,nj->ni", self._frames(smooth), rest - smooth)

    def _smooth(self, v: np.ndarray) -> np.ndarray:
        for _ in range(MUSH_STEPS):
            v = self.step @ v
        return v

    def _frames(self, v: np.ndarray) -> np.ndarray:
        """(V, 3, 3) tangent, bitangent, normal as columns."""
        a, b, c = (v[self.faces[:, k]] for k in range(3))
        n = self.corner @ np.cross(b - a, c - a)
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        t = v[self.toward] - v
        t -= (t * n).sum(1, keepdims=True) * n
        t /= np.linalg.norm(t, axis=1, keepdims=True)
        return np.stack([t, np.cross(n, t), n], -1)

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Delta mush of a skinned pose (V, 3)."""
        smooth = self._smooth(v)
        return smooth + np.einsum("nij,nj->ni", self._frames(smooth), self.detail)


def _single_joint(rotation, joint, joints) -> np.ndarray:
    """(24, 3, 4) transforms relative to the rest pose, where only ``joint`` rotates."""
    below = {joint}
    for k in range(joint + 1, 24):
        if PARENTS[k] in below:
            below.add(k)
    out = np.tile(np.eye(3, 4), (24, 1, 1))
    for k in below:
        out[k] = np.concatenate([rotation, (joints[joint] - rotation @ joints[joint])[:, None]], 1)
    return out


def pose_correctives(rest, faces, weights, joints, mirror, *, seed: int) -> np.ndarray:
    """(V, 3, 207) offsets per entry of R - I that bring skinning near delta mush (docs/body.md, 6, step 9).

    Args:
        rest: (V, 3) symmetric template. joints: (24, 3) its joints, metres.
    """
    rng = np.random.default_rng(seed)
    mush = DeltaMush(rest, faces)
    out = np.zeros((len(rest), 3, 23, 9))
    flip = np.outer(MIRROR, MIRROR).reshape(9)
    for joint, limit in tqdm(LIMITS.items(), desc="pose correctives", unit="joint"):
        axes = rng.normal(size=(POSES, 3))
        axes[:, 0 if joint in ARMS else 1] *= 0.5  # limbs swing more than they twist
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        angles = np.radians(limit) * (0.15 + 0.85 * np.sqrt(rng.uniform(size=POSES)))
        rotations = Rotation.from_rotvec(axes * angles[:, None]).as_matrix()
        offsets = []
        for rotation in rotations:
            blended = (weights @ _single_joint(rotation, joint, joints).reshape(24, 12)).reshape(-1, 3, 4)
            posed = np.einsum("nij,nj->ni", blended[..., :3], rest) + blended[..., 3]
            offsets.append(np.linalg.solve(blended[..., :3], (mush(posed) - posed)[..., None])[..., 0])
        x = (rotations - np.eye(3)).reshape(POSES, 9)
        gram = x.T @ x + POSE_RIDGE * np.eye(9)
        solved = np.linalg.solve(gram, x.T @ np.reshape(offsets, (POSES, -1)))
        dirs = solved.reshape(9, -1, 3).transpose(1, 2, 0)
        mirrored = dirs[mirror] * MIRROR[:, None] * flip
        if MIRROR_JOINT[joint] == joint:
            out[:, :, joint - 1] = (dirs + mirrored) / 2
        else:
            out[:, :, joint - 1], out[:, :, MIRROR_JOINT[joint] - 1] = dirs, mirrored
    out[np.abs(out) < SMALLEST] = 0.0
    return out.reshape(len(rest), 3, 207)
