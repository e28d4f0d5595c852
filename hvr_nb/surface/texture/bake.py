"""Baking: the texture of a surface that follows the person, from the frames of a clip (docs/surface.md, 11).

A texel is a point of the surface. In every frame in which the z-buffer shows it to the camera, its pixel is
an observation of its colour. Views that are frontal (at most 68 degrees off), close and away from outlines
count most, outliers little. Texels that no frame shows are filled in from the surface around them and
marked as unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg
from tqdm import tqdm

from hvr_nb.geometry.camera import undistort_images
from hvr_nb.geometry.functions import spread_indices
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import on_surface
from hvr_nb.surface.texture.align import find_shifts
from hvr_nb.surface.texture.unwrap import unwrap_mesh
from hvr_nb.surface.texture.views import Texels, beyond_charts, find_texels, observe
from hvr_nb.types import Camera, HvrError, Masks, Mesh

MOST = 60  # frames used at most, spread evenly over the clip
KEPT = 12  # observations kept for each texel, the best ones
OUTLIER = 18.0  # grey levels; an observation this far off counts half
FINEST = 8  # exponent of the weight of a view: 1 gives the mean of all, more favours the best views


@dataclass(frozen=True)
class Texture:
    """The colours of a surface and its texture coordinates."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    seen: np.ndarray  # (S, S) bool, texels that some frame shows; others on the surface are filled in
    surface: np.ndarray = field(repr=False)  # (S, S) bool, texels on the surface; others are gaps
    uv: np.ndarray = field(repr=False)  # (U, 2) texture coordinates, origin at the lower left
    uv_faces: np.ndarray = field(repr=False)  # (F, 3) indices into ``uv``

    @property
    def seen_pct(self) -> float:
        """Texels that some frame shows, per cent of those on the surface."""
        return float(100 * self.seen.sum() / max(self.surface.sum(), 1))

    @property
    def mask(self) -> np.ndarray:
        """(S, S) uint8 picture: 255 seen, 128 filled in, 0 off the surface."""
        return np.where(self.seen, 255, np.where(self.surface, 128, 0)).astype(np.uint8)


def bake_texture(
    surface_of_frame: Callable[[int], Mesh],
    frames: np.ndarray,
    masks: Masks,
    camera: Camera,
    which: np.ndarray,
    *,
    size: int = 1024,
    rest: Mesh | None = None,
    align: bool = True,
) -> Texture:
    """The texture of a surface from the frames of a clip.

    Args:
        surface_of_frame: frame -> Mesh in the world, metres; vertices and faces correspond between frames.
        frames: (T, H, W, 3) uint8. masks: of the person. camera: of the frames; its distortion is removed.
        which: (N,) frames that may be used; at most ``MOST`` of them are.
        size: side of the texture, texels. rest: the surface to unwrap, in a pose with the limbs apart; its
            own texture coordinates are kept. None unwraps the surface of the first frame.
        align: align the frames first (``hvr_nb.surface.texture.align``).

    Raises:
        HvrError: there is no frame to use, or none shows the surface.
    """
    which = np.asarray(which)
    if len(which) == 0:
        raise HvrError("no frame was given to take colours from; the body was observed in none")
    which = which[spread_indices(len(which), MOST)]
    pictures, clean = undistort_images(frames[which], camera)
    alpha, _ = undistort_images(masks.alpha[which], camera)
    rest = rest or surface_of_frame(int(which[0]))
    uv, uv_faces = rest.uv, rest.uv_faces
    if uv is None or uv_faces is None:
        uv, uv_faces = unwrap_mesh(rest.vertices, rest.faces, size=size)
    meshes = [replace(surface_of_frame(int(k)), uv=uv, uv_faces=uv_faces) for k in which]
    views = list(zip(meshes, pictures, alpha, strict=True))
    small = max(size // 2, 64)  # texels; means are blurred, so half the size is enough
    shifts = (
        find_shifts(views, find_texels(uv, uv_faces, small), clean, small) if align else [None] * len(views)
    )
    texels = find_texels(uv, uv_faces, size)
    weight = np.zeros((len(texels.flat), KEPT), np.float32)
    colour = np.zeros((len(texels.flat), KEPT, 3), np.uint8)
    bar = tqdm(zip(views, shifts, strict=True), total=len(views), desc="texture", unit="frame", leave=False)
    for (mesh, frame, inside), shift in bar:
        _keep(weight, colour, *observe(mesh, texels, frame, inside, clean, shift=shift))
    seen = weight.max(1) > 0
    if not seen.any():
        raise HvrError("no frame shows the surface; check that body, masks and camera belong to these frames")
    rgb = np.zeros((len(seen), 3), np.float32)
    rgb[seen] = robust_mean(colour[seen].astype(np.float32), weight[seen])
    _fill(rgb, seen, texels, rest)
    image, where = np.zeros((size * size, 3), np.uint8), np.zeros((2, size * size), bool)
    image[texels.flat], where[0, texels.flat], where[1, texels.flat] = np.clip(rgb + 0.5, 0, 255), seen, True
    seen, surface = where.reshape(2, size, size)
    return Texture(beyond_charts(image.reshape(size, size, 3), surface), seen, surface, uv, uv_faces)


def _keep(weight: np.ndarray, colour: np.ndarray, at: np.ndarray, seen: np.ndarray, new: np.ndarray) -> None:
    """Replace the weakest kept observations, in place; weight (N, K), colour (N, K, 3)."""
    slot = weight[at].argmin(1)
    better = new > weight[at, slot]
    at, slot = at[better], slot[better]
    weight[at, slot], colour[at, slot] = new[better], seen[better]


def robust_mean(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N, 3) robust mean of observations (N, K, 3) with weights (N, K).

    Starts from the weighted median of each channel, then two steps with Cauchy weights (``OUTLIER``).
    """
    share = (weight / weight.max(1, keepdims=True)) ** FINEST
    order = np.argsort(colour, axis=1)
    running = np.cumsum(np.take_along_axis(np.broadcast_to(share[..., None], colour.shape), order, 1), axis=1)
    middle = (running >= 0.5 * running[:, -1:]).argmax(1)[:, None]
    mean = np.take_along_axis(np.take_along_axis(colour, order, 1), middle, 1)[:, 0]
    for _ in range(2):
        off = ((colour - mean[:, None]) ** 2).mean(-1)
        trust = share / (1 + off / OUTLIER**2)
        mean = (colour * trust[..., None]).sum(1) / trust.sum(1, keepdims=True)
    return mean


def _fill(rgb: np.ndarray, seen: np.ndarray, texels: Texels, mesh: Mesh) -> None:
    """Fill in the colours of unseen texels, in place, by a harmonic function over the surface."""
    faces, count = mesh.faces, len(mesh.vertices)
    corner, share = faces[texels.face[seen]].ravel(), texels.bary[seen].ravel()
    mass = np.bincount(corner, share, minlength=count)
    total = np.stack(
        [np.bincount(corner, np.repeat(rgb[seen, k], 3) * share, minlength=count) for k in range(3)], 1
    )
    known = mass > 0.5
    value = np.where(known[:, None], total / np.maximum(mass, 1e-9)[:, None], rgb[seen].mean(0))
    a, b = unique_edges(faces).T
    links = sparse.coo_array((np.ones(len(a)), (a, b)), (count, count))
    links = sparse.csr_array(links + links.T)
    degree = links.sum(1)
    free = np.flatnonzero(~known & (degree > 0))
    if len(free):
        inner = sparse.diags_array(degree[free] + 1e-6) - links[free][:, free]
        right = links[free][:, known] @ value[known] + 1e-6 * value[free]
        for k in range(3):
            value[free, k] = cg(inner, right[:, k], x0=value[free, k], rtol=1e-4, maxiter=2000)[0]
    hole = ~seen
    rgb[hole] = on_surface(value.astype(np.float32), faces, texels.face[hole], texels.bary[hole])
