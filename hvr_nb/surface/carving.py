"""Body and loose clothes as one closed mesh in the big pose, by space carving (docs/surface.md, 3).

Where the silhouettes contain something that the body does not explain (a skirt, long hair), the space that
projects into nearly all of them is added to the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import ConvexHull, Delaunay
from skimage.measure import label

from hvr_nb.canonical.big_pose import sample_field
from hvr_nb.canonical.binding import Skin, bind, carried, loosened, on_head, some_of
from hvr_nb.geometry.isosurface import floaters, level_surface
from hvr_nb.geometry.mesh import unique_edges
from hvr_nb.geometry.nearest import nearest_surface, on_surface
from hvr_nb.geometry.outline_distance import lookup, pixels_of
from hvr_nb.surface.unexplained import hem_of_skirt, leg_places, views_of
from hvr_nb.types import Camera, Canonical

GROWN = 0.008  # metres by which the body is inflated
NEAR = 0.045  # metres, largest distance of tight clothes and hair from the skin
CLOSE = 0.015  # metres off the body's silhouette from which on a pixel tells of cloth beside loose cloth
REACH = 0.32  # metres, largest distance of loose clothes from the big-pose skin, whose legs are spread
WANTED = 0.1  # share of the frames in which a point must lie on pixels that the body does not explain
SEEN = 0.05  # the same for space beside loose cloth
OUTSIDE = 0.05  # share of the frames in which it may lie outside the mask
ENCLOSED = 0.2  # the same between legs and clothes, where skinning is least exact
TIGHT, WIDE = 0.03, 0.15  # metres around the box of the canonical body for tight and loose clothes
BESIDE = 0.15  # metres beside loose cloth, within the hull of the silhouettes, that belong to it
LOWER = [0, 1, 2, 4, 5, 7, 8]  # SMPL joints of hips and legs, from which a skirt hangs
ENDS = [7, 8, 10, 11, 20, 21, 22, 23]  # SMPL joints of feet and hands, whose poses are least sure
BELOW = 0.1  # of a station of ``unexplained``: how far a skirt may reach below its hem
PRUNE = 5  # frames after which points that are outside too often are dropped
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


def loose_volume(
    canonical: Canonical,
    skin: Skin,
    distances: list[np.ndarray],
    camera: Camera,
    cloth: np.ndarray | None = None,
):
    """Loose clothes as signed distances on a coarse grid, by space carving.

    Args:
        skin: the body in T frames. distances: T ``signed_distance`` pictures of the masks.
        cloth: (T, H, W) bool, pixels that labels call cloth; None without labels.

    Returns:
        signed distances (X, Y, Z) float32, metres, negative inside loose clothes, with the lower corner of
        the grid and its cell; None where there are no loose clothes.
    """
    views = views_of(skin.vertices, canonical, camera, distances, cloth)
    hem, count = hem_of_skirt(views, labels=cloth is not None), len(distances)
    if hem is None and sum((view.off > NEAR).any() for view in views) < max(2, WANTED * count):
        return None
    distance, low = body_grid(canonical, CARVE_CELL, margin=WIDE)
    near = (np.abs(distance) < REACH) & (distance > 0)
    sparse_look = np.zeros_like(near)
    sparse_look[::2, ::2, ::2] = near[::2, ::2, ::2]
    for cells in (np.flatnonzero(sparse_look), np.flatnonzero(near)):  # an eighth first
        points = low + CARVE_CELL * _nodes(cells, distance.shape)
        found = _votes(points, canonical, skin, views, distances, camera, hem)
        if hem is None and not found.seed.any():
            return None
    near, outside = cells[found.which], found.outside

    def volume(chosen: np.ndarray) -> np.ndarray:
        out = np.zeros(distance.shape, bool)
        out.ravel()[near[chosen]] = True
        return out

    seed = _large(volume(found.seed))
    corners = [np.argwhere(seed == number) for number in range(1, seed.max() + 1)]
    if hem is not None:
        side, station = leg_places(canonical)
        above = (side > 0) & (station < hem)
        # the fan that a leg sweeps on its way from the big pose to the other one
        swept = [canonical.vertices[above], canonical.rest_vertices[above]]
        mine = _nodes(near[found.skirt & (seed.ravel()[near] > 0)], seed.shape)
        corners.append(np.concatenate([(np.concatenate(swept) - low) / CARVE_CELL, mine]))
    if not corners:
        return None
    worn, inside = seed > 0, near[outside <= ENCLOSED * count]
    for points in corners:
        worn.ravel()[inside[_enclosed(_nodes(inside, seed.shape), points)]] = True
    solid = ndimage.gaussian_filter(joined(worn, volume(found.around), distance <= 0).astype(np.float32), 1.0)
    return (0.5 - solid) * 3 * CARVE_CELL, low, CARVE_CELL


@dataclass(frozen=True)
class _Found:
    """What the frames say of K points that few of them show outside the mask."""

    which: np.ndarray  # (K,) their numbers
    outside: np.ndarray  # (K,) frames in which each lies outside
    skirt: np.ndarray  # (K,) bool, beside hips and legs above the hem of a skirt
    seed: np.ndarray  # (K,) bool, loose cloth
    around: np.ndarray  # (K,) bool, cloth where it is beside loose cloth


def _votes(points, canonical: Canonical, skin: Skin, views, distances, camera: Camera, hem) -> _Found:
    """Look at big-pose points (N, 3) in all frames; ``hem``: of ``hem_of_skirt``."""
    bound = bind(points, canonical)
    bound = loosened(bound, points, canonical, np.arange(len(points)), 1 - on_head(bound)[:, None])
    station = on_surface(leg_places(canonical)[1][:, None], canonical.faces, bound.face, bound.bary)[:, 0]
    skirt = (bound.weights[:, LOWER].sum(1) > 0.5) & (station < (-1 if hem is None else hem + BELOW))
    which, count = np.arange(len(points)), len(views)
    tally = np.zeros((len(points), 3), np.int32)  # frames: outside the mask, far off the body, off it at all
    for n, k in enumerate(np.argsort(np.arange(count) % PRUNE, kind="stable")):
        if n % PRUNE == 0:
            keep = tally[:, 0] <= ENCLOSED * count
            which, bound, tally, skirt = which[keep], some_of(bound, keep), tally[keep], skirt[keep]
            stands = np.where(skirt, CLOSE, NEAR)  # where a skirt is known, little is enough
        posed = carried(bound, canonical.faces, skin.vertices[k], skin.world[k])
        pixels, _ = pixels_of(posed, camera)
        off = lookup(cv2.erode(views[k].off, np.ones((3, 3), np.uint8)), pixels)
        out = lookup(distances[k].astype(np.float32), pixels) > views[k].slack
        tally += np.stack([out, off > stands, off > CLOSE], 1)
    outside, far, free = tally.T
    hull = outside <= OUTSIDE * count + 0.5
    seed = hull & (far >= max(2, WANTED * count)) & (bound.distance > 0.5 * stands)
    seed &= skirt | (bound.weights[:, ENDS].sum(1) < 0.5)
    return _Found(which, outside, skirt, seed, hull & (free >= max(2, SEEN * count)))


def joined(cloth: np.ndarray, hull: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Body and cloth (X, Y, Z) bool as one solid; the silhouettes' hull fills the space beside the cloth.

    A skirt is loose below and tight at the waist; without its tight part there would be a slot between.
    """
    steps = round(BESIDE / CARVE_CELL)
    cloth = ndimage.binary_dilation(cloth, iterations=steps, mask=hull | cloth)
    closed = ndimage.binary_closing(np.pad(cloth | body, 3), iterations=2)[3:-3, 3:-3, 3:-3]
    closed &= ndimage.binary_dilation(cloth, iterations=2)
    return ndimage.binary_fill_holes(cloth | body | closed)


def _nodes(cells: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(N, 3) grid indices of flat cell numbers (N,)."""
    return np.stack(np.unravel_index(cells, shape), -1)


def _large(kept: np.ndarray, *, least: float = 1.5e-4) -> np.ndarray:
    """Numbered connected pieces, without those under ``least`` cubic metres (errors of masks and poses)."""
    pieces = label(kept, connectivity=1)
    big = np.bincount(pieces.ravel()) * CARVE_CELL**3 > least
    big[0] = False
    return (np.cumsum(big) * big)[pieces]


def _enclosed(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) bool: points (N, 3) within the convex hull of others (M, 3), such as the space inside a skirt."""
    if len(corners) < 4 or not (np.ptp(corners, axis=0) > 0).all():
        return np.zeros(len(points), bool)
    return Delaunay(corners[ConvexHull(corners).vertices]).find_simplex(points) >= 0


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
