"""A clip's pixels as the texture of a surface that follows the person.

Every texel is a point of the surface, carried along in every frame: where the z-buffer says that the
camera sees it, the pixel is an observation of its colour. Views from ahead, close and away from
outlines count most, outliers little; what no frame shows is filled in from around it on the surface and
marked as unseen (the idea of specs/surface.md A12: at most 68 degrees off, best views, robust mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg
from tqdm import tqdm

from hvr_nb.geometry import camera_centre, project, to_camera, undistort_images
from hvr_nb.mesh import unique_edges, vertex_normals
from hvr_nb.nearest import on_surface
from hvr_nb.raster import rasterize, rasterize_pixels
from hvr_nb.types import Camera, HvrError, Masks, Mesh
from hvr_nb.unwrap import unwrap

MOST = 60  # frames looked at; of more an even choice
KEPT = 12  # best observations of a texel
GRAZING = 0.37  # cosine of 68 degrees: flatter views do not count (specs/surface.md A12)
UNDER = 0.0015  # metres: a point this far under what a pixel shows is hidden, the body under cloth too
BEFORE = 0.015  # metres: nothing may stand so far before a point close by, for outlines mix colours
FRINGE = 5  # pixels, side of the square that is close by
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


@dataclass(frozen=True)
class Texels:
    """The N texels of a texture of S x S that lie on the surface, row by row."""

    flat: np.ndarray  # (N,) row * S + column
    face: np.ndarray  # (N,) face of the mesh
    bary: np.ndarray  # (N, 3) where in it


def bake_texture(surface_of_frame: Callable[[int], Mesh], frames: np.ndarray, masks: Masks, camera: Camera,
                 which: np.ndarray, *, size: int = 1024, rest: Mesh | None = None) -> Texture:  # fmt: skip
    """Colour a surface with what a clip shows of it.

    Args:
        surface_of_frame: frame -> Mesh in the world, metres; vertices and faces correspond between frames.
        frames: (T, H, W, 3) uint8. masks: of the person. camera: of the frames; distortion is taken out.
        which: (N,) frames to look at, at most ``MOST`` of them.
        size: side of the texture, texels. rest: the surface to unwrap, in a pose that holds the limbs apart;
            its own texture coordinates are kept. None unwraps the first frame's.

    Raises:
        HvrError: there is no frame to look at, or none shows the surface.
    """
    which = np.asarray(which)
    if len(which) == 0:
        raise HvrError("no frame was given to take colours from; the body was observed in none")
    which = which[np.unique(np.linspace(0, len(which) - 1, min(len(which), MOST)).round().astype(int))]
    pictures, clean = undistort_images(frames[which], camera)
    alpha, _ = undistort_images(masks.alpha[which], camera)
    rest = rest or surface_of_frame(int(which[0]))
    uv, uv_faces = rest.uv, rest.uv_faces
    if uv is None or uv_faces is None:
        uv, uv_faces = unwrap(rest.vertices, rest.faces, size=size)
    texels = find_texels(uv, uv_faces, size)
    weight = np.zeros((len(texels.flat), KEPT), np.float32)
    colour = np.zeros((len(texels.flat), KEPT, 3), np.uint8)
    for k, frame, inside in tqdm(zip(which, pictures, alpha, strict=True), desc="texture", unit="frame",
                                 total=len(which), leave=False):  # fmt: skip
        _keep(weight, colour, *observe(surface_of_frame(int(k)), texels, frame, inside, clean))
    seen = weight.max(1) > 0
    if not seen.any():
        raise HvrError("no frame shows the surface; check that body, masks and camera belong to these frames")
    rgb = np.zeros((len(seen), 3), np.float32)
    rgb[seen] = robust_mean(colour[seen].astype(np.float32), weight[seen])
    _fill(rgb, seen, texels, rest)
    image, where = np.zeros((size * size, 3), np.uint8), np.zeros((2, size * size), bool)
    image[texels.flat], where[0, texels.flat], where[1, texels.flat] = np.clip(rgb + 0.5, 0, 255), seen, True
    seen, surface = where.reshape(2, size, size)
    return Texture(_beyond_charts(image.reshape(size, size, 3), surface), seen, surface, uv, uv_faces)


def find_texels(uv: np.ndarray, uv_faces: np.ndarray, size: int) -> Texels:
    """Which texels of a texture lie on the surface, and where on it.

    Args:
        uv: (U, 2) texture coordinates. uv_faces: (F, 3). size: side, texels.
    """
    xy = np.stack([uv[:, 0], 1 - uv[:, 1]], 1) * size
    _, face, bary = rasterize_pixels(xy, np.ones(len(uv)), uv_faces, size, size)
    flat = np.flatnonzero(face.ravel() >= 0)
    return Texels(flat, face.ravel()[flat], bary.reshape(-1, 3)[flat])


def observe(mesh: Mesh, texels: Texels, frame: np.ndarray, alpha: np.ndarray, camera: Camera):
    """What one picture shows of a surface.

    Args:
        mesh: the surface as it stands in the frame. frame: (H, W, 3) uint8. alpha: (H, W) uint8.

    Returns:
        (M,) texels that it shows, (M, 3) uint8 their colours, (M,) weights: squared cosine towards the
        camera, and nearness.
    """
    nearest, _, _ = rasterize(mesh.vertices, mesh.faces, camera)
    nearest = np.where(np.isfinite(nearest), nearest, 1e3).astype(np.float32)
    about = ndimage.minimum_filter(nearest, FRINGE)
    inside = cv2.erode((alpha > 250).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    depth = to_camera(mesh.vertices, camera)[:, 2]
    toward = camera_centre(camera) - mesh.vertices
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    facing = (vertex_normals(mesh.vertices, mesh.faces) * toward).sum(1)
    front = (facing[mesh.faces].max(1) > GRAZING)[texels.face]
    at = np.flatnonzero(front)
    values = np.column_stack([np.nan_to_num(project(mesh.vertices, camera)), depth, facing]).astype(
        np.float32
    )
    x, y, z, cosine = on_surface(values, mesh.faces, texels.face[at], texels.bary[at]).T
    height, width = alpha.shape
    row, col = np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)
    good = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z > 0) & (cosine > GRAZING)
    slope = (
        np.sqrt(1 - np.minimum(cosine, 1) ** 2) / np.maximum(cosine, GRAZING) * z / camera.K[0, 0]
    )  # per pixel
    good &= z < _bilinear(nearest, x, y) + UNDER + slope / 4
    good &= z < about[row, col] + BEFORE + FRINGE / 2 * slope
    good &= inside[row, col] > 0
    at, x, y, z, cosine = at[good], x[good], y[good], z[good], cosine[good]
    return at, _bilinear(frame, x, y), (cosine / z) ** 2


def _bilinear(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(M,) or (M, 3) values of a picture (H, W[, 3]) at pixel positions (M,), centres at +0.5."""
    wide = 1024  # remap takes pictures, of less than 32768 a side
    where = (np.resize(np.append(a - 0.5, 0).astype(np.float32), (len(a) // wide + 1, wide)) for a in (x, y))
    out = cv2.remap(picture, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, *picture.shape[2:])[: len(x)]


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


def _beyond_charts(image: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The image with the gaps between charts in the colours of the nearest chart."""
    row, col = ndimage.distance_transform_edt(~surface, return_distances=False, return_indices=True)
    return image[row, col]
