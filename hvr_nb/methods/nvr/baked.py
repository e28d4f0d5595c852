"""The avatar as a coloured mesh that follows the body: fast pictures, and a guide for exact ones.

Its vertices hang on the nearest place of the big-pose skin: a point of a face and an offset, which
the blended joint transforms turn (linear blend skinning about the surface, as in ``hvr_nb.warp``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from hvr_nb import loose
from hvr_nb.canonical import Canonical
from hvr_nb.nearest import nearest_surface, on_surface
from hvr_nb.raster import interpolate, rasterize
from hvr_nb.types import Camera, Mesh, Render
from hvr_nb.warp import PoseBank

RESOLUTION = 256  # marching-cubes cells along the longest side: 7.5 mm for a grown person
REACH = 0.01  # metres before and behind the mesh within which the avatar's surface is
BESIDE = 0.012  # metres beside the mesh that rays still look at
OUTLINE = (12, 0.1)  # positions on rays beside the mesh's outline, if it is not deeper there, metres
MIDDLE = (8, 0.035)  # the same for rays that meet the mesh
DEEP = 0.2  # metres: of a deeper range, only so much is looked at, half about either end
MANY = 24  # positions on rays with two stretches, or across the whole shell


@dataclass(frozen=True)
class Baked:
    """A mesh of N vertices bound to the skin, and those of loose cloth to the space about it."""

    mesh: Mesh  # in the big pose, colours lit as in the clip's mean moment
    face: np.ndarray  # (N,) face of the skin that carries a vertex
    bary: np.ndarray  # (N, 3) where in it
    weights: np.ndarray  # (N, 24) float32 skin weights there
    offset: np.ndarray  # (N, 3) float32 metres from there, in the rest pose's axes
    cloth: np.ndarray  # (L,) vertices that are loose
    share: np.ndarray  # (L, 1) how much, 0..1
    cloth_weights: np.ndarray  # (L, 24) float32 smooth weights at them
    cloth_rest: np.ndarray  # (L, 3) where they are in the rest pose, metres


def bind(mesh: Mesh, canonical: Canonical, *, cloth: bool) -> Baked:
    """Hang a big-pose mesh on the skin; ``cloth``: vertices off it follow ``hvr_nb.loose``."""
    face, bary, distance = nearest_surface(mesh.vertices, canonical.vertices, canonical.faces)
    weights = on_surface(canonical.weights, canonical.faces, face, bary).astype(np.float32)
    foot = on_surface(canonical.vertices, canonical.faces, face, bary)
    turn = loose.blend(weights, canonical.A_big)[:, :, :3]
    offset = np.linalg.solve(turn, (mesh.vertices - foot)[..., None])[..., 0]
    share = loose.looseness(distance)
    which = np.flatnonzero(share) if cloth else np.zeros(0, np.int64)
    smooth = loose.weights_at(mesh.vertices[which], canonical).astype(np.float32)
    rest = loose.undo(loose.blend(smooth, canonical.A_big), mesh.vertices[which])
    return Baked(
        mesh, face, bary, weights, offset.astype(np.float32), which, share[which, None], smooth, rest
    )


def shifted(baked: Baked, canonical: Canonical, shift: np.ndarray) -> Baked:
    """The same mesh with its vertices moved by small big-pose vectors (N, 3), metres."""
    turn = loose.blend(baked.weights, canonical.A_big)[:, :, :3]
    offset = baked.offset + np.einsum("nji,nj->ni", turn, shift)  # nearly a rotation: transposed is inverse
    turn = loose.blend(baked.cloth_weights, canonical.A_big)[:, :, :3]
    rest = baked.cloth_rest + np.einsum("nji,nj->ni", turn, shift[baked.cloth])
    return replace(baked, offset=offset.astype(np.float32), cloth_rest=rest)


def skin_weights(baked: Baked) -> np.ndarray:
    """(N, 24) float32 weights that linear blend skinning of the mesh comes nearest to it with; rows sum to one."""
    out = baked.weights.copy()
    out[baked.cloth] += baked.share.astype(np.float32) * (baked.cloth_weights - out[baked.cloth])
    return out / out.sum(1, keepdims=True)


def posed_vertices(baked: Baked, faces: np.ndarray, bank: PoseBank) -> np.ndarray:
    """(N, 3) world metres of a baked mesh in the first pose of a bank; faces: (F, 3) of the skin."""
    turn = loose.blend(baked.weights, bank.transforms[0])[:, :, :3]
    out = on_surface(bank.vertices[0], faces, baked.face, baked.bary)
    out = out + np.einsum("nij,nj->ni", turn, baked.offset)
    if len(baked.cloth):
        smooth = loose.apply(loose.blend(baked.cloth_weights, bank.world[0]), baked.cloth_rest)
        out[baked.cloth] += baked.share * (smooth - out[baked.cloth])
    return out


def draw(baked: Baked, vertices: np.ndarray, camera: Camera) -> Render:
    """A picture of the mesh with its vertices at (N, 3): colours as baked, a hard outline."""
    depth, face_id, bary = rasterize(vertices, baked.mesh.faces, camera)
    hit = face_id >= 0
    rgb = interpolate(baked.mesh.colors.astype(np.float32) / 255, baked.mesh.faces, face_id, bary)
    return Render(rgb, hit.astype(np.float32), np.where(hit, depth, 0).astype(np.float32))


def guided_bounds(bounds: np.ndarray, depth: np.ndarray, pixel_size: float) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of rays cut down to where a mesh says the surface is.

    Args:
        bounds: (H, W, 4) as ``rays.shell`` gives them, metres. depth: (H, W) of the mesh, inf where
            it is not. pixel_size: metres a pixel spans at the person.

    Returns:
        (H, W, 4): a short stretch about the mesh; two where it is deep about a pixel (a hand before
        the trunk), about its nearest and farthest place; inf, -inf, inf, inf away from the mesh.
        (H, W) uint8 how many positions these rays need.
    """
    out, count = np.empty_like(bounds), np.zeros(depth.shape, np.uint8)
    out[:] = (np.inf, -np.inf, np.inf, np.inf)
    known = np.isfinite(bounds[..., 0])
    # Beside an outline the surface bends away: a ray between pixels may meet it deeper than they do.
    near, far = _range(depth, 1 + 2 * max(1, int(np.ceil(BESIDE / pixel_size))), REACH + pixel_size)
    deep = known & np.isfinite(near)
    n, f = near[deep], far[deep]
    gap = np.maximum(f - n - DEEP, 0) / 2  # of a hand before the trunk, the air between is left out
    out[deep] = np.stack([n, (n + f) / 2 - gap, (n + f) / 2 + gap, f], -1)
    count[deep] = np.where(f - n < OUTLINE[1], OUTLINE[0], MANY)
    near, far = _range(depth, 3, REACH)
    short = known & ndimage.minimum_filter(np.isfinite(depth), 3)
    short[short] = (far - near)[short] < MIDDLE[1]
    out[short] = np.stack([near, far, far, far], -1)[short]
    count[short] = MIDDLE[0]
    return out, count


def _range(depth: np.ndarray, size: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Nearest and farthest depth (H, W) in a square about every pixel, widened by ``reach`` metres."""
    behind = np.where(np.isfinite(depth), depth, -np.inf)
    return ndimage.minimum_filter(depth, size) - reach, ndimage.maximum_filter(behind, size) + reach
