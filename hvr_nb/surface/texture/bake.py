"""A clip's pixels as the texture of a surface that follows the person.

Every texel is a point of the surface, carried along in every frame: where the z-buffer says that the
camera sees it, the pixel is an observation of its colour. Views from ahead, close and away from
outlines count most, outliers little; what no frame shows is filled in from around it on the surface and
marked as unseen (the idea of specs/surface.md A12: at most 68 degrees off, best views, robust mean).
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

MOST = 60  # frames looked at; of more an even choice
KEPT = 12  # best observations of a texel
OUTLIER = 18.0  # grey levels: an observation this far off counts half
FINEST = 8  # times the weight of a view counts: 1 the mean of all, more the best views


@dataclass(frozen=True)
class Texture:
    """Colours of a surface and how it is laid out."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    seen: np.ndarray  # (S, S) bool, texels that some frame shows; the others of the surface are filled in
    surface: np.ndarray = field(repr=False)  # (S, S) bool, texels of the surface; the others are gaps
    uv: np.ndarray = field(repr=False)  # (U, 2) texture coordinates, origin at the lower left
    uv_faces: np.ndarray = field(repr=False)  # (F, 3) indices into ``uv``

    @property
    def seen_pct(self) -> float:
        """Per cent of the surface's texels that some frame shows."""
        return float(100 * self.seen.sum() / max(self.surface.sum(), 1))

    @property
    def mask(self) -> np.ndarray:
        """(S, S) uint8 for a picture: 255 seen, 128 filled in, 0 no surface."""
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
    """Colour a surface with what a clip shows of it.

    Args:
        surface_of_frame: frame -> Mesh in the world, metres; vertices and faces correspond between frames.
        frames: (T, H, W, 3) uint8. masks: of the person. camera: of the frames; distortion is taken out.
        which: (N,) frames to look at, at most ``MOST`` of them.
        size: side of the texture, texels. rest: the surface to unwrap, in a pose that holds the limbs apart;
            its own texture coordinates are kept. None unwraps the first frame's.
        align: shift the frames over each other first (``hvr_nb.surface.texture.align``).

    Raises:
        HvrError: there is no frame to look at, or none shows the surface.
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
    small = max(size // 2, 64)  # enough for means, which are blurred
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
    """Put observations in the place of the weakest kept ones, in place; weight (N, K), colour (N, K, 3)."""
    slot = weight[at].argmin(1)
    better = new > weight[at, slot]
    at, slot = at[better], slot[better]
    weight[at, slot], colour[at, slot] = new[better], seen[better]


def robust_mean(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N, 3) mean of observations (N, K, 3) with weights (N, K), those far from the others down-weighted.

    Starts from the weighted median of each channel; two steps with Cauchy weights (``OUTLIER``) follow.
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
    """Colours of unseen texels, in place: a harmonic function over the surface between the seen ones."""
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
