"""Body and loose clothes as one closed mesh in the big pose: space carving and marching cubes.

Where the silhouettes hold something that the body does not explain (a skirt, long hair), the space
that projects into nearly all of them is added to the body (specs/surface.md E4, S3).
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import ConvexHull, Delaunay
from skimage.measure import label, marching_cubes

from hvr_nb.canonical.big_pose import sample_field
from hvr_nb.canonical.binding import Skin, bind, carried, loosened
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface
from hvr_nb.geometry.outline_distance import lookup, pixels_of, signed_distance
from hvr_nb.geometry.raster import rasterize
from hvr_nb.types import Camera, Canonical

GROWN = 0.008  # metres that the body is inflated by to begin with
NEAR = 0.045  # metres off the skin that tight clothes and hair stand at most
REACH = 0.32  # metres from the big-pose skin that loose clothes may be: they span the turned-out legs
WANTED = 0.1  # share of the frames in which a point must lie on pixels that the body leaves unexplained
OUTSIDE = 0.05  # share of the frames in which it may lie outside the mask
ENCLOSED = 0.2  # the same where it lies between legs and clothes: skinning is least sure there
TIGHT, WIDE = 0.03, 0.15  # metres about the canonical's box that tight and loose clothes may take
BESIDE = 0.15  # metres beside loose cloth, within the silhouettes' hull, that belong to it
CARVE_CELL = 0.015  # metres
SLIVER = 0.05  # of a cell; a surface nearer to a grid node would make triangles without area


def body_grid(canonical: Canonical, cell: float, *, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Signed metres (X, Y, Z) from the big-pose skin on a grid of ``cell``, and its lower corner (3,).

    The canonical's own distances are refined near the skin.
    """
    low, high = canonical.bounds[0] - margin, canonical.bounds[1] + margin
    nodes, shape = grid_nodes(low, high, cell)
    distance = sample_field(canonical, canonical.field_distance, nodes)
    near = np.flatnonzero(np.abs(distance) < 2 * canonical.spacing)
    distance[near] = nearest_surface(nodes[near], canonical.vertices, canonical.faces)[2]
    return distance.reshape(shape).astype(np.float32), low


def grid_nodes(low, high, cell: float) -> tuple[np.ndarray, tuple[int, ...]]:
    """Nodes (X * Y * Z, 3) of a grid from ``low`` (3,) to ``high`` (3,), float32, and (X, Y, Z)."""
    axes = [np.arange(a, b, cell, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    shape = tuple(len(a) for a in axes)
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3), shape


def loose_volume(canonical: Canonical, skin: Skin, distances: list[np.ndarray], camera: Camera):
    """Metres outside what the body does not explain, on a coarse grid; with its lower corner and cell.

    Args:
        skin: the body in T frames. distances: T ``signed_distance`` pictures of the masks.

    Returns:
        (X, Y, Z) float32, negative inside loose clothes; None where there are none.
    """
    distance, low = body_grid(canonical, CARVE_CELL, margin=WIDE)
    near = np.flatnonzero((np.abs(distance) < REACH).ravel() & (distance > 0).ravel())
    points = low + CARVE_CELL * np.stack(np.unravel_index(near, distance.shape), -1)
    bound = bind(points, canonical)
    bound = loosened(bound, points, canonical, np.arange(len(points)), np.ones((len(points), 1)))
    outside, wanted = np.zeros(len(near), np.int32), np.zeros(len(near), np.int32)
    for vertices, world, mask in zip(skin.vertices, skin.world, distances, strict=True):
        free = _unexplained(vertices, canonical.faces, camera, mask)
        pixels, _ = pixels_of(carried(bound, canonical.faces, vertices, world), camera)
        outside += lookup(mask.astype(np.float32), pixels) > 0.5
        wanted += lookup(free, pixels) > 0.5
    count = len(distances)
    hull, pieces = np.zeros(distance.shape, bool), np.zeros(distance.shape, bool)
    hull.ravel()[near[outside <= OUTSIDE * count]] = True
    seed = near[(wanted >= max(2, WANTED * count)) & (bound.distance > 0.5 * NEAR)]
    pieces.ravel()[seed] = hull.ravel()[seed]
    pieces = _large(pieces)
    if not pieces.any():
        return None
    cloth = pieces > 0
    inside = near[outside <= ENCLOSED * count]
    cloth.ravel()[inside[_enclosed(inside, pieces)]] = True
    solid = ndimage.gaussian_filter(joined(cloth, hull, distance <= 0).astype(np.float32), 1.0)
    return (0.5 - solid) * 3 * CARVE_CELL, low, CARVE_CELL


def joined(cloth: np.ndarray, hull: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Body and cloth (X, Y, Z) bool as one solid: the silhouettes' hull fills what lies beside the cloth.

    A skirt is loose below and tight at the waist; without its tight part a slot would be left between them.
    """
    steps = round(BESIDE / CARVE_CELL)
    cloth = ndimage.binary_dilation(cloth, iterations=steps, mask=hull | cloth)
    closed = ndimage.binary_closing(np.pad(cloth | body, 3), iterations=2)[3:-3, 3:-3, 3:-3]
    closed &= ndimage.binary_dilation(cloth, iterations=2)
    return ndimage.binary_fill_holes(cloth | body | closed)


def _large(kept: np.ndarray, *, least: float = 3e-4) -> np.ndarray:
    """Connected pieces, numbered, but for those under ``least`` cubic metres: errors of masks and poses."""
    pieces = label(kept, connectivity=1)
    big = np.bincount(pieces.ravel()) * CARVE_CELL**3 > least
    big[0] = False
    return np.where(big[pieces], pieces, 0)


def _enclosed(cells: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """(N,) bool, whether cells (N,) lie within the convex hull of a piece: what a skirt hides between the legs."""
    out = np.zeros(len(cells), bool)
    where = np.stack(np.unravel_index(cells, pieces.shape), -1)
    for number in np.unique(pieces[pieces > 0]):
        points = np.argwhere(pieces == number)
        if (np.ptp(points, axis=0) > 0).all():
            corners = points[ConvexHull(points).vertices]
            out |= Delaunay(corners).find_simplex(where) >= 0
    return out


def _unexplained(vertices, faces, camera: Camera, mask: np.ndarray) -> np.ndarray:
    """(H, W) float32, 1 where the mask's inside lies further than ``NEAR`` from the body's silhouette."""
    depth, face, _ = rasterize(vertices, faces, camera)
    metres = float(np.median(depth[face >= 0])) / camera.K[0, 0] if (face >= 0).any() else np.inf
    body = signed_distance(((face >= 0) * 255).astype(np.uint8)).astype(np.float32)
    free = ((body * metres > NEAR) & (mask < -1)).astype(np.uint8)
    return cv2.erode(free, np.ones((3, 3), np.uint8)).astype(np.float32)


def first_template(
    canonical: Canonical, loose, cell: float, *, grown: float = GROWN
) -> tuple[np.ndarray, np.ndarray]:
    """The body inflated by ``grown`` metres, joined with the loose clothes of ``loose_volume``.

    Returns:
        Vertices (V, 3), faces (F, 3).
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
    """The largest closed surface at level 0 of a grid (X, Y, Z) negative inside: (V, 3), (F, 3).

    Marching cubes (Lorensen and Cline, 1987); vertices that share a place are one.
    """
    pieces = label(field < 0, connectivity=1)
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    field = np.where((field < 0) & (pieces != counts.argmax()), 0.1 * cell, field)
    field = np.where(np.abs(field) < SLIVER * cell, np.where(field < 0, -SLIVER, SLIVER) * cell, field)
    outer = np.pad(field, 1, constant_values=cell)
    vertices, faces, _, _ = marching_cubes(-outer, 0.0, spacing=(cell,) * 3)
    vertices, faces = vertices + low - cell, faces[:, ::-1].astype(np.int64)
    return _outer_piece(vertices, faces)


def _outer_piece(vertices, faces):
    """The connected piece with most vertices: bubbles inside are left out."""
    edges = unique_edges(faces)
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2)
    _, piece = sparse.csgraph.connected_components(graph, directed=False)
    keep = piece == np.bincount(piece).argmax()
    number = np.cumsum(keep) - 1
    return vertices[keep], number[faces[keep[faces[:, 0]]]]
