"""Body and loose clothes as one closed mesh in the big pose, by space carving (docs/surface.md, 3).

Where the silhouettes contain something that the body does not explain (a skirt, long hair), the space that
projects into nearly all of them is added to the body.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import ConvexHull, Delaunay
from skimage.measure import label

from hvr_nb.canonical.big_pose import sample_field
from hvr_nb.canonical.binding import Skin, bind, carried, loosened
from hvr_nb.geometry.isosurface import floaters, level_surface
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.outline_distance import lookup, pixels_of, signed_distance
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera, Canonical

GROWN = 0.008  # metres by which the body is inflated
NEAR = 0.045  # metres, largest distance of tight clothes and hair from the skin
REACH = 0.32  # metres, largest distance of loose clothes from the big-pose skin, whose legs are spread
WANTED = 0.1  # share of the frames in which a point must lie on pixels that the body does not explain
OUTSIDE = 0.05  # share of the frames in which it may lie outside the mask
ENCLOSED = 0.2  # the same between legs and clothes, where skinning is least exact
TIGHT, WIDE = 0.03, 0.15  # metres around the box of the canonical body for tight and loose clothes
BESIDE = 0.15  # metres beside loose cloth, within the hull of the silhouettes, that belong to it
CARVE_CELL = 0.015  # metres
SLIVER = 0.05  # cells; a surface nearer to a grid node would make triangles without area


def body_grid(canonical: Canonical, cell: float, *, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances (X, Y, Z), metres, from the big-pose skin on a grid, and its lower corner (3,).

    The distances in ``canonical`` are refined near the skin.
    """
    low, high = canonical.bounds[0] - margin, canonical.bounds[1] + margin
    nodes, shape = grid_nodes(low, high, cell)
    distance = sample_field(canonical, canonical.field_distance, nodes)
    near = np.flatnonzero(np.abs(distance) < 2 * canonical.spacing)
    distance[near] = nearest_surface(nodes[near], canonical.vertices, canonical.faces)[2]
    return distance.reshape(shape).astype(np.float32), low


def grid_nodes(low, high, cell: float) -> tuple[np.ndarray, tuple[int, ...]]:
    """Nodes (X * Y * Z, 3) float32 of a grid from ``low`` (3,) to ``high`` (3,), and its shape (X, Y, Z)."""
    axes = [np.arange(a, b, cell, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    shape = tuple(len(a) for a in axes)
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3), shape


def loose_volume(canonical: Canonical, skin: Skin, distances: list[np.ndarray], camera: Camera):
    """Loose clothes as signed distances on a coarse grid, by space carving.

    Args:
        skin: the body in T frames. distances: T ``signed_distance`` pictures of the masks.

    Returns:
        signed distances (X, Y, Z) float32, metres, negative inside loose clothes, with the lower corner of
        the grid and its cell; None where there are no loose clothes.
    """
    free = [
        _unexplained(vertices, canonical.faces, camera, mask)
        for vertices, mask in zip(skin.vertices, distances, strict=True)
    ]
    count = len(distances)
    if sum(picture.any() for picture in free) < max(2, WANTED * count):
        return None
    distance, low = body_grid(canonical, CARVE_CELL, margin=WIDE)
    near = (np.abs(distance) < REACH) & (distance > 0)
    sparse_look = np.zeros_like(near)
    sparse_look[::2, ::2, ::2] = near[::2, ::2, ::2]
    for cells in (np.flatnonzero(sparse_look), np.flatnonzero(near)):  # an eighth first
        points = low + CARVE_CELL * np.stack(np.unravel_index(cells, distance.shape), -1)
        outside, seed = _votes(points, canonical, skin, free, distances, camera)
        if not seed.any():
            return None
    near = cells
    hull, pieces = np.zeros(distance.shape, bool), np.zeros(distance.shape, bool)
    hull.ravel()[near[outside <= OUTSIDE * count]] = True
    pieces.ravel()[near[seed]] = True
    pieces = _large(pieces)
    if not pieces.any():
        return None
    cloth = pieces > 0
    inside = near[outside <= ENCLOSED * count]
    cloth.ravel()[inside[_enclosed(inside, pieces)]] = True
    solid = ndimage.gaussian_filter(joined(cloth, hull, distance <= 0).astype(np.float32), 1.0)
    return (0.5 - solid) * 3 * CARVE_CELL, low, CARVE_CELL


def _votes(points: np.ndarray, canonical: Canonical, skin: Skin, free, distances, camera: Camera):
    """Of big-pose points (N, 3): in how many frames each lies outside the mask, and which are loose cloth.

    Args:
        free: T pictures of ``_unexplained``. distances: T ``signed_distance`` pictures of the masks.
    """
    bound = bind(points, canonical)
    bound = loosened(bound, points, canonical, np.arange(len(points)), np.ones((len(points), 1)))
    outside, wanted = np.zeros(len(points), np.int32), np.zeros(len(points), np.int32)
    for vertices, world, mask, picture in zip(skin.vertices, skin.world, distances, free, strict=True):
        pixels, _ = pixels_of(carried(bound, canonical.faces, vertices, world), camera)
        outside += lookup(mask.astype(np.float32), pixels) > 0.5
        wanted += lookup(picture, pixels) > 0.5
    seed = (wanted >= max(2, WANTED * len(free))) & (bound.distance > 0.5 * NEAR)
    return outside, seed & (outside <= OUTSIDE * len(free))


def joined(cloth: np.ndarray, hull: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Body and cloth (X, Y, Z) bool as one solid; the silhouettes' hull fills the space beside the cloth.

    A skirt is loose below and tight at the waist; without its tight part there would be a slot between.
    """
    steps = round(BESIDE / CARVE_CELL)
    cloth = ndimage.binary_dilation(cloth, iterations=steps, mask=hull | cloth)
    closed = ndimage.binary_closing(np.pad(cloth | body, 3), iterations=2)[3:-3, 3:-3, 3:-3]
    closed &= ndimage.binary_dilation(cloth, iterations=2)
    return ndimage.binary_fill_holes(cloth | body | closed)


def _large(kept: np.ndarray, *, least: float = 3e-4) -> np.ndarray:
    """Numbered connected pieces, without those under ``least`` cubic metres (errors of masks and poses)."""
    pieces = label(kept, connectivity=1)
    big = np.bincount(pieces.ravel()) * CARVE_CELL**3 > least
    big[0] = False
    return np.where(big[pieces], pieces, 0)


def _enclosed(cells: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """(N,) bool: cells (N,) within the convex hull of a piece, such as the space inside a skirt."""
    out = np.zeros(len(cells), bool)
    where = np.stack(np.unravel_index(cells, pieces.shape), -1)
    for number in np.unique(pieces[pieces > 0]):
        points = np.argwhere(pieces == number)
        if (np.ptp(points, axis=0) > 0).all():
            corners = points[ConvexHull(points).vertices]
            out |= Delaunay(corners).find_simplex(where) >= 0
    return out


def _unexplained(vertices, faces, camera: Camera, mask: np.ndarray) -> np.ndarray:
    """(H, W) float32: 1 inside the mask, farther than ``NEAR`` from the silhouette of the body."""
    depth, face, _ = rasterize(vertices, faces, camera)
    metres = float(np.median(depth[face >= 0])) / camera.K[0, 0] if (face >= 0).any() else np.inf
    body = signed_distance(((face >= 0) * 255).astype(np.uint8)).astype(np.float32)
    free = ((body * metres > NEAR) & (mask < -1)).astype(np.uint8)
    return cv2.erode(free, np.ones((3, 3), np.uint8)).astype(np.float32)


def first_template(
    canonical: Canonical, loose, cell: float, *, grown: float = GROWN
) -> tuple[np.ndarray, np.ndarray]:
    """The body inflated by ``grown`` metres and joined with the loose clothes from ``loose_volume``.

    Returns:
        vertices (V, 3), faces (F, 3).
    """
    field, low = body_grid(canonical, cell, margin=TIGHT if loose is None else WIDE)
    field = field - grown
    if loose is not None:
        values, start, spacing = loose
        nodes, shape = grid_nodes(low, low + cell * (np.array(field.shape) - 0.5), cell)
        where = ((nodes - start) / spacing).T
        other = ndimage.map_coordinates(values, where, order=1, mode="nearest").reshape(shape)
        field = np.minimum(field, other)
    return surface_of(ndimage.gaussian_filter(field, 0.6), low, cell)


def surface_of(field: np.ndarray, low: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest closed surface at level 0 of a grid (X, Y, Z), negative inside: (V, 3), (F, 3).

    Vertices at the same position are merged.
    """
    field = np.where(floaters(field < 0, corners=False), 0.1 * cell, field)
    field = np.where(np.abs(field) < SLIVER * cell, np.where(field < 0, -SLIVER, SLIVER) * cell, field)
    outer = np.pad(field, 1, constant_values=cell)
    return _outer_piece(*level_surface(outer, low - cell, cell))


def _outer_piece(vertices, faces):
    """The connected piece with most vertices, without bubbles inside."""
    edges = unique_edges(faces)
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2)
    _, piece = sparse.csgraph.connected_components(graph, directed=False)
    keep = piece == np.bincount(piece).argmax()
    number = np.cumsum(keep) - 1
    return vertices[keep], number[faces[keep[faces[:, 0]]]]
